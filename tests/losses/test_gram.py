"""Gram matrices and their distance against plain loops in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feature_maps import SHAPES, maps, noise
from hypothesis import given
from jax.test_util import check_grads

from stylejax.losses import gram

# Compiled once for each shape.
gram_matrix = jax.jit(gram.gram_matrix)
style_loss = jax.jit(gram.style_loss)

pytestmark = pytest.mark.usefixtures("strict")


def naive_gram(feature_map):
    """Equation 3 over M: G_ij = sum_k F_ik F_jk / M, k over positions."""
    height, width, channels = feature_map.shape
    flat = feature_map.astype(np.float64).reshape(-1, channels)
    return np.einsum("ki,kj->ij", flat, flat) / (height * width)


@given(maps(1))
def test_gram_matrix_is_equation_3_over_positions(pair):
    (feature_map,) = pair
    found = np.asarray(gram_matrix(feature_map))
    # Sums of products cancel: the error is relative to the sum of their magnitudes.
    slack = 1e-6 * naive_gram(np.abs(feature_map)).max() + 1e-30
    np.testing.assert_allclose(found, naive_gram(feature_map), rtol=1e-5, atol=slack)
    np.testing.assert_allclose(found, found.T, rtol=1e-6, atol=slack)
    assert np.linalg.eigvalsh(found.astype(np.float64)).min() >= -10 * slack


@pytest.mark.parametrize("shape", SHAPES)
def test_gram_matrix_ignores_order_and_size(shape):
    feature_map = noise(shape)
    expected = naive_gram(feature_map)
    shuffled = np.random.default_rng(1).permutation(feature_map.reshape(-1, shape[2]))
    tiled = np.tile(feature_map, (2, 2, 1))
    for other in (shuffled.reshape(shape), tiled):
        np.testing.assert_allclose(gram_matrix(other), expected, rtol=1e-5, atol=1e-6)


def test_weights_of_positions_count_them():
    feature_map = noise((3, 4, 5))
    twice = np.concatenate([feature_map, feature_map[:1]])
    weights = np.full((3, 4), 1 / 16, np.float32)
    weights[0] *= 2.0
    np.testing.assert_allclose(gram_matrix(feature_map, weights), naive_gram(twice), atol=1e-6)


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
    "function, shapes", [(gram_matrix, [(3, 4, 2)]), (style_loss, [(4, 4)] * 2)]
)
def test_gradients(function, shapes):
    arguments = tuple(jnp.asarray(noise(shape, seed)) for seed, shape in enumerate(shapes))
    check_grads(function, arguments, order=1, modes=("fwd", "rev"), atol=2e-2, rtol=2e-2)
