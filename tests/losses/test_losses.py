"""The loss terms against plain loops in float64."""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from jax.test_util import check_grads

from stylejax.losses import terms as losses
from stylejax.options import LossForm, StyleLoss, TotalVariationForm

# Compiled once for each shape.
content_loss = jax.jit(losses.content_loss)
content_spread = jax.jit(losses.content_spread)
gram_matrix = jax.jit(losses.gram_matrix)
style_loss = jax.jit(losses.style_loss)
total_variation = jax.jit(losses.total_variation)
total_variation_power = jax.jit(losses.total_variation_power)

pytestmark = pytest.mark.usefixtures("strict")

SHAPES = [(2, 2, 1), (3, 5, 4), (6, 4, 7)]
VALUES = st.floats(-100, 100, width=32)


def maps(count):
    """As many feature maps of one shape, of any values."""
    return st.sampled_from(SHAPES).flatmap(
        lambda shape: st.tuples(*[arrays(np.float32, shape, elements=VALUES)] * count)
    )


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def naive_gram(feature_map):
    """Equation 3 over M: G_ij = sum_k F_ik F_jk / M, k over positions."""
    height, width, channels = feature_map.shape
    flat = feature_map.astype(np.float64).reshape(-1, channels)
    return np.einsum("ki,kj->ij", flat, flat) / (height * width)


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


@given(maps(2))
def test_content_loss_is_equation_1(pair):
    f, p = pair
    expected = 0.0
    for x, y in zip(f.astype(np.float64).flat, p.astype(np.float64).flat, strict=True):
        expected += 0.5 * (x - y) ** 2
    np.testing.assert_allclose(content_loss(f, p), expected, rtol=1e-5, atol=1e-30)
    assert content_loss(f, f) == 0.0


@given(maps(1))
def test_content_spread_is_half_the_variance_times_the_positions(pair):
    (target,) = pair
    height, width, channels = target.shape
    wide = target.astype(np.float64)
    expected = sum(0.5 * height * width * np.var(wide[..., c]) for c in range(channels))
    # The mean is rounded to float32 in between.
    slack = 1e-12 * np.sum(np.square(wide)) + 1e-30
    np.testing.assert_allclose(content_spread(target), expected, rtol=1e-4, atol=slack)


@given(maps(1))
def test_gram_matrix_is_equation_3_over_positions(pair):
    (feature_map,) = pair
    gram = np.asarray(gram_matrix(feature_map))
    # Sums of products cancel: the error is relative to the sum of their magnitudes.
    slack = 1e-6 * naive_gram(np.abs(feature_map)).max() + 1e-30
    np.testing.assert_allclose(gram, naive_gram(feature_map), rtol=1e-5, atol=slack)
    np.testing.assert_allclose(gram, gram.T, rtol=1e-6, atol=slack)
    assert np.linalg.eigvalsh(gram.astype(np.float64)).min() >= -10 * slack


@pytest.mark.parametrize("shape", SHAPES)
def test_gram_matrix_ignores_order_and_size(shape):
    feature_map = noise(shape)
    expected = naive_gram(feature_map)
    shuffled = np.random.default_rng(1).permutation(feature_map.reshape(-1, shape[2]))
    tiled = np.tile(feature_map, (2, 2, 1))
    for other in (shuffled.reshape(shape), tiled):
        np.testing.assert_allclose(gram_matrix(other), expected, rtol=1e-5, atol=1e-6)


@given(maps(2))
def test_style_loss_is_equation_4(pair):
    f, p = (feature_map.astype(np.float64) for feature_map in pair)
    height, width, n = f.shape
    m = height * width
    f, p = f.reshape(m, n), p.reshape(m, n)
    expected = np.sum((f.T @ f - p.T @ p) ** 2) / (4.0 * n**2 * m**2)
    grams = [gram_matrix(feature_map) for feature_map in pair]
    # Grams nearly alike: their float32 rounding is squared.
    slack = 1e-12 * max(float(np.square(gram).sum()) for gram in grams) + 1e-30
    np.testing.assert_allclose(style_loss(*grams), expected, rtol=1e-3, atol=slack)
    assert style_loss(grams[0], grams[0]) == 0.0


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

    def test_a_constant_picture_has_none_and_a_finite_gradient(self, variation, cost):
        value, gradient = jax.value_and_grad(variation)(jnp.full((4, 5, 3), 0.3, jnp.float32))
        assert value == 0.0
        assert np.array_equal(gradient, np.zeros((4, 5, 3)))


@pytest.mark.parametrize("shape", [(2, 2, 3), (6, 4, 3)])
def test_sums_are_over_differences_of_values_up_to_255(shape):
    image = noise(shape)
    pairs = (shape[0] - 1) * (shape[1] - 1) * 3
    powers = pairs * naive_variation(255.0 * image.astype(np.float64), power)
    np.testing.assert_allclose(losses.total_variation_power_sum(image), powers, rtol=1e-5)
    half = lambda vertical, horizontal: 0.5 * (vertical**2 + horizontal**2)
    squares = pairs * naive_variation(255.0 * image.astype(np.float64), half)
    np.testing.assert_allclose(losses.total_variation_squared_sum(image), squares, rtol=1e-5)


def test_the_tables_name_every_form():
    assert set(losses.FORMS) == set(get_args(LossForm))
    assert set(losses.TOTAL_VARIATIONS) == set(get_args(TotalVariationForm))


def test_power_takes_other_exponents():
    image = noise((4, 5, 3))
    squares = naive_variation(image, lambda vertical, horizontal: vertical**2 + horizontal**2)
    np.testing.assert_allclose(total_variation_power(image, 1.0), squares, rtol=1e-5)


def moments_of(*maps):
    return [jax.jit(losses.feature_moments)(feature_map) for feature_map in maps]


def test_covariance_is_numpys():
    feature_map = noise((5, 6, 4)) + 3.0
    (moments,) = moments_of(feature_map)
    np.testing.assert_allclose(moments.mean, feature_map.mean((0, 1)), rtol=1e-5)
    expected = np.cov(feature_map.reshape(-1, 4).astype(np.float64), rowvar=False, bias=True)
    np.testing.assert_allclose(losses.covariance(moments), expected, atol=2e-5)


def test_covariance_losses_pull_mean_and_covariance_apart():
    one, other = noise((5, 6, 4)), noise((7, 3, 4), seed=1)
    shifted = one + np.asarray([1.0, 0.0, 2.0, 0.0], np.float32)
    spread, means = losses.covariance_losses(*moments_of(one, shifted))
    assert spread < 1e-10 and means > 0.01
    centered = [each - each.mean((0, 1)) for each in (one, other)]
    spread, means = losses.covariance_losses(*moments_of(*centered))
    assert spread > 0.01 and means < 1e-10
    # Without a mean the covariance is the Gram matrix.
    np.testing.assert_allclose(spread, style_loss(*map(gram_matrix, centered)), rtol=1e-4)


def test_wasserstein_loss_is_the_closed_form():
    one, other = noise((9, 9, 6)) + 1.0, (2.0 * noise((8, 7, 6), seed=1)) ** 2
    found = losses.wasserstein_loss(*moments_of(one, other))
    flat = [each.reshape(-1, 6).astype(np.float64) for each in (one, other)]
    ours, theirs = (np.cov(each, rowvar=False, bias=True) for each in flat)
    floor = 1e-4 * np.trace(theirs) / 6 * np.eye(6)
    ours, theirs = ours + floor, theirs + floor
    # The product has the eigenvalues of the symmetric one.
    overlap = np.sqrt(np.linalg.eigvals(ours @ theirs).real).sum()
    means = ((flat[0].mean(0) - flat[1].mean(0)) ** 2).sum()
    expected = (means + np.trace(ours) + np.trace(theirs) - 2.0 * overlap) / 6
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_wasserstein_loss_of_a_texture_and_itself_is_0_dead_channels_or_not():
    feature_map = noise((9, 9, 6))
    feature_map[..., 2:] = 0.0
    for texture in (feature_map, np.zeros_like(feature_map)):
        value, gradient = jax.value_and_grad(
            lambda each, target: losses.wasserstein_loss(
                losses.feature_moments(each), losses.feature_moments(target)
            )
        )(jnp.asarray(texture), jnp.asarray(texture))
        assert abs(value) < 1e-4 and np.abs(gradient).max() < 1e-3


def test_the_gradient_of_the_trace_of_a_root():
    square = noise((5, 5))
    matrix = square @ square.T + np.eye(5, dtype=np.float32)
    values, vectors = np.linalg.eigh(matrix.astype(np.float64))
    value, gradient = jax.value_and_grad(losses.trace_of_root)(jnp.asarray(matrix))
    np.testing.assert_allclose(value, np.sqrt(values).sum(), rtol=1e-5)
    expected = vectors @ np.diag(0.5 / np.sqrt(values)) @ vectors.T
    np.testing.assert_allclose(gradient, expected, atol=1e-4)


def test_moments_of_two_pictures_mix_into_those_of_both():
    one, other = noise((6, 4, 3)), noise((6, 4, 3), seed=1) + 2.0
    mixed = jax.tree.map(lambda a, b: (a + b) / 2.0, *moments_of(one, other))
    (both,) = moments_of(np.concatenate([one, other]))
    jax.tree.map(lambda *pair: np.testing.assert_allclose(*pair, rtol=1e-4, atol=1e-5), mixed, both)


def test_there_is_a_table_entry_for_every_style_loss():
    assert set(losses.STYLE_LOSSES) == set(get_args(StyleLoss))


@pytest.mark.parametrize(
    "function, shapes",
    [
        (content_loss, [(3, 4, 2)] * 2),
        (content_spread, [(3, 4, 2)]),
        (gram_matrix, [(3, 4, 2)]),
        (style_loss, [(4, 4)] * 2),
        (total_variation_power, [(3, 4, 3)]),
    ],
)
def test_gradients_where_smooth(function, shapes):
    arguments = tuple(jnp.asarray(noise(shape, seed)) for seed, shape in enumerate(shapes))
    check_grads(function, arguments, order=1, modes=("rev",), atol=2e-2, rtol=2e-2)


def test_gradient_of_total_variation():
    # Piecewise linear: away from ties, central differences are exact but for rounding.
    image = np.arange(4 * 5 * 3).reshape(4, 5, 3)
    image = jnp.asarray((image * 37 % 60).astype(np.float32))
    check_grads(total_variation, (image,), order=1, modes=("rev",), eps=0.1, atol=1e-2, rtol=1e-2)
