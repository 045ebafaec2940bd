"""Moments of feature maps, and what compares them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feature_maps import noise

from stylejax.losses import gram
from stylejax.losses import moments as losses

pytestmark = pytest.mark.usefixtures("strict")


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
    np.testing.assert_allclose(
        spread, gram.style_loss(*map(jax.jit(gram.gram_matrix), centered)), rtol=1e-4
    )


def test_moments_of_two_pictures_mix_into_those_of_both():
    one, other = noise((6, 4, 3)), noise((6, 4, 3), seed=1) + 2.0
    mixed = jax.tree.map(lambda a, b: (a + b) / 2.0, *moments_of(one, other))
    (both,) = moments_of(np.concatenate([one, other]))
    jax.tree.map(lambda *pair: np.testing.assert_allclose(*pair, rtol=1e-4, atol=1e-5), mixed, both)


def test_moments_of_regions_and_of_parts_add_up_to_those_of_the_whole():
    features = {"a": jnp.asarray(noise((6, 4, 3))), "b": jnp.asarray(noise((3, 2, 2), seed=1))}
    layer_moments = losses.layer_moments
    whole = layer_moments(features, {}, {"a": 1.0, "b": 1.0})
    parts = [
        layer_moments(
            {"a": features["a"][rows], "b": features["b"][half]},
            {},
            {"a": share, "b": share},
        )
        for rows, half, share in [
            (slice(0, 2), slice(0, 1), 1 / 3),
            (slice(2, 6), slice(1, 3), 2 / 3),
        ]
    ]
    added = jax.tree.map(lambda *each: sum(each), *parts)
    even = {
        name: jnp.full((*features[name].shape[:2], 2), 1 / size, jnp.float32)
        for name, size in (("a", 24), ("b", 6))
    }
    regions = layer_moments(features, even, {})
    for name in features:
        for got, want, both in zip(added[name], whole[name], regions[name], strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(both, np.stack([want, want]), rtol=1e-5, atol=1e-6)
