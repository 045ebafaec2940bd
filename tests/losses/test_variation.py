"""Total variation against plain loops in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feature_maps import maps, noise
from hypothesis import given
from jax.test_util import check_grads

from stylejax.losses import variation as losses
from stylejax.losses._named import FAST, PLAIN

# Compiled once for each shape.
total_variation = jax.jit(losses.total_variation)
total_variation_power = jax.jit(losses.total_variation_power)

pytestmark = pytest.mark.usefixtures("strict")


def naive_variation(image, cost):
    """The mean of a cost of the differences to the neighbor below and to the right."""
    image = image.astype(np.float64)
    height, width, channels = image.shape
    costs = []
    for row in range(height - 1):
        for column in range(width - 1):
            for channel in range(channels):
                here = image[row, column, channel]
                below, right = image[row + 1, column, channel], image[row, column + 1, channel]
                costs.append(cost(below - here, right - here))
    return np.mean(costs)


def plain(vertical, horizontal):
    return abs(vertical) + abs(horizontal)


def power(vertical, horizontal):
    return (vertical**2 + horizontal**2) ** 1.25


@pytest.mark.parametrize(
    "variation, cost", [(total_variation, plain), (total_variation_power, power)]
)
class TestTotalVariation:
    @given(pair=maps(1))
    def test_is_the_mean_over_neighbors(self, variation, cost, pair):
        (image,) = (array[:, :, :1].repeat(3, 2) for array in pair)
        expected = naive_variation(image, cost)
        np.testing.assert_allclose(variation(image), expected, rtol=1e-5, atol=1e-30)

    def test_tells_the_channels_apart(self, variation, cost):
        image = noise((5, 4, 3))
        np.testing.assert_allclose(variation(image), naive_variation(image, cost), rtol=1e-5)

    def test_a_constant_picture_has_none_and_derivatives_near_0(self, variation, cost):
        image = jnp.full((4, 5, 3), 0.3, jnp.float32)
        value, gradient = jax.value_and_grad(variation)(image)
        assert value == 0.0
        assert np.array_equal(gradient, np.zeros((4, 5, 3)))
        _, curvature = jax.jvp(jax.grad(variation), (image,), (noise((4, 5, 3)),))
        np.testing.assert_allclose(curvature, 0.0, atol=1e-9)


@pytest.mark.parametrize("shape", [(2, 2, 3), (6, 4, 3)])
def test_sums_are_over_differences_of_values_up_to_255(shape):
    image = noise(shape)
    pairs = (shape[0] - 1) * (shape[1] - 1) * 3
    powers = pairs * naive_variation(255.0 * image.astype(np.float64), power)
    np.testing.assert_allclose(losses.total_variation_power_sum(image), powers, rtol=1e-5)
    half = lambda vertical, horizontal: 0.5 * (vertical**2 + horizontal**2)
    squares = pairs * naive_variation(255.0 * image.astype(np.float64), half)
    np.testing.assert_allclose(losses.total_variation_squared_sum(image), squares, rtol=1e-5)


def test_power_takes_other_exponents():
    image = noise((4, 5, 3))
    squares = naive_variation(image, lambda vertical, horizontal: vertical**2 + horizontal**2)
    np.testing.assert_allclose(total_variation_power(image, 1.0), squares, rtol=1e-5)


@pytest.mark.parametrize("name", ["power", "plain"])
def test_where_a_picture_is_even_neither_form_has_a_gradient(name):
    image = noise((9, 7, 3))
    image[3:7, 2:6] = 0.5
    for forms in (FAST, PLAIN):
        gradient = jax.jit(jax.grad(forms.total_variations[name]))(jnp.asarray(image))
        assert not np.any(gradient[4:6, 3:5]) and np.any(gradient[2:7, 1:6])


def test_gradient_of_the_power():
    image = jnp.asarray(noise((3, 4, 3)))
    modes = ("fwd", "rev")
    check_grads(total_variation_power, (image,), order=1, modes=modes, atol=2e-2, rtol=2e-2)


def test_gradient_of_total_variation():
    # Piecewise linear: away from ties, central differences are exact but for rounding.
    image = np.arange(4 * 5 * 3).reshape(4, 5, 3)
    image = jnp.asarray((image * 37 % 60).astype(np.float32))
    modes = ("fwd", "rev")
    check_grads(total_variation, (image,), order=1, modes=modes, eps=0.1, atol=1e-2, rtol=1e-2)
    assert not np.any(jax.hessian(total_variation)(image))
