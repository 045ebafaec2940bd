"""The Wasserstein distance of normal distributions against SciPy's roots of matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from feature_maps import noise

from stylejax.losses.moments import Moments, feature_moments
from stylejax.losses.wasserstein import covariance_distance, wasserstein_loss

pytestmark = pytest.mark.usefixtures("strict")

CHANNELS = 256
evaluate = jax.jit(jax.value_and_grad(wasserstein_loss, (0, 1)))


def covariances(moments):
    """In float64, of the very numbers that the loss is given."""
    mean, gram = (np.asarray(each, np.float64) for each in moments)
    return gram - np.outer(mean, mean)


def by_scipy(moments, target):
    """|m - n|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2), over N."""
    ours, theirs = covariances(moments), covariances(target)
    root = np.real(scipy.linalg.sqrtm(ours))
    overlap = np.trace(np.real(scipy.linalg.sqrtm(root @ theirs @ root)))
    means = np.sum((np.asarray(moments.mean, np.float64) - np.asarray(target.mean)) ** 2)
    return (means + np.trace(ours) + np.trace(theirs) - 2.0 * overlap) / len(ours)


def turned(variances, seed):
    """A covariance with these variances along axes of any direction, and a mean of no length."""
    random = np.random.default_rng(seed).normal(size=(len(variances),) * 2)
    axes, _ = np.linalg.qr(random)
    gram = jnp.asarray((axes * variances) @ axes.T, jnp.float32)
    return Moments(jnp.zeros(len(variances)), gram)


def test_wasserstein_loss_is_the_closed_form():
    one, other = noise((9, 9, 6)) + 1.0, (2.0 * noise((8, 7, 6), seed=1)) ** 2
    one, other = (jax.jit(feature_moments)(each) for each in (one, other))
    np.testing.assert_allclose(evaluate(one, other)[0], by_scipy(one, other), rtol=1e-4)


def test_ill_conditioned_covariances_of_many_channels():
    variances = np.geomspace(1.0, 1e-6, CHANNELS)
    one, other = turned(variances, 0), turned(variances, 1)
    opposite, near = turned(variances[::-1], 0), turned(1.1 * variances, 0)
    for target in (other, opposite, near):
        value, gradient = evaluate(one, target)
        np.testing.assert_allclose(value, by_scipy(one, target), rtol=3e-3)
        assert all(np.all(np.isfinite(each)) for each in jax.tree.leaves(gradient))


def test_fewer_positions_than_channels():
    one, other = (feature_moments(jnp.abs(noise((8, 8, CHANNELS), seed))) for seed in (0, 1))
    # Most eigenvalues are 0: SciPy is given what roots need, far below what is looked for.
    shift = 1e-9 * jnp.eye(CHANNELS)
    shifted = [Moments(each.mean, each.gram + shift) for each in (one, other)]
    value, _ = evaluate(one, other)
    np.testing.assert_allclose(value, by_scipy(*shifted), rtol=5e-3)


def test_the_distance_of_a_texture_and_itself_is_0():
    feature_map = noise((9, 9, CHANNELS))
    feature_map[..., 100:] = 0.0
    for texture in (feature_map, np.zeros_like(feature_map), np.full_like(feature_map, 0.7)):
        moments = feature_moments(jnp.asarray(texture))
        value, gradient = evaluate(moments, moments)
        apart, _ = evaluate(feature_moments(jnp.asarray(noise((9, 9, CHANNELS), 1))), moments)
        assert value < 1e-6 * apart
        assert np.abs(gradient[0].gram).max() < 1e-4


def test_the_gradient_is_that_of_differences_in_both_arguments():
    one, other = (
        feature_moments(jnp.asarray(noise((9, 9, 6), seed)) + 0.3 * seed) for seed in (0, 1)
    )
    along = [Moments(*(jnp.asarray(noise(x.shape, 2)) for x in each)) for each in (one, other)]
    along = [Moments(each.mean, each.gram + each.gram.T) for each in along]

    def at(step):
        move = lambda x, by: jax.tree.map(lambda a, b: a + step * b, x, by)
        return by_scipy(move(one, along[0]), move(other, along[1]))

    expected = (at(0.005) - at(-0.005)) / 0.01
    _, gradient = evaluate(one, other)
    slope = sum(jax.tree.leaves(jax.tree.map(jnp.vdot, gradient, tuple(along))))
    np.testing.assert_allclose(slope, expected, rtol=3e-3)


def test_covariances_that_are_rounding_alone_and_many_at_once():
    """Of one color: every sign, and of the size that rounding leaves of a mean's square."""
    mean = np.abs(noise((3,)))
    rounding = 1.0 + 3e-5 * np.sign(noise((3, 3), seed=1))
    gram = np.outer(mean, mean) * (rounding + rounding.T) / 2.0
    flat = Moments(jnp.asarray(mean), jnp.asarray(gram))
    assert np.linalg.eigvalsh(covariances(flat)).min() < 0.0
    lively = feature_moments(jnp.asarray(noise((9, 9, 3))))
    ours = jax.tree.map(lambda *each: jnp.stack(each), flat, flat, lively, lively)
    theirs = jax.tree.map(lambda *each: jnp.stack(each), flat, lively, flat, lively)
    values, gradients = jax.device_get(jax.jit(jax.vmap(evaluate))(ours, theirs))
    for each in jax.tree.leaves((values, gradients)):
        assert np.all(np.isfinite(each))
    np.testing.assert_allclose(values[1], values[2], rtol=1e-3)
    np.testing.assert_allclose(values[[0, 3]], 0.0, atol=1e-4 * float(values[1]))
    assert values[1] > 0.1


def test_a_covariance_that_rounding_left_indefinite_is_borne():
    # As of a picture of one color: what is left of its channels' covariance is rounding alone.
    randomness = np.random.default_rng(0)
    noise = randomness.normal(size=(64, 64)).astype(np.float32) * 2e-6
    blank, rich = noise + noise.T, np.diag(np.geomspace(4.0, 1e-4, 64)).astype(np.float32)
    distance = jax.value_and_grad(covariance_distance, argnums=(0, 1))
    value, slopes = distance(jnp.asarray(rich), jnp.asarray(blank), jnp.asarray(3e-7))
    np.testing.assert_allclose(value, np.trace(rich), rtol=0.05)
    assert all(np.all(np.isfinite(slope)) for slope in slopes)
