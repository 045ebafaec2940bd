"""What is given as a picture or a mask at the library's border."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from picture_files import noise
from PIL import Image

from stylejax.errors import InputError
from stylejax.images.arrays import Picture
from stylejax.images.masks import Masks, as_mask, as_masks
from stylejax.images.pictures import as_picture, as_pictures
from stylejax.images.scaling import resize

BYTES = noise()
FLOATS = (BYTES / 255).astype(np.float32)


def test_floats_are_taken_as_they_are():
    for picture in (FLOATS, FLOATS.astype(np.float64), jnp.asarray(FLOATS)):
        assert as_picture(picture, "content") is picture
    assert as_picture(Picture(FLOATS, None), "content") is FLOATS
    assert as_picture(FLOATS.astype(np.float16), "content").dtype == np.float32
    np.testing.assert_array_equal(as_picture(FLOATS * 1.0005, "content").max(), 1)


@pytest.mark.parametrize(
    "value",
    [
        BYTES,
        BYTES.astype(np.uint16) * 257,
        jnp.asarray(BYTES),
        Image.fromarray(BYTES),
        Image.fromarray(np.dstack([BYTES, np.full((20, 30), 255, np.uint8)])),
    ],
)
def test_integers_and_pillow_pictures_are_scaled(value):
    np.testing.assert_array_equal(as_picture(value, "content"), FLOATS)


def test_pillow_pictures_of_other_modes_are_as_from_a_file():
    gray = Image.fromarray(BYTES[..., 0])
    np.testing.assert_array_equal(as_picture(gray, "x"), FLOATS[..., :1].repeat(3, axis=-1))
    deep = Image.fromarray(BYTES[..., 0].astype(np.uint16) * 257)
    np.testing.assert_allclose(as_picture(deep, "x")[..., 0], FLOATS[..., 0], atol=1e-6)
    palette = Image.fromarray(BYTES).quantize(16)
    np.testing.assert_array_equal(as_picture(palette, "x"), as_picture(palette.convert("RGB"), "x"))
    clear = Image.new("RGBA", (24, 18), (10, 20, 30, 0))
    np.testing.assert_array_equal(as_picture(clear, "x"), np.ones((18, 24, 3)))
    times = Image.fromarray(noise(channels=4)).convert("RGBa")
    expected = as_picture(times.convert("RGBA"), "x")
    np.testing.assert_array_equal(as_picture(times, "x"), expected)
    turned = Image.fromarray(BYTES)
    turned.getexif()[274] = 6
    np.testing.assert_array_equal(as_picture(turned, "x"), np.rot90(FLOATS, -1))


def test_inside_traced_functions_shapes_are_checked_alone():
    mean = lambda image: jnp.mean(as_picture(image, "image"))
    np.testing.assert_allclose(jax.jit(mean)(FLOATS * 300), 300 * FLOATS.mean(), rtol=1e-5)
    np.testing.assert_allclose(jax.jit(mean)(BYTES), FLOATS.mean(), rtol=1e-5)
    assert jax.vmap(mean)(FLOATS[None]).shape == (1,)
    np.testing.assert_allclose(jax.grad(mean)(FLOATS), 1 / FLOATS.size, rtol=1e-5)
    with pytest.raises(InputError, match=r"image: float32 array of shape \(3, 20, 30\)"):
        jax.jit(mean)(FLOATS.transpose(2, 0, 1))


REFUSED = {
    "NaN": (np.where(FLOATS > 0.9, np.nan, FLOATS), r"\(20, 30, 3\) in \[nan.*not finite"),
    "of 0 to 255": (FLOATS * 255, r"\(20, 30, 3\) in \[0, 255\].*divide by 255"),
    "of 16 bits": (FLOATS * 65535, "divide by 65535"),
    "of -1 to 1": (2 * FLOATS - 1, r"in \[-1, 1\].*bring its values to \[0, 1\]"),
    "a batch": (FLOATS[None], r"\(1, 20, 30, 3\).*one by one"),
    "channels first": (FLOATS.transpose(2, 0, 1), r"\(3, 20, 30\).*channels come last"),
    "gray": (FLOATS[..., 0], r"\(20, 30\).*three equal channels"),
    "with alpha": (noise(channels=4), r"uint8 array of shape \(20, 30, 4\) in \[0, 255\].*alpha"),
    "empty": (FLOATS[:0], "it is empty"),
    "of large integers": (BYTES.astype(np.int64), "int64 array .* give uint8"),
    "of bool": (BYTES > 9, "bool array"),
    "a name": ("photo.jpg", "'photo.jpg'.*read_picture"),
    "a list": (FLOATS.tolist(), "list is no picture"),
    "nothing": (None, "NoneType is no picture"),
    "of 32 bits": (Image.new("I", (24, 18)), "mode I, 24 x 18"),
    "of floats": (Image.new("F", (24, 18), 99), r"outside \[0, 1\]"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_picture_is_one_line(case):
    value, message = REFUSED[case]
    with pytest.raises(InputError, match=message) as caught:
        as_picture(value, "content")
    assert str(caught.value).startswith("content: ") and "\n" not in str(caught.value)


def test_one_picture_is_a_list_of_one():
    for one in (FLOATS, jnp.asarray(FLOATS), BYTES, Image.fromarray(BYTES), Picture(FLOATS, None)):
        (found,) = as_pictures(one, "styles")
        np.testing.assert_array_equal(found, FLOATS)
    assert len(as_pictures((FLOATS, BYTES), "styles")) == 2
    for value, message in (
        ([], "at least one"),
        (FLOATS[None], "a batch"),
        ("a.jpg", "no list"),
        (3, "no list"),
        ([FLOATS, FLOATS[..., 0]], r"styles\[1\]: .* three equal"),
    ):
        with pytest.raises(InputError, match=message):
            as_pictures(value, "styles")


def test_masks_of_every_type():
    inside = np.zeros((18, 24), np.float32)
    inside[:, :12] = 1
    painted = np.zeros((18, 24, 4), np.uint8)
    painted[:, :12] = 255
    painted[:, 12:, :3] = 255  # White, but transparent.
    for mask in (
        inside > 0,
        (255 * inside).astype(np.uint8),
        (65535 * inside).astype(np.uint16),
        jnp.asarray(inside),
        Image.fromarray(inside > 0),
        Image.fromarray(painted),
    ):
        np.testing.assert_array_equal(as_mask(mask, "mask", (18, 24, 3)), inside)
    for mask, message in (
        ((3 * inside).astype(np.uint8), "nearly black .* a mask for each label"),
        ((3 * inside).astype(np.int64), "int64"),
        (painted, "no mask"),
        (inside[:9], r"9 x 24 for a picture of 18 x 24"),
        (255 * inside, "divide by 255"),
    ):
        with pytest.raises(InputError, match=message):
            as_mask(mask, "mask", (18, 24, 3))


def test_masks_go_with_their_pictures():
    one: Any = np.ones((18, 24), np.float32)
    found = as_masks(Masks(one, one), one.shape, [one.shape])
    assert found is not None and len(found.content) == len(found.styles) == 1
    assert as_masks(None, one.shape, [one.shape]) is None
    for masks, message in (
        ([one], "no Masks"),
        (Masks((one, one)), "2 masks for 1 style"),
        (Masks((0 * one,)), "black throughout"),
        (Masks((one,), (one[:5],)), r"masks.styles\[0\]"),
    ):
        with pytest.raises(InputError, match=message):
            as_masks(masks, one.shape, [one.shape])


def test_scaling_takes_bytes_for_what_they_are():
    np.testing.assert_array_equal(resize(BYTES, 10, 15), resize(FLOATS, 10, 15))
