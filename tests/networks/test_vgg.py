import re
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from stylejax.networks.layers import VGG16, VGG19, VggArchitecture, layer_table
from stylejax.networks.vgg import Vgg
from stylejax.weights.names import (
    expected_shapes,
    state_dict_from_variables,
    variables_from_state_dict,
)

# One side is no multiple of the network's stride: it tells how pools round.
HEIGHT, WIDTH = 32, 49
NARROW = VggArchitecture((4, 5, 6, 7, 8), (1, 2, 1, 1, 1))


@pytest.fixture(scope="module", params=[VGG16, VGG19], ids=["vgg16", "vgg19"])
def both_networks(request):
    """Feature maps of one random batch in Keras, by its names, and here, by ours."""
    random = np.random.default_rng(1)
    architectures: Any = keras.applications
    model = {VGG16: architectures.VGG16, VGG19: architectures.VGG19}[request.param](
        weights=None, include_top=False, input_shape=(HEIGHT, WIDTH, 3)
    )
    modules = {
        layer.keras: layer_table(request.param)[f"conv{layer.paper[4:]}"].torchvision
        for layer in layer_table(request.param).values()
        if layer.paper.startswith("relu")
    }
    tensors, values = {}, []
    for variable in model.trainable_variables:
        layer, kind = variable.path.split("/")
        shape = tuple(variable.shape)
        if kind == "kernel":
            value = random.normal(0.0, np.sqrt(2.0 / np.prod(shape[:3])), shape)
            tensors[f"{modules[layer]}.weight"] = value.astype(np.float32).transpose(3, 2, 0, 1)
        else:
            value = random.normal(0.0, 0.3, shape)
            tensors[f"{modules[layer]}.bias"] = value.astype(np.float32)
        values.append(value.astype(np.float32))

    x = random.normal(0.0, 1.0, (1, HEIGHT, WIDTH, 3)).astype(np.float32)
    outputs = {layer.name: layer.output for layer in model.layers[1:]}
    whole: Any = keras.Model(model.inputs, outputs)
    theirs, _ = jax.jit(partial(whole.stateless_call, training=False))(values, [], [x])
    network = Vgg(tuple(layer_table(request.param)), request.param)
    ours: Any = jax.jit(network.apply)(variables_from_state_dict(tensors, request.param), x)
    return layer_table(request.param), jax.device_get(theirs), jax.device_get(ours)


def test_every_feature_map_agrees_with_keras(both_networks):
    table, theirs, ours = both_networks
    # Keras's names come in Keras's order.
    assert [layer.keras for layer in table.values() if layer.keras] == ["input", *theirs]
    for layer in table.values():
        if layer.keras not in theirs:
            continue
        expected = theirs[layer.keras]
        got = ours[layer.name]
        assert got.shape == expected.shape and got.shape[-1] == layer.channels
        scale = np.abs(expected).max()
        assert 0.5 < scale < 100
        assert np.abs(got - expected).max() < 1e-4 * scale, layer.name


def test_a_convolution_and_its_relu_are_told_apart(both_networks):
    table, _, ours = both_networks
    for name in table:
        if name.startswith("conv"):
            assert ours[name].min() < 0
            np.testing.assert_array_equal(
                np.maximum(ours[name], 0), ours[name.replace("conv", "relu")]
            )


def narrow_variables():
    random = np.random.default_rng(2)
    tensors = {
        key: random.normal(0.0, 0.3, shape).astype(np.float32)
        for key, shape in expected_shapes(NARROW).items()
    }
    return tensors, variables_from_state_dict(tensors, NARROW)


X = np.random.default_rng(3).normal(size=(1, 33, 48, 3)).astype(np.float32)


def test_there_and_back():
    tensors, variables = narrow_variables()
    back = state_dict_from_variables(variables)
    assert back.keys() == tensors.keys()
    for key, tensor in tensors.items():
        np.testing.assert_array_equal(back[key], tensor)


@pytest.mark.parametrize(
    ("layers", "modules"), [(("conv1_1",), {"0"}), (("pool2", "relu1_1"), {"0", "3", "5"})]
)
def test_nothing_past_the_deepest_layer_is_run(layers, modules):
    _, variables = narrow_variables()
    network = Vgg(layers, NARROW)
    assert set(jax.eval_shape(network.init, jax.random.key(0), X)["params"]) == modules
    program = jax.jit(network.apply).lower(variables, X).as_text()
    assert len(re.findall(r"= stablehlo\.convolution", program)) == len(modules)


@pytest.mark.parametrize(("pooling", "reduced"), [("max", np.max), ("average", np.mean)])
def test_pools_are_over_two_by_two_positions(pooling, reduced):
    _, variables = narrow_variables()
    maps: Any = jax.jit(Vgg(("relu1_1", "pool1"), NARROW, pooling).apply)(variables, X)
    fine, coarse = np.asarray(maps["relu1_1"][0]), np.asarray(maps["pool1"][0])
    windows = fine[:32].reshape(16, 2, 24, 2, 4)
    np.testing.assert_allclose(coarse, reduced(windows, axis=(1, 3)), rtol=1e-5, atol=1e-6)


def test_bfloat16_is_near_float32():
    _, variables = narrow_variables()
    whole: Any = jax.jit(Vgg(("relu3_1",), NARROW).apply)(variables, X)
    half: Any = jax.jit(Vgg(("relu3_1",), NARROW, dtype=jnp.bfloat16).apply)(variables, X)
    assert half["relu3_1"].dtype == jnp.bfloat16
    difference = np.abs(whole["relu3_1"] - half["relu3_1"].astype(np.float32)).max()
    assert 0 < difference < 0.05 * np.abs(whole["relu3_1"]).max()
