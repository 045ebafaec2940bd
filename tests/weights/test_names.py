import math
import re

import jax
import numpy as np
import pytest

from stylejax.errors import InputError
from stylejax.networks.layers import Architecture
from stylejax.weights.names import (
    expected_shapes,
    state_dict_from_variables,
    variables_from_state_dict,
)

SMALL = Architecture(stem_channels=6, growth_rate=2, block_sizes=(2, 1, 1, 1))


def tensors():
    """A state dict in which no two numbers are equal; all fit into float32 exactly."""
    shapes = expected_shapes(SMALL)
    sizes = [math.prod(shape) for shape in shapes.values()]
    numbers = np.split(np.arange(1.0, sum(sizes) + 1, dtype=np.float32), np.cumsum(sizes)[:-1])
    return {
        key: part.reshape(shape) for (key, shape), part in zip(shapes.items(), numbers, strict=True)
    }


def assert_equal(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_size_of_densenet121():
    shapes = expected_shapes()
    # With the classifier (1000 x 1024 weights and 1000 biases) 606 tensors, 8,062,504 floats.
    assert len(shapes) == 604
    assert sum(math.prod(shape) for shape in shapes.values()) == 8_062_504 - 1000 * 1025


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("features.conv0.weight", (64, 3, 7, 7)),
        ("features.norm0.running_var", (64,)),
        ("features.denseblock1.denselayer1.norm1.weight", (64,)),
        ("features.denseblock1.denselayer6.conv1.weight", (128, 224, 1, 1)),
        ("features.denseblock2.denselayer1.conv1.weight", (128, 128, 1, 1)),
        ("features.denseblock4.denselayer16.norm2.bias", (128,)),
        ("features.denseblock4.denselayer16.conv2.weight", (32, 128, 3, 3)),
        ("features.transition1.norm.running_mean", (256,)),
        ("features.transition3.conv.weight", (512, 1024, 1, 1)),
        ("features.norm5.bias", (1024,)),
    ],
)
def test_shapes_of_densenet121(key, shape):
    assert expected_shapes()[key] == shape


def test_there_and_back():
    given = tensors()
    variables = variables_from_state_dict(given, SMALL)
    assert_equal(state_dict_from_variables(variables), given)
    assert_equal(variables_from_state_dict(state_dict_from_variables(variables), SMALL), variables)


@pytest.mark.parametrize(
    ("module", "element", "lands_at"),
    [
        ("conv0", (5, 1, 6, 2), (6, 2, 1, 5)),
        ("denseblock1.denselayer2.conv2", (1, 7, 2, 0), (2, 0, 7, 1)),
        ("denseblock1.denselayer2.conv1", (3, 5, 0, 0), (5, 3)),
        ("transition1.conv", (4, 8, 0, 0), (8, 4)),
    ],
)
def test_a_kernels_element_lands_where_it_should(module, element, lands_at):
    given = tensors()
    kernel = variables_from_state_dict(given, SMALL)["params"][module]["kernel"]
    assert kernel[lands_at] == given[f"features.{module}.weight"][element]
    assert kernel.dtype == np.float32


def test_norms_entries_land_where_they_should():
    given = tensors()
    variables = variables_from_state_dict(given, SMALL)
    for module in ("norm0", "denseblock1.denselayer1.norm2", "transition2.norm", "norm5"):
        entries = [
            variables["params"][module]["scale"],
            variables["params"][module]["bias"],
            variables["batch_stats"][module]["mean"],
            variables["batch_stats"][module]["var"],
        ]
        expected = ("weight", "bias", "running_mean", "running_var")
        for entry, name in zip(entries, expected, strict=True):
            np.testing.assert_array_equal(entry, given[f"features.{module}.{name}"])


def old_spelling(key):
    return re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", key)


def test_what_published_files_hold_beside_the_features_is_accepted():
    given = tensors()
    published = {old_spelling(key): value for key, value in given.items()}
    assert "features.denseblock1.denselayer2.norm.1.weight" in published
    assert "features.denseblock1.denselayer2.conv.2.weight" in published
    counters = {
        key.replace("running_mean", "num_batches_tracked"): np.array(7, np.int64)
        for key in [*published, *given]
        if key.endswith("running_mean")
    }
    classifier = {
        "classifier.weight": np.zeros((1000, 3), np.float32),
        "classifier.bias": np.zeros(1000, np.float32),
    }
    got = variables_from_state_dict(published | counters | classifier, SMALL)
    assert_equal(got, variables_from_state_dict(given, SMALL))


KERNELS = ("features.denseblock1.denselayer1.conv1.weight", "features.transition3.conv.weight")
VARIANCES = ("features.norm0.running_var", "features.norm5.running_var")


def ending_in(number):
    return lambda tensor: np.append(tensor.flat[:-1], number).reshape(tensor.shape)


@pytest.mark.parametrize(
    ("change", "keys", "fault"),
    [
        (None, KERNELS, "missing"),
        (None, VARIANCES, "missing"),
        (lambda tensor: tensor[:-1], KERNELS, "shape"),
        (lambda tensor: tensor.swapaxes(0, 1), KERNELS, "shape"),
        (lambda tensor: tensor[..., 0, 0], KERNELS, "shape"),
        (ending_in(np.nan), KERNELS, "not finite"),
        (ending_in(np.inf), VARIANCES, "not finite"),
        (ending_in(1e300), KERNELS, "not finite"),
        (ending_in(-1e-6), VARIANCES, "negative variance"),
    ],
)
def test_the_first_key_at_fault_is_named(change, keys, fault):
    given = tensors()
    for key in reversed(keys):
        tensor = given.pop(key)
        if change is not None:
            given[key] = change(tensor)
    with pytest.raises(InputError) as error:
        variables_from_state_dict(given, SMALL)
    message = str(error.value)
    assert f"key {keys[0]!r}" in message and fault in message and "\n" not in message


@pytest.mark.parametrize(
    "key", ["features.10.weight", "features.norm0.gamma", "features.denseblock1.denselayer3.norm1"]
)
def test_an_unknown_key_is_named(key):
    with pytest.raises(InputError, match=f"unknown key '{key}'"):
        variables_from_state_dict(tensors() | {key: np.zeros(3, np.float32)}, SMALL)


def test_negative_numbers_elsewhere_are_no_fault():
    given = {
        key: value if key.endswith("running_var") else -value for key, value in tensors().items()
    }
    assert_equal(state_dict_from_variables(variables_from_state_dict(given, SMALL)), given)
