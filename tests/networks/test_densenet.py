import re
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from problems import random_weights
from references import module_of

from stylejax.networks.densenet import DenseNet
from stylejax.networks.layers import layer_table
from stylejax.weights.read import read_weights

# One even and one odd side: the first tells paddings apart, the second how pools round.
HEIGHT, WIDTH = 64, 97
KERAS_EPSILON = 1.001e-5


def random_parameter(random, kind, shape):
    """Scales that keep feature maps of order one from the first layer to the last."""
    if kind == "kernel":
        return random.normal(0.0, np.sqrt(2.0 / np.prod(shape[:3])), shape).astype(np.float32)
    if kind in ("gamma", "moving_variance"):
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    return random.normal(0.0, 0.3, shape).astype(np.float32)


@pytest.fixture(scope="module")
def both_networks():
    """Feature maps of one random batch in Keras and here, by Keras's names."""
    random = np.random.default_rng(1)
    architectures: Any = keras.applications
    model = architectures.DenseNet121(
        weights=None, include_top=False, input_shape=(HEIGHT, WIDTH, 3)
    )
    variables: Any = {"params": {}, "batch_stats": {}}
    entries = {
        "gamma": ("params", "scale"),
        "beta": ("params", "bias"),
        "moving_mean": ("batch_stats", "mean"),
        "moving_variance": ("batch_stats", "var"),
        "kernel": ("params", "kernel"),
    }
    values = {}
    for variable in model.variables:
        layer, kind = variable.path.split("/")
        value = values[variable.path] = random_parameter(random, kind, tuple(variable.shape))
        if value.shape[:2] == (1, 1):
            value = value[0, 0]
        collection, entry = entries[kind]
        variables[collection].setdefault(module_of(layer), {})[entry] = value

    x = random.normal(0.0, 1.0, (1, HEIGHT, WIDTH, 3)).astype(np.float32)
    unnamed = keras.layers.InputLayer | keras.layers.ZeroPadding2D
    outputs = {layer.name: layer.output for layer in model.layers if not isinstance(layer, unnamed)}
    whole: Any = keras.Model(model.inputs, outputs)
    theirs, _ = jax.jit(partial(whole.stateless_call, training=False))(
        [values[variable.path] for variable in whole.trainable_variables],
        [values[variable.path] for variable in whole.non_trainable_variables],
        [x],
    )
    norms = [layer for layer in model.layers if hasattr(layer, "epsilon")]
    assert {layer.epsilon for layer in norms} == {KERAS_EPSILON}
    network = DenseNet(tuple(layer_table()), epsilon=KERAS_EPSILON)
    ours: Any = jax.jit(network.apply)(variables, x)
    theirs = jax.device_get(theirs)
    return {name: theirs[name] for name in outputs}, jax.device_get(ours)


def test_layers_are_named_and_ordered_as_in_keras(both_networks):
    theirs, _ = both_networks
    assert ["input", *theirs] == list(layer_table())


def test_every_feature_map_agrees_with_keras(both_networks):
    theirs, ours = both_networks
    scales, differences = {}, {}
    for name, expected in theirs.items():
        assert ours[name].shape == expected.shape
        scales[name] = np.abs(expected).max()
        differences[name] = np.abs(ours[name] - expected).max() / scales[name]
    assert 0.5 < min(scales.values()) and max(scales.values()) < 100
    worst = max(differences, key=lambda name: differences[name])
    assert differences[worst] < 1e-4, worst


def test_table_gives_the_channels_and_positions_of_every_feature_map(both_networks):
    _, ours = both_networks
    for name, layer in layer_table().items():
        rows, columns = (
            (HEIGHT, WIDTH)
            if layer.stride == 1
            # The stem rounds up, the three transitions round down.
            else (-(-HEIGHT // min(layer.stride, 4)), -(-WIDTH // min(layer.stride, 4)))
        )
        shrink = max(1, layer.stride // 4)
        assert ours[name].shape == (1, rows // shrink, columns // shrink, layer.channels)


@pytest.fixture(scope="module")
def narrow():
    weights = read_weights(random_weights())
    collections = {name: weights.variables[name] for name in ("params", "batch_stats")}
    architecture: Any = weights.architecture
    make = partial(DenseNet, architecture=architecture, epsilon=weights.epsilon)
    return make, collections


def batch(size, height=33, width=48):
    random = np.random.default_rng(2)
    return jnp.asarray(random.normal(0.0, 1.0, (size, height, width, 3)), jnp.float32)


@pytest.mark.parametrize(
    ("layers", "modules", "convolutions"),
    [
        (("conv1_conv",), {"conv0"}, 1),
        (("pool1", "conv1_relu"), {"conv0", "norm0"}, 1),
        (
            ("pool2_relu",),
            {"conv0", "norm0", "transition1.norm"}
            | {
                f"denseblock1.denselayer{layer}.{part}"
                for layer in range(1, 7)
                for part in ("norm1", "conv1", "norm2", "conv2")
            },
            7,
        ),
    ],
)
def test_nothing_past_the_deepest_layer_is_run(narrow, layers, modules, convolutions):
    make, collections = narrow
    network = make(layers)
    x = batch(1)
    assert set(jax.eval_shape(network.init, jax.random.key(0), x)["params"]) == modules
    program = jax.jit(network.apply).lower(collections, x).as_text()
    assert len(re.findall(r"= stablehlo\.convolution", program)) == convolutions


def test_average_pooling_is_the_mean_of_the_positions_inside(narrow):
    make, collections = narrow
    network = make(("conv1_relu", "pool1"), pooling="average")
    maps = jax.device_get(jax.jit(network.apply)(collections, batch(1)))
    fine, coarse = maps["conv1_relu"][0], maps["pool1"][0]
    assert fine.shape[:2] == (17, 24)
    assert coarse.shape[:2] == (9, 12)
    expected = np.stack(
        [
            [
                fine[max(0, 2 * i - 1) : 2 * i + 2, max(0, 2 * j - 1) : 2 * j + 2].mean((0, 1))
                for j in range(coarse.shape[1])
            ]
            for i in range(coarse.shape[0])
        ]
    )
    np.testing.assert_allclose(coarse, expected, rtol=1e-5, atol=1e-6)


def test_a_picture_under_vmap_gets_what_it_gets_alone(narrow):
    make, collections = narrow
    network = make(("conv1_conv", "pool2_pool"))
    pictures = batch(2)

    def one(picture):
        return jax.tree.map(lambda x: x[0], network.apply(collections, picture[None]))

    together = jax.jit(jax.vmap(one))(pictures)
    alone = jax.jit(one)
    for index, picture in enumerate(pictures):
        for name, expected in alone(picture).items():
            np.testing.assert_allclose(together[name][index], expected, rtol=1e-4, atol=1e-5)
