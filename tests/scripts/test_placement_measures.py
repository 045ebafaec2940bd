import jax.numpy as jnp
import numpy as np
import pytest
from evaluation.placement import (
    BLURS,
    blotch,
    calm_area,
    energy_correlation,
    leak,
    self_similarity_distance,
)


def half_busy(seed=0, busy="left"):
    """Grain on one half of a gray picture, next to none on the other."""
    grain = np.random.default_rng(seed).normal(0.0, 0.1, (64, 96, 1))
    grain[:, 48:] *= 0.05
    grain = grain if busy == "left" else grain[:, ::-1]
    return np.repeat(np.clip(0.5 + grain, 0, 1), 3, axis=-1).astype(np.float32)


def test_calm_areas_are_where_little_happens():
    calm = calm_area(half_busy())
    assert calm.mean() == pytest.approx(0.3, abs=0.01) and not calm[:, :48].any()


@pytest.mark.parametrize("blur", BLURS)
def test_a_picture_that_is_its_own_painting_leaks_nothing(blur):
    photograph = half_busy()
    own = leak(photograph, photograph, photograph, blur)
    assert own.ratio == pytest.approx(1.0) and own.share == pytest.approx(own.of_painting)
    # The painting's grain all over: the calm half is as busy as the rest.
    all_over = leak(half_busy(1) + half_busy(1, "right") - 0.5, photograph, photograph, blur)
    assert all_over.ratio > 50.0 and 0.7 < all_over.share < 1.3 and own.share < 0.1


def test_a_painting_with_a_black_ground_has_no_infinite_leak():
    photograph, painting = half_busy(), half_busy(1)
    painting[:, 40:] = 0.0
    black = leak(half_busy(2, "right"), photograph, painting, 0.7)
    assert np.isfinite(black.ratio) and 0.5 < black.share < 3.0


def test_rank_correlation_asks_where_it_is_busy_not_how_much():
    photograph = half_busy()
    assert energy_correlation(photograph, photograph) == pytest.approx(1.0)
    fainter = 0.5 + 0.3 * (photograph - 0.5)
    assert energy_correlation(fainter, photograph) == pytest.approx(1.0, abs=1e-3)
    assert energy_correlation(half_busy(3), photograph) > 0.6
    assert energy_correlation(half_busy(3, "right"), photograph) < 0.0


def test_another_palette_is_no_blotch_and_a_patch_is_one():
    photograph = half_busy()
    photograph[:, :, 0] *= np.linspace(0.5, 1.0, 96, dtype=np.float32)
    recolored = photograph @ np.array([[0.2, 0.5, 0], [0.3, 0, 0.4], [0, 0.2, 0.5]], np.float32)
    assert blotch(recolored + 0.1, photograph) < 1e-6
    recolored[24:40, 60:90] += 0.3
    assert blotch(recolored, photograph) > 0.03


def test_self_similarity_is_blind_to_a_change_of_channels_not_of_places():
    features = jnp.asarray(np.random.default_rng(0).normal(size=(8, 9, 6)), jnp.float32)
    assert self_similarity_distance(features[..., ::-1] + 3.0, features) < 1e-6
    assert self_similarity_distance(features[::-1], features) > 0.1
