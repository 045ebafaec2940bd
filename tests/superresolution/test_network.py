"""The networks that enlarge."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import picture
from small_enlargers import SMALL, make_parameters

from stylejax.superresolution import Enlarger, bicubic, enlarge, enlarge_picture, init_parameters


@pytest.mark.parametrize("factor", [4, 8])
def test_it_begins_as_bicubic_interpolation(factor):
    small, enlarger = picture(20, 17), SMALL._replace(factor=factor)
    made = np.asarray(enlarge(enlarger, init_parameters(enlarger, jax.random.key(3)), small, 0.7))
    assert made.shape == (20 * factor, 17 * factor, 3)
    inside = slice(2 * factor, -2 * factor)
    np.testing.assert_allclose(
        made[inside, inside], bicubic(small, factor)[inside, inside], atol=1e-5
    )


def test_tiles_make_no_difference_and_any_size_will_do():
    parameters = make_parameters()
    for shape in ((33, 18), (16, 16), (1, 5)):
        small = picture(*shape)
        whole = np.clip(np.asarray(enlarge(SMALL, parameters, small, 0.5)), 0.0, 1.0)
        for tile in (16, 40):
            tiled = enlarge_picture(small, SMALL, parameters, 0.5, tile)
            np.testing.assert_allclose(tiled, whole, atol=1e-5)
    assert np.abs(whole - bicubic(small, 4)).max() > 0.01


def test_sharpness_is_a_number_that_can_be_mapped():
    parameters, small = make_parameters(), picture(16, 16)
    strengths = jnp.array([0.0, 0.5, 1.0])
    mapped = jax.vmap(lambda each: enlarge(SMALL, parameters, small, each))(strengths)
    for each, made in zip(strengths, mapped, strict=True):
        alone = enlarge(SMALL, parameters, small, each)
        np.testing.assert_allclose(made, alone, atol=1e-5)
    assert np.abs(mapped[0] - mapped[2]).max() > 1e-3
    # At 0 what makes it sharp has no part in it.
    blunt = jax.tree_util.tree_map_with_path(
        lambda path, leaf: 0.0 * leaf if "sharp" in str(path) else leaf, parameters
    )
    np.testing.assert_array_equal(enlarge(SMALL, blunt, small, 0.0), mapped[0])


def test_johnsons_body_sees_no_farther_than_its_frame():
    enlarger = Enlarger(8, channels=4, blocks=4, body="johnson")
    parameters = make_parameters(enlarger)
    small = picture(40, 41)
    whole = np.clip(np.asarray(enlarge(enlarger, parameters, small, 0.0)), 0.0, 1.0)
    assert whole.shape == (320, 328, 3)
    tiled = enlarge_picture(small, enlarger, parameters, 0.0, 24)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
