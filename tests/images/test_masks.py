"""Masks on their way to a layer, and what they do to moments."""

import jax.numpy as jnp
import numpy as np
import pytest

from stylejax.errors import InputError
from stylejax.images.masks import Masks, check_masks, layer_mask
from stylejax.losses.moments import feature_moments

LEFT = np.zeros((32, 32), np.float32)
LEFT[:, :16] = 1.0


@pytest.mark.parametrize("receptive_field", [1, 7, 40, 500])
def test_a_layer_mask_sums_to_1_and_stays_inside(receptive_field):
    weights = layer_mask(LEFT, receptive_field, 8, 8)
    assert weights.shape == (8, 8)
    np.testing.assert_allclose(weights.sum(), 1.0, rtol=1e-5)
    assert (weights[:, 4:] == 0).all() and (weights[:, :4] > 0).all()


def test_a_position_counts_less_the_more_it_sees_of_the_outside():
    narrow, wide = layer_mask(LEFT, 1, 8, 8)[0], layer_mask(LEFT, 16, 8, 8)[0]
    assert np.ptp(narrow[:4]) < 1e-7
    # The picture's own border is not the region's.
    np.testing.assert_allclose(wide[0], wide[1], rtol=1e-5)
    assert wide[3] < 0.7 * wide[0]


def test_a_gray_mask_is_no_mask():
    np.testing.assert_allclose(layer_mask(0 * LEFT + 0.5, 9, 4, 4), 1 / 16, rtol=1e-5)


def test_moments_of_a_region_are_those_of_the_region_alone():
    feature_map = np.random.default_rng(0).normal(size=(6, 8, 3)).astype(np.float32)
    weights = np.zeros((6, 8), np.float32)
    weights[:, :5] = 1 / 30
    masked, alone = (
        feature_moments(jnp.asarray(feature_map), jnp.asarray(weights)),
        feature_moments(jnp.asarray(feature_map[:, :5])),
    )
    np.testing.assert_allclose(masked.mean, alone.mean, atol=1e-5)
    np.testing.assert_allclose(masked.gram, alone.gram, atol=1e-5)


@pytest.mark.parametrize(
    "masks, styles, message",
    [
        (Masks((LEFT,)), 2, "--content-mask: 1 masks for 2 style pictures"),
        (Masks((LEFT, LEFT), (LEFT,)), 2, "--style-mask: 1 masks for 2 style pictures"),
        (Masks((LEFT, 0 * LEFT)), 2, "--content-mask 2 is black throughout"),
        (Masks((LEFT,), (0 * LEFT,)), 1, "--style-mask 1 is black throughout"),
    ],
)
def test_masks_that_do_not_fit_are_one_line(masks, styles, message):
    with pytest.raises(InputError, match=message):
        check_masks(masks, styles)
