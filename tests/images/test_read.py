from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from picture_files import (
    flat_picture,
    noise,
    png_chunks,
    png_of,
    refused,
    upright_size,
)
from PIL import Image

from stylejax.errors import InputError
from stylejax.images.read import read_description, read_picture
from stylejax.images.scaling import resize

# Reading: modes and depths.


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp"])
def test_reads_lossless_formats_exactly(tmp_path: Path, name: str) -> None:
    pixels = noise()
    Image.fromarray(pixels).save(tmp_path / name, lossless=True)
    picture = read_picture(tmp_path / name)
    assert picture.pixels.dtype == np.float32
    np.testing.assert_array_equal(picture.pixels, pixels.astype(np.float32) / 255)
    assert picture.alpha is None
    assert upright_size(tmp_path / name) == (20, 30)


def test_reads_jpeg_whatever_its_extension(tmp_path: Path) -> None:
    flat_picture(200, 100, 50, mode="RGB").save(tmp_path / "a.png", "JPEG")
    pixels = read_picture(tmp_path / "a.png").pixels
    np.testing.assert_allclose(pixels[9, 12] * 255, [200, 100, 50], atol=2)


def test_reads_at_a_longest_side(tmp_path: Path) -> None:
    rgba = noise(channels=4)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    whole, half = read_picture(tmp_path / "a.png"), read_picture(tmp_path / "a.png", 15)
    assert whole.alpha is not None and half.alpha is not None
    # Composited first: resampling the colors under the alpha would let hidden ones show.
    np.testing.assert_array_equal(half.pixels, resize(whole.pixels, 10, 15))
    np.testing.assert_array_equal(half.alpha, resize(whole.alpha, 10, 15))


@pytest.mark.parametrize("longest", [0, -3])
def test_no_side_is_less_than_a_pixel(tmp_path: Path, longest: int) -> None:
    Image.fromarray(noise()).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=f"longest is {longest}: give 1 pixel or more"):
        read_picture(tmp_path / "a.png", longest)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_alpha_is_composited_over_white(tmp_path: Path, name: str) -> None:
    rgba = noise(channels=4)
    Image.fromarray(rgba).save(tmp_path / name, lossless=True, exact=True)
    picture = read_picture(tmp_path / name)
    colors, alpha = rgba[..., :3] / 255, rgba[..., 3] / 255
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, alpha, atol=1e-6)
    expected = colors * alpha[..., None] + 1 - alpha[..., None]
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-6)


def test_opaque_alpha_is_none(tmp_path: Path) -> None:
    flat_picture(10, 20, 30, 255, mode="RGBA").save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").alpha is None


@pytest.mark.parametrize(
    "mode, samples, color, alpha",
    [
        ("L", (51,), [0.2, 0.2, 0.2], None),
        ("LA", (51, 102), [0.68, 0.68, 0.68], 0.4),
        ("1", (1,), [1, 1, 1], None),
        ("CMYK", (255, 0, 0, 0), [0, 1, 1], None),
        ("LAB", (255, 128, 128), [1, 1, 1], None),
    ],
)
def test_reads_other_modes(
    tmp_path: Path, mode: str, samples: tuple[int, ...], color: list[float], alpha: float | None
) -> None:
    flat_picture(*samples, mode=mode).save(tmp_path / "a.tif")
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_allclose(picture.pixels[5, 5], color, atol=0.005)
    assert (None if picture.alpha is None else round(float(picture.alpha[5, 5]), 6)) == alpha


@pytest.mark.parametrize("transparency", [1, b"\xff\x00\x80"])
def test_reads_palettes_with_transparency(tmp_path: Path, transparency: int | bytes) -> None:
    indices = np.arange(18 * 24, dtype=np.uint8).reshape(18, 24) % 3
    palette = Image.fromarray(indices)
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    palette.save(tmp_path / "a.png", transparency=transparency)
    picture = read_picture(tmp_path / "a.png")
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.pixels[0, :2], [[1, 0, 0], [1, 1, 1]])
    blue_alpha = 1 if isinstance(transparency, int) else 128 / 255
    np.testing.assert_allclose(picture.alpha[0, :3], [1, 0, blue_alpha])
    np.testing.assert_allclose(picture.pixels[0, 2], [1 - blue_alpha, 1 - blue_alpha, 1])


def test_reads_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [flat_picture(value, mode="L") for value in (60, 120, 180)]
    for name in ("a.gif", "a.png", "a.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        np.testing.assert_allclose(read_picture(tmp_path / name).pixels * 255, 60, atol=1e-4)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_gray_keeps_its_precision(tmp_path: Path, name: str) -> None:
    samples = (np.arange(18 * 24, dtype=np.uint16) * 151).reshape(18, 24)
    Image.fromarray(samples).save(tmp_path / name)
    pixels = read_picture(tmp_path / name).pixels
    np.testing.assert_allclose(pixels * 65535, samples[..., None].repeat(3, -1), atol=0.02)


def test_16_bit_gray_with_a_transparent_value(tmp_path: Path) -> None:
    samples = np.full((18, 24), 30000, np.uint16)
    samples[0, 0] = 30001
    Image.fromarray(samples).save(tmp_path / "a.png", transparency=30001)
    picture = read_picture(tmp_path / "a.png")
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, samples == 30000)
    np.testing.assert_array_equal(picture.pixels[0, 0], 1)


def test_gray_tiff_of_12_bits_and_with_white_as_zero(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.full((18, 36), 0xFF, np.uint8))
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages.first.tags
        tags["ImageWidth"].overwrite(24)
        tags["BitsPerSample"].overwrite(12)
    np.testing.assert_array_equal(read_picture(path).pixels, np.ones((18, 24, 3)))
    tifffile.imwrite(path, np.full((18, 24), 13107, np.uint16), photometric="miniswhite")
    np.testing.assert_allclose(read_picture(path).pixels, 0.8, atol=1e-6)


@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_color_tiff(tmp_path: Path, channels: int) -> None:
    samples = noise(channels=channels).astype(np.uint16) * 257
    extra = ["unassalpha"] * (channels - 3)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=extra)
    picture = read_picture(tmp_path / "a.tif")
    opacity = samples[..., 3:] / 65535 if channels == 4 else 1
    expected = 1 - opacity * (1 - samples[..., :3] / 65535)
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-6)
    assert (picture.alpha is None) == (channels == 3)


def test_float_tiff_in_range(tmp_path: Path) -> None:
    samples = np.linspace(0, 1, 18 * 24, dtype=np.float32).reshape(18, 24)
    tifffile.imwrite(tmp_path / "a.tif", samples)
    np.testing.assert_allclose(read_picture(tmp_path / "a.tif").pixels[..., 1], samples, atol=1e-7)


@pytest.mark.parametrize("value", [-0.01, 1.01, 255.0, np.nan])
def test_float_tiff_out_of_range(tmp_path: Path, value: float) -> None:
    samples = np.zeros((18, 24), np.float32)
    samples[3, 4] = value
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, samples)
    assert "samples outside [0, 1]" in refused(lambda: read_picture(path), path)


def test_integer_tiff_out_of_range(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.full((18, 24), -1, np.int16))
    assert "samples outside [0, 32767]" in refused(lambda: read_picture(path), path)


# Reading: orientation.

UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path: Path, orientation: int, name: str) -> None:
    rgba = noise(channels=4)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(rgba).save(tmp_path / name, exif=exif, lossless=True, exact=True)
    picture = read_picture(tmp_path / name)
    upright = UPRIGHT[orientation](rgba) / 255
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, upright[..., 3], atol=1e-6)
    expected = 1 - upright[..., 3:] * (1 - upright[..., :3])
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-6)
    assert upright_size(tmp_path / name) == upright.shape[:2]


def test_orientation_of_jpeg(tmp_path: Path) -> None:
    smooth = np.zeros((24, 40, 3), np.uint8)
    smooth[:8, :, 0] = 255
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(smooth).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    pixels = read_picture(tmp_path / "a.jpg").pixels
    np.testing.assert_allclose(pixels, np.rot90(smooth, -1) / 255, atol=0.02)


def test_orientation_behind_the_pixels_of_a_png(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.png", noise()
    exif = Image.Exif()
    exif[274] = 8
    Image.fromarray(pixels).save(path, exif=exif)
    chunks = png_chunks(path.read_bytes())
    chunks.sort(key=lambda chunk: [b"IHDR", b"IDAT", b"eXIf", b"IEND"].index(chunk[0]))
    path.write_bytes(png_of(chunks))
    assert upright_size(path) == (30, 20)
    np.testing.assert_allclose(read_picture(path).pixels, np.rot90(pixels) / 255, atol=1e-6)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"]
)
def test_broken_exif_is_ignored(tmp_path: Path, exif: bytes) -> None:
    for name in ("a.jpg", "a.png", "a.webp"):
        Image.fromarray(noise()).save(tmp_path / name, exif=exif)
        assert upright_size(tmp_path / name) == (20, 30)
        assert read_picture(tmp_path / name).pixels.shape == (20, 30, 3)
        assert read_description(tmp_path / name) is None
