"""Matches of positions and what is made of them, against naive NumPy forms."""

import feature_maps
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylejax.losses import matching


def noise(shape, seed=0):
    return jnp.asarray(feature_maps.noise(shape, seed))


def unit(x):
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def test_keys_are_centered_and_their_products_are_mean_cosines():
    fine, coarse = noise((4, 6, 5)) + 3.0, noise((2, 3, 7), 1) - 2.0
    keys = np.asarray(matching.position_keys([fine, coarse]))
    larger = np.asarray(matching.enlarged(coarse - coarse.mean(axis=(0, 1)), 4, 6))
    parts = [unit(fine - fine.mean(axis=(0, 1))), unit(larger)]
    cosines = sum(np.einsum("hwc,ijc->hwij", part, part) for part in parts) / 2
    np.testing.assert_allclose(np.einsum("hwc,ijc->hwij", keys, keys), cosines, atol=1e-5)


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
    found = matching.nearest_positions(
        matching.position_keys([even]).reshape(9, 4), matching.position_keys([other]).reshape(9, 4)
    )
    np.testing.assert_array_equal(found.nearest, 0)
    assert np.isfinite(found.similarity).all()


def test_of_a_large_painting_a_sample_is_searched_and_always_the_same():
    np.testing.assert_array_equal(matching.searched_positions(9), np.arange(9))
    most = matching.MOST_POSITIONS
    sample = matching.searched_positions(3 * most)
    assert len(sample) == most and (np.diff(sample) > 0).all() and sample[-1] < 3 * most
    np.testing.assert_array_equal(sample, matching.searched_positions(3 * most))


@given(st.lists(st.integers(0, 11), min_size=8, max_size=8))
def test_use_weights_are_blurred_counts(index):
    counts = np.zeros((3, 4))
    for each in index:
        counts[each // 4, each % 4] += 1
    padded = np.pad(counts, 1, mode="edge")
    blurred = sum(padded[r : r + 3, c : c + 4] for r in range(3) for c in range(3))
    found = matching.use_weights(jnp.asarray(index), jnp.ones(8), 3, 4)
    np.testing.assert_allclose(found, blurred / blurred.sum(), rtol=1e-5)


def test_where_nothing_counts_all_positions_weigh_alike():
    found = matching.use_weights(jnp.arange(6), jnp.zeros(6), 2, 3)
    np.testing.assert_allclose(found, 1 / 6, rtol=1e-6)


@pytest.mark.parametrize("shape", [(8, 10), (2, 3), (4, 5)])
def test_carried_weights_keep_their_sum_and_their_place(shape):
    weights = np.zeros((4, 5), np.float32)
    weights[:, 3:] = 1 / 8
    carried = np.asarray(matching.carried_weights(jnp.asarray(weights), *shape))[..., 0]
    np.testing.assert_allclose(carried.sum(), 1.0, rtol=1e-5)
    assert carried[:, : shape[1] // 3].max() == 0.0 < carried[:, -1].min()


def test_matched_distance_is_1_less_the_cosine_weighed_by_the_directions_lengths():
    features, center = noise((3, 4, 5)), noise(5, 1)
    weights = np.random.default_rng(2).random((3, 4, 1)).astype(np.float32)
    weights[0, 0] = 0.0
    directions = weights * unit(noise((3, 4, 5), 3))
    cosines = np.sum(unit(features - center) * directions, axis=-1)
    found = matching.matched_distance(features, directions, center, jnp.float32(1e-4))
    np.testing.assert_allclose(found, np.sum(weights) - np.sum(cosines), rtol=1e-4)
    # A strip's other rows are 0 in both: they add nothing.
    cut = [jnp.pad(each, [(2, 1), (0, 0), (0, 0)]) for each in (features, directions)]
    found_in_cut = matching.matched_distance(*cut, center, jnp.float32(1e-4))
    np.testing.assert_allclose(found_in_cut, found, rtol=1e-5)


def test_matched_distance_is_smooth_at_the_center_and_where_nothing_is_asked():
    directions = jnp.zeros((2, 2, 3)).at[0, 0, 0].set(1.0)
    center = noise(3)
    at = jnp.broadcast_to(center, (2, 2, 3))
    slope = jax.grad(matching.matched_distance, (0, 1))(at, directions, center, jnp.float32(1e-2))
    assert all(np.isfinite(each).all() for each in slope)
    assert slope[0][0, 0, 0] < 0.0 and (np.asarray(slope[0][1]) == 0.0).all()
