from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest
from small_painters import PAINTER, make_parameters

from stylejax.feedforward import masked_mixture, paint, style_mixture
from stylejax.feedforward.geometry import AFTER, BEFORE, framed_pixels, reflected

BUCKET = 72


@pytest.fixture(scope="module")
def parameters():
    """All styles unlike each other."""
    return make_parameters()


@pytest.fixture(scope="module")
def painted():
    """One program for all pictures that fit the bucket, whatever their size."""

    @jax.jit
    def program(parameters, picture, mixture, height, width):
        return paint(PAINTER, parameters, picture, mixture, (height, width))[0]

    def run(parameters, picture, mixture):
        height, width = picture.shape[:2]
        # What is beyond the picture must not be looked at.
        bucket = np.full((BUCKET, BUCKET, 3), np.nan, np.float32)
        bucket[:height, :width] = picture
        return program(parameters, bucket, mixture, height, width)[:height, :width]

    return run


def test_reflection_is_numpys():
    for length in (2, 3, 7, 64):
        wanted = np.arange(length)
        wanted = np.pad(wanted, (BEFORE, -length % 4 + AFTER), mode="reflect")
        assert np.array_equal(reflected(framed_pixels(length), length), wanted)
    assert set(np.asarray(reflected(framed_pixels(1), 1)).tolist()) == {0}


def test_the_result_has_the_size_of_the_picture(parameters):
    mixture = jnp.array([0.0, 1.0, 0.0])
    for length in (*range(1, 10), 33, 38):
        shape = (length, 71 - length, 3)
        image = jax.ShapeDtypeStruct(shape, jnp.float32)
        out, _ = jax.eval_shape(partial(paint, PAINTER), parameters, image, mixture)
        assert out.shape == shape


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 70), (5, 3), (33, 50), (61, 64)])
def test_a_bucket_changes_nothing(parameters, painted, height, width):
    picture = problems.picture(height, width)
    mixture = style_mixture([1.0, 1.0], 0.8)
    alone, _ = jax.jit(partial(paint, PAINTER))(parameters, picture, mixture)
    assert alone.shape == picture.shape and bool(jnp.isfinite(alone).all())
    # One position has no deviation: what is divided by nearly nothing there is rounding.
    off = 3e-3 if height == width == 1 else 1e-4
    np.testing.assert_allclose(painted(parameters, picture, mixture), alone, atol=off)


def test_strength_0_is_the_identity_and_masks_say_where(parameters, painted):
    picture = problems.picture(64, 64)
    identity = painted(parameters, picture, jnp.array([1.0, 0.0, 0.0]))
    np.testing.assert_array_equal(
        painted(parameters, picture, style_mixture([1.0, 3.0], 0.0)), identity
    )
    first = painted(parameters, picture, jnp.array([0.0, 1.0, 0.0]))
    assert float(jnp.abs(first - identity).max()) > 0.05

    # A map that is the same everywhere is the mixture itself.
    mixtures = jnp.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    everywhere = jnp.zeros((2, 64, 64)).at[0].set(1.0)
    masked = masked_mixture(mixtures, everywhere)
    assert masked.shape == (64, 64, 3)
    np.testing.assert_allclose(masked, jnp.broadcast_to(mixtures[0], masked.shape))
    through_map, _ = jax.jit(partial(paint, PAINTER))(parameters, picture, masked)
    np.testing.assert_allclose(through_map, first, atol=1e-5)


def test_masks_leave_the_identity_where_none_is():
    masks = jnp.zeros((1, 4, 4)).at[0, :2].set(0.25)
    mixture = masked_mixture(jnp.array([[0.0, 1.0]]), masks)
    np.testing.assert_allclose(mixture[0, 0], [0.75, 0.25])
    np.testing.assert_allclose(mixture[3, 3], [1.0, 0.0])


def test_held_statistics_leave_a_network_that_looks_no_further_than_it_reaches(parameters):
    """With statistics given, a shift of the picture by 8 px shifts the result."""
    wide = problems.picture(64, 200)
    mixture = jnp.array([0.0, 0.0, 1.0])
    program = jax.jit(partial(paint, PAINTER))
    _, held = program(parameters, wide[:, :192], mixture)
    here, _ = program(parameters, wide[:, :192], mixture, None, held)
    there, _ = program(parameters, wide[:, 8:], mixture, None, held)
    np.testing.assert_allclose(here[:, 72:128], there[:, 64:120], atol=1e-4)
    assert float(jnp.abs(here[:, :4] - there[:, :4]).max()) > 1e-3
