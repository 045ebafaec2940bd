"""Matches of positions and what is made of them, against naive NumPy forms."""

import feature_maps
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylejax.losses import matching


def noise(shape, seed=0):
    return jnp.asarray(feature_maps.noise(shape, seed))


def unit(x):
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def test_products_of_keys_are_means_of_cosines_of_centered_features():
    fine, coarse = noise((4, 6, 5)) + 3.0, noise((2, 3, 7), 1) - 2.0
    keys = np.asarray(matching.position_keys([fine, coarse]))
    larger = matching.enlarged(coarse - coarse.mean(axis=(0, 1)), 4, 6)
    fine_part, coarse_part = (
        np.einsum("hwc,ijc->hwij", part, part)
        for part in (unit(fine - fine.mean(axis=(0, 1))), unit(larger))
    )
    expected = 0.5 * (fine_part + coarse_part)
    np.testing.assert_allclose(np.einsum("hwc,ijc->hwij", keys, keys), expected, atol=1e-5)


@pytest.mark.parametrize("queries", [1, 7, 1024, 1500])
@pytest.mark.parametrize("bonus", [None, 0.5])
def test_each_query_gets_the_key_with_the_largest_product(queries, bonus):
    asked, keys = unit(noise((queries, 6))), unit(noise((40, 6), 1))
    bonus = None if bonus is None else bonus * noise(40, 2)
    found = matching.nearest_positions(asked, keys, bonus)
    products = asked @ keys.T + (0.0 if bonus is None else bonus)
    np.testing.assert_array_equal(found.nearest, products.argmax(axis=1))
    np.testing.assert_allclose(found.similarity, products.max(axis=1), rtol=1e-5)


def test_of_equal_keys_the_first_is_matched_in_every_block():
    keys = jnp.tile(unit(noise((3, 4))), (5, 1))
    found = matching.nearest_positions(jnp.tile(keys, (200, 1)), keys)
    np.testing.assert_array_equal(found.nearest, np.tile(np.arange(3), 5 * 200))


def test_an_even_picture_has_keys_and_matches_too():
    even, other = jnp.ones((3, 3, 4)), noise((3, 3, 4))
    keys = [matching.position_keys([each]) for each in (even, other)]
    found = matching.nearest_positions(*(each.reshape(9, -1) for each in keys))
    # All alike: every position has the same match.
    assert len(np.unique(found.nearest)) == 1 and np.isfinite(found.similarity).all()


def test_of_a_large_painting_a_sample_is_searched_and_always_the_same():
    np.testing.assert_array_equal(matching.searched_positions(9), np.arange(9))
    most = matching.MOST_POSITIONS
    sample = matching.searched_positions(3 * most)
    assert len(sample) == most and (np.diff(sample) > 0).all() and sample[-1] < 3 * most
    np.testing.assert_array_equal(sample, matching.searched_positions(3 * most))


def test_matched_distance_is_1_less_the_cosine_weighed_by_the_directions_lengths():
    features, center = noise((3, 4, 5)), noise(5, 1)
    weights = np.random.default_rng(2).random((3, 4, 1)).astype(np.float32)
    weights[0, 0] = 0.0
    directions = weights * unit(noise((3, 4, 5), 3))
    cosines = np.sum(unit(features - center) * directions, axis=-1)
    found = matching.matched_distance(features, directions, center, jnp.float32(1e-4))
    np.testing.assert_allclose(found, np.sum(weights) - np.sum(cosines), rtol=1e-4)
    # A strip's other rows are 0 in both: they add nothing.
    cut, asked = (jnp.pad(each, [(2, 1), (0, 0), (0, 0)]) for each in (features, directions))
    found_in_cut = matching.matched_distance(cut, asked, center, jnp.float32(1e-4))
    np.testing.assert_allclose(found_in_cut, found, rtol=1e-5)


def test_matched_distance_is_smooth_at_the_center_and_where_nothing_is_asked():
    directions = jnp.zeros((2, 2, 3)).at[0, 0, 0].set(1.0)
    center = noise(3)
    at = jnp.broadcast_to(center, (2, 2, 3))
    slope = jax.grad(matching.matched_distance, (0, 1))(at, directions, center, jnp.float32(1e-2))
    assert all(np.isfinite(each).all() for each in slope)
    assert slope[0][0, 0, 0] < 0.0 and (np.asarray(slope[0][1]) == 0.0).all()
