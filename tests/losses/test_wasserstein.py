"""The Wasserstein distance of normal distributions against NumPy's eigenvalues."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feature_maps import noise

from stylejax.losses.moments import feature_moments
from stylejax.losses.wasserstein import trace_of_root, wasserstein_loss

pytestmark = pytest.mark.usefixtures("strict")


def test_wasserstein_loss_is_the_closed_form():
    one, other = noise((9, 9, 6)) + 1.0, (2.0 * noise((8, 7, 6), seed=1)) ** 2
    found = jax.jit(wasserstein_loss)(*(jax.jit(feature_moments)(each) for each in (one, other)))
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
        loss = lambda x, target: wasserstein_loss(feature_moments(x), feature_moments(target))
        evaluate = jax.jit(jax.value_and_grad(loss))
        value, gradient = evaluate(jnp.asarray(texture), jnp.asarray(texture))
        assert abs(value) < 1e-4 and np.abs(gradient).max() < 1e-3


def test_the_gradient_of_the_trace_of_a_root():
    square = noise((5, 5))
    matrix = square @ square.T + np.eye(5, dtype=np.float32)
    values, vectors = np.linalg.eigh(matrix.astype(np.float64))
    value, gradient = jax.jit(jax.value_and_grad(trace_of_root))(jnp.asarray(matrix))
    np.testing.assert_allclose(value, np.sqrt(values).sum(), rtol=1e-5)
    expected = vectors @ np.diag(0.5 / np.sqrt(values)) @ vectors.T
    np.testing.assert_allclose(gradient, expected, atol=1e-4)
