from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import picture, vgg_tensors, write_densenet, write_vgg

from stylejax.images.masks import Masks
from stylejax.losses.objective import make_objective
from stylejax.losses.strips import join_strips, list_strips, make_strips
from stylejax.networks.layers import Architecture
from stylejax.weights.read import read_weights

LAYERS = {
    "densenet121": (("pool2_relu",), ("input", "conv1_relu", "conv2_block3_concat", "pool2_relu")),
    "vgg19": (("relu3_1",), ("relu1_1", "relu2_1", "relu3_1")),
}


@pytest.mark.parametrize("height", [300, 303, 331])
@pytest.mark.parametrize(("rows", "field", "stride"), [(8, 59, 4), (40, 59, 4), (100, 84, 8)])
def test_each_row_of_each_map_is_one_strips_own(height, rows, field, stride):
    cuts = make_strips(rows, field, stride)
    each = list_strips(cuts, height)
    assert cuts.count(height) == len(each.start) > 1
    for of in (1, 2, stride):
        cut = cuts.cut(height, of)
        counted = np.zeros(cut.height)
        own = jax.jit(jax.vmap(lambda strip: strip.is_own(cut)))(each)  # noqa: B023
        for start, rows_are_own in zip(np.asarray(each.start), np.asarray(own), strict=True):
            assert start % stride == 0
            counted[start // of : start // of + cut.rows] += rows_are_own
        np.testing.assert_array_equal(counted, 1)

        @jax.jit
        def cut_and_joined(rows):
            maps = jax.vmap(lambda strip: strip.cut(rows, cut))(each)  # noqa: B023
            return join_strips(each, maps, cut)  # noqa: B023

        rows_of_map = np.arange(cut.height, dtype=np.float32)[:, None, None]
        np.testing.assert_array_equal(cut_and_joined(rows_of_map), rows_of_map)


def test_a_picture_not_higher_than_a_cut_stays_whole():
    assert make_strips(64, 59, 4).count(128) == 1
    assert make_strips(0, 59, 4).count(4096) == 1
    assert make_strips(64, 59, 4).count(140) == 3


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("network", ["densenet121", "vgg19"])
def test_loss_and_gradient_are_those_of_the_whole_picture(network, masked, tmp_path, monkeypatch):
    if network == "vgg19":
        weights = read_weights(write_vgg(tmp_path / "vgg.safetensors", tensors=vgg_tensors()))
    else:
        # Of the first block a map within is asked for.
        architecture = Architecture(8, 4, (4, 1, 1, 1))
        path = write_densenet(tmp_path / "densenet.safetensors", monkeypatch, architecture)
        weights = read_weights(path)
    variables = jax.tree.map(jnp.asarray, weights.variables)
    content, style = picture(219, 40), picture(171, 48, seed=2)
    masks = None
    if masked:
        ramp = np.linspace(0.0, 1.0, 219, dtype=np.float32)[:, None] * np.ones((1, 40), np.float32)
        masks = Masks((ramp, 1.0 - ramp), ())
    styles = [style, style[:120]] if masked else [style]
    whole = make_objective(weights, *LAYERS[network], style_loss="covariance")
    cut = make_objective(weights, *LAYERS[network], style_loss="covariance", strip_rows=24)
    assert cut == replace(whole, reader=cut.reader)
    assert cut.reader.strips.count(219) > 2
    losses, gradients, targets = [], [], []
    for objective in (whole, cut):
        targets.append(objective.targets(variables, content, styles, masks))
        of = jax.jit(jax.value_and_grad(objective, has_aux=True))
        start = jnp.asarray(picture(219, 40, seed=5))
        weighting = objective.weights(styles=len(styles))
        (loss, terms), gradient = of(start, variables, targets[-1], weighting)
        losses.append((loss, terms))
        gradients.append(gradient)
    for got, want in zip(*map(jax.tree.leaves, targets), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    for got, want in zip(*map(jax.tree.leaves, losses), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4)
    error = jnp.linalg.norm(gradients[1] - gradients[0]) / jnp.linalg.norm(gradients[0])
    assert error < 1e-3


def test_a_strip_whose_surroundings_are_the_picture_has_all_rows():
    cuts = make_strips(40, 81, 8)
    assert cuts.count(96) == 1
    assert [leaf.tolist() for leaf in list_strips(cuts, 96)] == [[0], [0], [96]]
    assert list_strips(make_strips(16, 17, 8), 96).end.tolist()[-1] == 96
