"""A network of one's own, and the forms of ours that can be differentiated in every mode."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from problems import picture, random_weights

from stylejax.errors import InputError
from stylejax.networks.features import feature_extractor, folded_variables
from stylejax.networks.kernels import chosen_kernels
from stylejax.networks.layers import (
    DENSENET121,
    VGG19,
    AnyArchitecture,
    Architecture,
    Layer,
    Network,
    VggArchitecture,
    canonical_layer,
    network_layers,
)
from stylejax.types import Variables
from stylejax.weights.names import expected_shapes, variables_from_state_dict
from stylejax.weights.read import read_weights

MEAN, DEVIATION = (np.asarray(x, np.float32) for x in ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7)))


def convolved(x, kernel, step):
    around = ((1, 1), (1, 1))
    names = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (step, step), around, dimension_numbers=names)


def apply(variables, batch, layers):
    """Two convolutions, the second of every second position."""
    fine = jnp.tanh(convolved(batch, variables["fine"], 1))
    maps = {"fine": fine, "coarse": jnp.tanh(convolved(fine, variables["coarse"], 2))}
    return {name: maps[name] for name in layers}


def own_network():
    random = np.random.default_rng(0)
    variables = {
        "fine": random.normal(size=(3, 3, 3, 4)).astype(np.float32),
        "coarse": random.normal(size=(3, 3, 4, 5)).astype(np.float32),
        "preprocessing": {"mean": MEAN, "standard_deviation": DEVIATION},
    }
    return Network({"fine": Layer(4, 1, 3), "coarse": Layer(5, 2, 5)}, apply, variables)


def test_a_network_of_ones_own_sees_the_picture_normalized_and_reflected():
    network, image = own_network(), picture(13, 18)
    extract = feature_extractor(network, ["coarse", "fine"])
    maps = jax.jit(extract)(network.variables, image)
    assert {name: value.shape for name, value in maps.items()} == {
        "coarse": (7, 9, 5),
        "fine": (13, 18, 4),
    }
    # Twice two pixels are as far as the deeper layer sees.
    around = np.pad((image - MEAN) / DEVIATION, ((4, 4), (4, 4), (0, 0)), mode="reflect")
    want = apply(network.variables, around[None], ("coarse", "fine"))
    np.testing.assert_allclose(maps["fine"], want["fine"][0, 4:-4, 4:-4], atol=1e-5)
    np.testing.assert_allclose(maps["coarse"], want["coarse"][0, 2:9, 2:11], atol=1e-5)


def test_a_network_of_ones_own_has_its_own_names():
    network = own_network()
    assert list(network_layers(network)) == ["fine", "coarse"]
    assert canonical_layer("coarse", network) == "coarse"
    with pytest.raises(InputError, match="'corse': did you mean coarse.* there are fine, coarse"):
        feature_extractor(network, ["corse"])
    with pytest.raises(InputError, match="twice"):
        feature_extractor(network, ["fine", "fine"])
    assert folded_variables(network, ["fine"]) is network.variables


@pytest.mark.parametrize("option", [{"pooling": "average"}, {"precision": "bfloat16"}])
def test_a_network_of_ones_own_is_not_silently_taken_for_one_of_ours(option):
    with pytest.raises(InputError, match="Network of one's own"):
        feature_extractor(own_network(), ["fine"], **option)


def test_weights_and_architectures_are_networks_too():
    weights = read_weights(random_weights())
    assert network_layers(weights) == network_layers(weights.architecture)
    assert network_layers() == network_layers(DENSENET121)
    assert canonical_layer("block3_conv1", VGG19) == "relu3_1"
    assert canonical_layer("features.relu0", weights) == "conv1_relu"


def test_layers_alone_are_those_of_an_architecture():
    weights, image = read_weights(random_weights()), picture(20, 24)
    former = feature_extractor(
        ["pool1"], architecture=weights.architecture, epsilon=weights.epsilon
    )
    extract = feature_extractor(weights, ["pool1"])
    maps = [jax.jit(form)(weights.variables, image)["pool1"] for form in (former, extract)]
    np.testing.assert_array_equal(*maps)


def test_unknown_kernels_are_refused():
    with pytest.raises(InputError, match="'quick' is none of plain, fast"):
        chosen_kernels("quick")


class Known(NamedTuple):
    """A network of a known architecture, of random numbers."""

    architecture: AnyArchitecture
    epsilon: float
    variables: Variables


def small_network(architecture):
    random = np.random.default_rng(0)
    shapes = expected_shapes(architecture)
    numbers = {
        key: random.uniform(-1.0, 1.0, shape) * np.prod(shape[1:]) ** -0.5
        for key, shape in shapes.items()
    }
    numbers |= {key: np.square(value) for key, value in numbers.items() if key.endswith("var")}
    variables = dict(variables_from_state_dict(numbers, architecture))
    variables["preprocessing"] = {"mean": MEAN, "standard_deviation": DEVIATION}
    return Known(architecture, 1e-2, variables)


@pytest.fixture(
    params=[
        # A whole dense block, one that is looked into, and all that lies around them.
        (Architecture(4, 2, (2, 1)), ("pool2_pool", "conv3_block1_1_relu", "relu")),
        (VggArchitecture((3, 4), (1, 2)), ("relu1_1", "pool2")),
    ],
    ids=["densenet", "vgg"],
)
def energy(request):
    """The energy of a small network's feature maps, by the kernels asked for."""
    architecture, layers = request.param
    network = small_network(architecture)

    @cache
    def of(kernels):
        extract = feature_extractor(network, layers, kernels=kernels)

        def energy(image):
            maps = extract(network.variables, image)
            return sum(jnp.mean(jnp.square(feature_map)) for feature_map in maps.values())

        return energy

    return of


IMAGE = jnp.asarray(picture(6, 4))
DIRECTION = jnp.asarray(picture(6, 4, seed=7)) - 0.5


def test_plain_kernels_can_be_differentiated_in_every_mode_and_twice(energy):
    @jax.jit
    def derivatives(image, direction):
        plain = energy("plain")
        _, forwards = jax.jvp(plain, (image,), (direction,))
        _, linear = jax.linearize(plain, image)
        hessian = jax.hessian(plain)(image)
        _, forwards_over_reverse = jax.jvp(jax.grad(plain), (image,), (direction,))
        reverse = jnp.vdot(jax.grad(energy(None))(image), direction)
        return reverse, forwards, linear(direction), hessian, forwards_over_reverse

    reverse, forwards, linear, hessian, product = derivatives(IMAGE, DIRECTION)
    assert abs(reverse) > 1e-3
    np.testing.assert_allclose(forwards, reverse, rtol=1e-3)
    np.testing.assert_allclose(linear, forwards, rtol=1e-5)
    square = np.asarray(hessian).reshape(IMAGE.size, IMAGE.size)
    scale = np.abs(square).max()
    assert scale > 1e-4
    np.testing.assert_allclose(square, square.T, rtol=0, atol=1e-4 * scale)
    np.testing.assert_allclose(
        square @ np.ravel(DIRECTION), np.ravel(product), rtol=0, atol=1e-3 * np.abs(product).max()
    )


def test_fast_kernels_are_the_default_and_for_reverse_mode_only(energy):
    for kernels in ("fast", None):
        forwards = jax.jit(
            lambda image, of: jax.jvp(energy(of), (image,), (image,)), static_argnums=1
        )
        with pytest.raises(TypeError, match="forward-mode"):
            forwards.lower(IMAGE, kernels)
