"""The objective of a picture that tiles: where the picture begins makes no difference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from own_networks import smooth_network
from problems import NARROW_VGG16, SHORT_DENSENET, picture, write_densenet, write_vgg

from stylejax.errors import InputError
from stylejax.images.masks import layer_mask
from stylejax.losses._named import PLAIN, loss_kernels
from stylejax.losses.objective import make_objective
from stylejax.networks.features import feature_extractor
from stylejax.weights.read import read_weights

LAYERS = (["pool3_relu"], ["input", "conv1_relu", "pool2_relu", "pool3_relu"])
IMAGE = picture(64, 64, seed=3)


@pytest.fixture
def network(tmp_path, monkeypatch):
    return read_weights(write_densenet(tmp_path / "short.safetensors", monkeypatch, SHORT_DENSENET))


def test_a_picture_rolled_by_the_stride_has_the_same_loss_and_its_gradient_rolled(network):
    objective = make_objective(network, *LAYERS, seamless=True)
    assert objective.reader.stride == 8
    targets = objective.targets(network.variables, picture(64, 64, 1), [picture(64, 48, 5)])
    # The content has a place of its own.
    weights = objective.weights(content_weight=0.0)
    loss = lambda image: objective(image, network.variables, targets, weights)[0]
    both, rolled = jax.jit(jax.value_and_grad(loss)), lambda x: np.roll(x, (8, 24), (0, 1))
    value, gradient = both(IMAGE)
    other, of_other = both(rolled(IMAGE))
    assert float(other) == pytest.approx(float(value), rel=1e-5)
    largest = np.abs(gradient).max()
    np.testing.assert_allclose(of_other, rolled(gradient), rtol=0, atol=1e-4 * largest)


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_maps_of_a_vgg_roll_with_the_picture(tmp_path, pooling):
    vgg = read_weights(write_vgg(tmp_path / "vgg16.safetensors", NARROW_VGG16))
    extract = jax.jit(
        feature_extractor(vgg, ["relu1_2", "relu3_1"], pooling=pooling, seamless=True)
    )
    image = picture(24, 32, seed=3)
    ours, rolled = (
        extract(vgg.variables, each) for each in (image, np.roll(image, (4, 12), (0, 1)))
    )
    for name, stride in (("relu1_2", 1), ("relu3_1", 4)):
        largest = np.abs(ours[name]).max()
        expected = np.roll(ours[name], (4 // stride, 12 // stride), (0, 1))
        np.testing.assert_allclose(rolled[name], expected, rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("kernels", ["fast", "plain"])
def test_total_variation_looks_over_the_border(kernels):
    variations = loss_kernels(kernels, True).total_variations
    assert variations.keys() == PLAIN.total_variations.keys()
    below, beside = (np.roll(IMAGE, -1, axis) - IMAGE for axis in (0, 1))
    squares = below**2 + beside**2
    expected = {
        "plain": np.mean(np.abs(below) + np.abs(beside)),
        "power": np.mean(squares**1.25),
        "power-sum": 255.0**2.5 * np.sum(squares.astype(np.float64) ** 1.25),
        "squared-sum": 255.0**2 * 0.5 * np.sum(squares.astype(np.float64)),
    }
    for name, variation in variations.items():
        assert float(variation(jnp.asarray(IMAGE))) == pytest.approx(expected[name], rel=1e-5)


def test_regions_go_on_at_the_other_side():
    mask = np.zeros((32, 48), np.float32)
    mask[4:20, 30:] = 1.0
    rolled = lambda x, by: np.roll(x, by, (0, 1))
    ours = layer_mask(mask, 19, 8, 12, wraps=True)
    np.testing.assert_allclose(
        layer_mask(rolled(mask, (8, 20)), 19, 8, 12, wraps=True), rolled(ours, (2, 5)), atol=1e-7
    )
    assert np.abs(ours - layer_mask(mask, 19, 8, 12)).max() > 1e-4


def test_what_does_not_tile_is_refused(network):
    with pytest.raises(InputError, match="44 x 32 pixels do not tile: .* multiples of 8"):
        extract = feature_extractor(network, ["pool3_relu"], seamless=True)
        extract(network.variables, picture(32, 44))
    with pytest.raises(InputError, match="a Network of one's own pads as its `apply` does"):
        make_objective(smooth_network(), ["one"], ["two"], seamless=True)
    with pytest.raises(InputError, match="strip_rows 32: a seamless picture is seen as a whole"):
        make_objective(network, *LAYERS, seamless=True, strip_rows=32)
