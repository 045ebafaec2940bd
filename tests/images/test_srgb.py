from pathlib import Path

import numpy as np
import pytest
from picture_files import (
    black_only_profile,
    encode_srgb,
    flat_picture,
    linear_gray_profile,
    noise,
    standard_profile,
    swapped_profile,
)
from PIL import Image

from stylejax.images.read import read_picture


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.jpg"])
def test_profile_is_converted_to_srgb(tmp_path: Path, name: str) -> None:
    image = flat_picture(200, 100, 50, mode="RGB")
    image.save(tmp_path / name, icc_profile=swapped_profile(), lossless=True, quality=100)
    pixels = read_picture(tmp_path / name).pixels
    np.testing.assert_allclose(pixels[5, 5] * 255, [50, 100, 200], atol=3)


def test_profile_of_a_palette_with_transparency(tmp_path: Path) -> None:
    palette = flat_picture(1, mode="P")
    palette.putpalette([0, 0, 0, 200, 100, 50])
    profile = swapped_profile()
    palette.save(tmp_path / "a.png", icc_profile=profile, transparency=b"\xff\x80")
    picture = read_picture(tmp_path / "a.png")
    assert picture.alpha is not None
    colors = 1 - (1 - picture.pixels[5, 5]) / picture.alpha[5, 5]
    np.testing.assert_allclose(colors * 255, [50, 100, 200], atol=2)


def test_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    pixels = noise()
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=standard_profile())
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").pixels, np.float32(pixels) / 255)


@pytest.mark.parametrize("mode, samples", [("L", (128,)), ("LA", (128, 128)), ("I;16", (32896,))])
def test_gray_profile(tmp_path: Path, mode: str, samples: tuple[int, ...]) -> None:
    flat_picture(*samples, mode=mode).save(tmp_path / "a.png", icc_profile=linear_gray_profile())
    picture = read_picture(tmp_path / "a.png")
    alpha = 1 if picture.alpha is None else picture.alpha[5, 5]
    gray = 1 - (1 - picture.pixels[5, 5]) / alpha
    np.testing.assert_allclose(gray, encode_srgb(128 / 255), atol=1 / 255)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_profile(tmp_path: Path, name: str) -> None:
    image = flat_picture(255, 90, 0, 128, mode="CMYK")
    image.save(tmp_path / name, icc_profile=black_only_profile(), quality=100)
    linear = ((100 * (1 - 128 / 255) + 16) / 116) ** 3
    expected = [encode_srgb(linear)] * 3
    np.testing.assert_allclose(read_picture(tmp_path / name).pixels[5, 5], expected, atol=0.01)


def _unusable_profiles() -> dict[str, bytes]:
    return {
        "garbage": b"not a profile at all",
        "cut off": swapped_profile()[:300],
        "for gray": linear_gray_profile(),
        "for CMYK": black_only_profile(),
        "without curves": standard_profile().replace(b"TRC", b"XXX"),
    }


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
@pytest.mark.parametrize("flaw", _unusable_profiles())
def test_unusable_profile_is_ignored(tmp_path: Path, flaw: str, name: str) -> None:
    profile = _unusable_profiles()[flaw]
    flat_picture(200, 100, 50, mode="RGB").save(tmp_path / name, icc_profile=profile, lossless=True)
    pixels = read_picture(tmp_path / name).pixels
    np.testing.assert_allclose(pixels[5, 5] * 255, [200, 100, 50], atol=3)


def test_color_profile_of_a_gray_or_cmyk_picture_is_ignored(tmp_path: Path) -> None:
    flat_picture(128, mode="L").save(tmp_path / "a.png", icc_profile=swapped_profile())
    np.testing.assert_allclose(read_picture(tmp_path / "a.png").pixels, 128 / 255, atol=1e-6)
    flat_picture(255, 0, 0, 0, mode="CMYK").save(tmp_path / "a.tif", icc_profile=swapped_profile())
    np.testing.assert_allclose(read_picture(tmp_path / "a.tif").pixels[5, 5], [0, 1, 1])
