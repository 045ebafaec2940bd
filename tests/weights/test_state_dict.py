import re

import jax
import numpy as np
import pytest
from containers import random_state_dict
from jax import lax
from references import old_spelling

from stylejax.errors import InputError
from stylejax.weights.formats.state_dict import standard_state_dict, vgg_shapes

VGG16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
VGG19 = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)


def assert_same(tensors, expected):
    assert tensors.keys() == expected.keys()
    for key, value in expected.items():
        assert tensors[key].dtype == np.float32
        np.testing.assert_array_equal(tensors[key], value)


@pytest.mark.parametrize(("network", "indices"), [("vgg16", VGG16), ("vgg19", VGG19)])
def test_vgg_has_torchvisions_indices(network, indices):
    shapes = vgg_shapes(network)
    assert [key for key in shapes if key.endswith("weight")] == [
        f"features.{index}.weight" for index in indices
    ]
    assert shapes["features.0.weight"] == (64, 3, 3, 3)
    assert shapes[f"features.{indices[-1]}.weight"] == (512, 512, 3, 3)
    # Table 2 of the paper, less the three fully connected layers.
    parameters = sum(int(np.prod(shape)) for shape in shapes.values())
    assert parameters == {"vgg16": 14_714_688, "vgg19": 20_024_384}[network]


def test_batch_norms_count_among_torchvisions_modules():
    shapes = vgg_shapes("vgg16", batch_norm=True)
    kernels = [key for key, shape in shapes.items() if len(shape) == 4]
    indices = (0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40)
    assert kernels == [f"features.{index}.weight" for index in indices]
    assert shapes["features.41.running_var"] == (512,)


@pytest.mark.parametrize("network", ["vgg16", "vgg19"])
def test_classifiers_of_torchvision_and_timm_are_dropped(network):
    state = random_state_dict(network)
    torchvisions = {
        f"classifier.{index}.{entry}": np.zeros(3, np.float32)
        for index in (0, 3, 6)
        for entry in ("weight", "bias")
    }
    timms = {
        "pre_logits.fc1.weight": np.zeros((8, 2, 7, 7), np.float32),
        "pre_logits.fc1.bias": np.zeros(8, np.float32),
        "pre_logits.fc2.weight": np.zeros((8, 8, 1, 1), np.float32),
        "pre_logits.fc2.bias": np.zeros(8, np.float32),
        "head.fc.weight": np.zeros((10, 8), np.float32),
        "head.fc.bias": np.full(10, np.nan, np.float32),
    }
    for extra in ({}, torchvisions, timms):
        got, tensors = standard_state_dict(state | extra)
        assert got == network
        assert_same(tensors, state)


def test_both_spellings_of_densenet():
    state = random_state_dict()
    for spelling in (state, old_spelling(state)):
        network, tensors = standard_state_dict(spelling)
        assert network == "densenet121"
        assert_same(tensors, state)


def convolved(x, kernel, bias):
    names = ("NCHW", "OIHW", "NCHW")
    x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=names)
    return x + bias[:, None, None]


@pytest.mark.parametrize(("network", "indices"), [("vgg16", VGG16), ("vgg19", VGG19)])
def test_batch_norm_is_folded_into_the_convolution_before_it(network, indices):
    state = random_state_dict(network, batch_norm=True)
    kernels = [key for key, value in state.items() if value.ndim == 4]
    assert len(state) == 6 * len(indices)
    counters = {"features.1.num_batches_tracked": np.array(3, np.int64)}
    got, folded = standard_state_dict(state | counters)
    assert got == network
    assert folded.keys() == vgg_shapes(network).keys()
    random = np.random.default_rng(0)
    for key, index in zip(kernels, indices, strict=True):
        conv = key.removesuffix(".weight")
        norm = f"features.{int(conv.split('.')[1]) + 1}"
        x = random.normal(size=(1, state[key].shape[1], 5, 6)).astype(np.float32)
        y = convolved(x, state[key], state[f"{conv}.bias"])
        mean, variance, scale, shift = (
            state[f"{norm}.{entry}"][:, None, None]
            for entry in ("running_mean", "running_var", "weight", "bias")
        )
        expected = (y - mean) / np.sqrt(variance + 1e-5) * scale + shift
        plain = convolved(x, folded[f"features.{index}.weight"], folded[f"features.{index}.bias"])
        difference = np.abs(jax.device_get(plain - expected)).max()
        assert difference < 1e-5 * np.abs(expected).max(), key


@pytest.mark.parametrize("network", ["densenet121", "vgg16", "vgg19"])
def test_what_is_missing_or_too_much_is_named(network):
    state = random_state_dict(network)
    last = list(state)[-1]
    title = {"densenet121": "DenseNet-121", "vgg16": "VGG-16", "vgg19": "VGG-19"}[network]
    cases = {
        f"key {last!r} is missing: not a whole {title}": {
            key: value for key, value in state.items() if key != last
        },
        f"unknown key 'fc.weight': not a {title}": state | {"fc.weight": state[last]},
        f"key {last!r} has shape": state | {last: state[last][:-1]},
        f"key {last!r} holds numbers that are not finite": state | {last: state[last] + np.inf},
    }
    for message, tensors in cases.items():
        with pytest.raises(InputError, match=re.escape(message)):
            standard_state_dict(tensors)


def test_other_networks_are_refused():
    for tensors in ({}, {"conv1.weight": np.zeros((64, 3, 7, 7), np.float32)}):
        with pytest.raises(InputError, match="neither a DenseNet-121 nor a VGG"):
            standard_state_dict(tensors)
