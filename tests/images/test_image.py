import io
import os
import struct
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, JpegImagePlugin

from stylejax.errors import InputError
from stylejax.images.read import MAXIMUM_PIXELS, picture_size, read_description, read_picture
from stylejax.images.scaling import fitted_size, resize
from stylejax.images.srgb import srgb_profile
from stylejax.images.write import WRITE_FORMATS, check_output, write_picture

ALL_EXTENSIONS = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"]
DESCRIPTION = '{"content": "a \\"quoted\\" name.jpg", "seeds": [' + "12345, " * 500 + "0]}"


def _noise(height: int = 20, width: int = 30, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def _flat(*samples: int, mode: str) -> Image.Image:
    return Image.new(mode, (24, 18), samples if samples[1:] else samples[0])


def _refused(action: Callable[[], object], path: Path) -> str:
    with pytest.raises(InputError) as caught:
        action()
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, position = [], 8
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        assert checksum == zlib.crc32(kind + body)
        chunks.append((kind, body))
        position += 12 + length
    return chunks


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in chunks:
        parts += [struct.pack(">I", len(body)), kind, body]
        parts.append(struct.pack(">I", zlib.crc32(kind + body)))
    return b"".join(parts)


def _decode_png16(data: bytes) -> np.ndarray:
    chunks = dict(_png_chunks(data))
    width, height, depth, color, *rest = struct.unpack(">2I5B", chunks[b"IHDR"])
    assert (depth, rest) == (16, [0, 0, 0])
    channels = {2: 3, 6: 4}[color]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert (lines[:, 0] == 2).all()
    rows = np.cumsum(lines[:, 1:], axis=0, dtype=np.uint8)
    return rows.view(">u2").reshape(height, width, channels)


def _srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _swapped_profile() -> bytes:
    """sRGB with the primaries of red and blue exchanged."""
    profile = _srgb_profile()
    swapped = profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ")
    return swapped.replace(b"????", b"bXYZ")


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    white = struct.pack(">3i", 63190, 65536, 54061)
    directory, body = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        directory += struct.pack(">4s2I", name, 132 + 12 * len(tags) + len(body), len(tag))
        body += tag + bytes(-len(tag) % 4)
    size = 128 + len(directory) + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, kind, space, connection)
    header += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + white
    return header.ljust(128, b"\0") + directory + body


def _linear_gray_profile() -> bytes:
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, 0x0100)
    return _profile(b"scnr", b"GRAY", b"XYZ ", {b"wtpt": white, b"kTRC": curve})


def _black_only_profile() -> bytes:
    """A CMYK profile in which the lightness is 100 (1 - K) and the other inks leave no trace."""
    identity = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"".join(bytes([0 if index % 2 else 255, 128, 128]) for index in range(16))
    head = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix
    return _profile(
        b"scnr", b"CMYK", b"Lab ", {b"A2B0": head + identity * 4 + table + identity * 3}
    )


def _encode_srgb(linear: float) -> float:
    return 1.055 * linear ** (1 / 2.4) - 0.055


# Sizes and resampling.


@pytest.mark.parametrize(
    "size, longest, expected",
    [
        ((768, 1024), 512, (384, 512)),
        ((1024, 768), 512, (512, 384)),
        ((100, 100), 333, (333, 333)),
        ((16, 3000), 64, (1, 64)),
        ((2, 3), 4, (3, 4)),
    ],
)
def test_fitted_size(size: tuple[int, int], longest: int, expected: tuple[int, int]) -> None:
    assert fitted_size(*size, longest) == expected


@pytest.mark.parametrize("size", [(7, 9), (20, 30), (50, 41)])
def test_resize_keeps_a_constant_picture(size: tuple[int, int]) -> None:
    pixels = np.broadcast_to(np.array([0.1, 0.5, 1.0], np.float32), (20, 30, 3))
    resized = resize(pixels, *size)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, np.broadcast_to(pixels[0, 0], (*size, 3)), atol=1e-6)


def test_resize_stays_in_range_and_keeps_float_precision() -> None:
    checks = (np.indices((20, 30)).sum(axis=0) // 5 % 2).astype(np.float32)
    resized = resize(checks, 47, 53)
    assert resized.shape == (47, 53)
    assert resized.min() == 0 and resized.max() == 1
    ramp = np.linspace(0, 1e-3, 64, dtype=np.float32)[None].repeat(64, axis=0)
    assert len(np.unique(resize(ramp, 32, 32))) >= 32


def test_resize_is_the_same_for_alpha_and_each_channel() -> None:
    pixels = _noise().astype(np.float32) / 255
    resized = resize(pixels, 11, 13)
    for channel in range(3):
        np.testing.assert_array_equal(resize(pixels[..., channel], 11, 13), resized[..., channel])


# Reading: modes and depths.


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp"])
def test_reads_lossless_formats_exactly(tmp_path: Path, name: str) -> None:
    pixels = _noise()
    Image.fromarray(pixels).save(tmp_path / name, lossless=True)
    picture = read_picture(tmp_path / name)
    assert picture.pixels.dtype == np.float32
    np.testing.assert_array_equal(picture.pixels, pixels.astype(np.float32) / 255)
    assert picture.alpha is None
    assert picture_size(tmp_path / name) == (20, 30)


def test_reads_jpeg_whatever_its_extension(tmp_path: Path) -> None:
    _flat(200, 100, 50, mode="RGB").save(tmp_path / "a.png", "JPEG")
    pixels = read_picture(tmp_path / "a.png").pixels
    np.testing.assert_allclose(pixels[9, 12] * 255, [200, 100, 50], atol=2)


def test_reads_at_a_longest_side(tmp_path: Path) -> None:
    rgba = _noise(channels=4)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    whole, half = read_picture(tmp_path / "a.png"), read_picture(tmp_path / "a.png", 15)
    assert whole.alpha is not None and half.alpha is not None
    # Composited first: resampling the colors under the alpha would let hidden ones show.
    np.testing.assert_array_equal(half.pixels, resize(whole.pixels, 10, 15))
    np.testing.assert_array_equal(half.alpha, resize(whole.alpha, 10, 15))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_alpha_is_composited_over_white(tmp_path: Path, name: str) -> None:
    rgba = _noise(channels=4)
    Image.fromarray(rgba).save(tmp_path / name, lossless=True, exact=True)
    picture = read_picture(tmp_path / name)
    colors, alpha = rgba[..., :3] / 255, rgba[..., 3] / 255
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, alpha, atol=1e-6)
    expected = colors * alpha[..., None] + 1 - alpha[..., None]
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-6)


def test_opaque_alpha_is_none(tmp_path: Path) -> None:
    _flat(10, 20, 30, 255, mode="RGBA").save(tmp_path / "a.png")
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
    _flat(*samples, mode=mode).save(tmp_path / "a.tif")
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
    frames = [_flat(value, mode="L") for value in (60, 120, 180)]
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
def test_16_bit_color_tiff_is_read_at_8_bits(tmp_path: Path, channels: int) -> None:
    samples = _noise(channels=channels).astype(np.uint16) * 257
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
    assert "samples outside [0, 1]" in _refused(lambda: read_picture(path), path)


def test_integer_tiff_out_of_range(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.full((18, 24), 70000, np.int32))
    assert "samples outside [0, 65535]" in _refused(lambda: read_picture(path), path)


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
    rgba = _noise(channels=4)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(rgba).save(tmp_path / name, exif=exif, lossless=True, exact=True)
    picture = read_picture(tmp_path / name)
    upright = UPRIGHT[orientation](rgba) / 255
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, upright[..., 3], atol=1e-6)
    expected = 1 - upright[..., 3:] * (1 - upright[..., :3])
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-6)
    assert picture_size(tmp_path / name) == upright.shape[:2]


def test_orientation_of_jpeg(tmp_path: Path) -> None:
    smooth = np.zeros((24, 40, 3), np.uint8)
    smooth[:8, :, 0] = 255
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(smooth).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    pixels = read_picture(tmp_path / "a.jpg").pixels
    np.testing.assert_allclose(pixels, np.rot90(smooth, -1) / 255, atol=0.02)


def test_orientation_behind_the_pixels_of_a_png(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.png", _noise()
    exif = Image.Exif()
    exif[274] = 8
    Image.fromarray(pixels).save(path, exif=exif)
    chunks = _png_chunks(path.read_bytes())
    chunks.sort(key=lambda chunk: [b"IHDR", b"IDAT", b"eXIf", b"IEND"].index(chunk[0]))
    path.write_bytes(_png(chunks))
    assert picture_size(path) == (30, 20)
    np.testing.assert_allclose(read_picture(path).pixels, np.rot90(pixels) / 255, atol=1e-6)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"]
)
def test_broken_exif_is_ignored(tmp_path: Path, exif: bytes) -> None:
    for name in ("a.jpg", "a.png", "a.webp"):
        Image.fromarray(_noise()).save(tmp_path / name, exif=exif)
        assert picture_size(tmp_path / name) == (20, 30)
        assert read_picture(tmp_path / name).pixels.shape == (20, 30, 3)
        assert read_description(tmp_path / name) is None


# Reading: color profiles.


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.jpg"])
def test_profile_is_converted_to_srgb(tmp_path: Path, name: str) -> None:
    image = _flat(200, 100, 50, mode="RGB")
    image.save(tmp_path / name, icc_profile=_swapped_profile(), lossless=True, quality=100)
    pixels = read_picture(tmp_path / name).pixels
    np.testing.assert_allclose(pixels[5, 5] * 255, [50, 100, 200], atol=3)


def test_profile_of_a_palette_with_transparency(tmp_path: Path) -> None:
    palette = _flat(1, mode="P")
    palette.putpalette([0, 0, 0, 200, 100, 50])
    profile = _swapped_profile()
    palette.save(tmp_path / "a.png", icc_profile=profile, transparency=b"\xff\x80")
    picture = read_picture(tmp_path / "a.png")
    assert picture.alpha is not None
    colors = 1 - (1 - picture.pixels[5, 5]) / picture.alpha[5, 5]
    np.testing.assert_allclose(colors * 255, [50, 100, 200], atol=2)


def test_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    pixels = _noise()
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=_srgb_profile())
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").pixels, np.float32(pixels) / 255)


@pytest.mark.parametrize("mode, samples", [("L", (128,)), ("LA", (128, 128)), ("I;16", (32896,))])
def test_gray_profile(tmp_path: Path, mode: str, samples: tuple[int, ...]) -> None:
    _flat(*samples, mode=mode).save(tmp_path / "a.png", icc_profile=_linear_gray_profile())
    picture = read_picture(tmp_path / "a.png")
    alpha = 1 if picture.alpha is None else picture.alpha[5, 5]
    gray = 1 - (1 - picture.pixels[5, 5]) / alpha
    np.testing.assert_allclose(gray, _encode_srgb(128 / 255), atol=1 / 255)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_profile(tmp_path: Path, name: str) -> None:
    image = _flat(255, 90, 0, 128, mode="CMYK")
    image.save(tmp_path / name, icc_profile=_black_only_profile(), quality=100)
    linear = ((100 * (1 - 128 / 255) + 16) / 116) ** 3
    expected = [_encode_srgb(linear)] * 3
    np.testing.assert_allclose(read_picture(tmp_path / name).pixels[5, 5], expected, atol=0.01)


def _unusable_profiles() -> dict[str, bytes]:
    return {
        "garbage": b"not a profile at all",
        "cut off": _swapped_profile()[:300],
        "for gray": _linear_gray_profile(),
        "for CMYK": _black_only_profile(),
        "without curves": _srgb_profile().replace(b"TRC", b"XXX"),
    }


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
@pytest.mark.parametrize("flaw", _unusable_profiles())
def test_unusable_profile_is_ignored(tmp_path: Path, flaw: str, name: str) -> None:
    profile = _unusable_profiles()[flaw]
    _flat(200, 100, 50, mode="RGB").save(tmp_path / name, icc_profile=profile, lossless=True)
    pixels = read_picture(tmp_path / name).pixels
    np.testing.assert_allclose(pixels[5, 5] * 255, [200, 100, 50], atol=3)


def test_color_profile_of_a_gray_or_cmyk_picture_is_ignored(tmp_path: Path) -> None:
    _flat(128, mode="L").save(tmp_path / "a.png", icc_profile=_swapped_profile())
    np.testing.assert_allclose(read_picture(tmp_path / "a.png").pixels, 128 / 255, atol=1e-6)
    _flat(255, 0, 0, 0, mode="CMYK").save(tmp_path / "a.tif", icc_profile=_swapped_profile())
    np.testing.assert_allclose(read_picture(tmp_path / "a.tif").pixels[5, 5], [0, 1, 1])


# Reading: refusals.

READERS: list[Callable[[Path], object]] = [read_picture, picture_size, read_description]


@pytest.mark.parametrize("reader", READERS)
def test_refuses_what_is_no_picture(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    text, empty, missing = tmp_path / "text.jpg", tmp_path / "empty.png", tmp_path / "missing.png"
    text.write_text("Dear reader,\nthis is a letter.\n")
    empty.touch()
    assert "no such file" in _refused(lambda: reader(missing), missing)
    assert "no such file" in _refused(lambda: reader(text / "a.png"), text / "a.png")
    assert "is a folder" in _refused(lambda: reader(tmp_path), tmp_path)
    assert "empty" in _refused(lambda: reader(empty), empty)
    assert "not a picture" in _refused(lambda: reader(text), text)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("size", [(1, 1), (10, 3000), (3000, 15)])
def test_refuses_small_pictures(
    tmp_path: Path, size: tuple[int, int], reader: Callable[[Path], object]
) -> None:
    path = tmp_path / "a.png"
    Image.new("1", size).save(path)
    message = _refused(lambda: reader(path), path)
    assert f"{size[0]} x {size[1]}" in message and "at least 16" in message


def test_accepts_the_smallest_pictures(tmp_path: Path) -> None:
    Image.new("L", (16, 16)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").pixels.shape == (16, 16, 3)


@pytest.mark.parametrize("reader", READERS)
def test_refuses_a_decompression_bomb(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    path = tmp_path / "a.png"
    header = struct.pack(">2I5B", 60000, 60000, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    path.write_bytes(_png([(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]))
    assert "more than 178,956,970 pixels" in _refused(lambda: reader(path), path)


def test_the_limit_is_that_of_pillow() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert MAXIMUM_PIXELS == 2 * Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_no_warning_below_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    Image.fromarray(_noise(20, 30)).save(tmp_path / name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert picture_size(tmp_path / name) == (20, 30)
        assert read_picture(tmp_path / name).pixels.shape == (20, 30, 3)
    assert not caught


@pytest.mark.parametrize("kind", ["a.jpg", "a.png", "a.webp", "a.tif", "a.bmp", "a.gif"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_refuses_cut_off_pictures(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / kind
    Image.fromarray(_noise(60, 80)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    message = _refused(lambda: read_picture(path), path)
    assert "damaged" in message


@pytest.mark.parametrize("kind", ["a.jpg", "a.png", "a.webp", "a.tif", "a.bmp", "a.gif"])
def test_damage_never_raises_anything_else(tmp_path: Path, kind: str) -> None:
    path, rng = tmp_path / kind, np.random.default_rng(0)
    exif = Image.Exif()
    exif[270], exif[274] = "text", 6
    Image.fromarray(_noise()).save(path, exif=exif, icc_profile=_swapped_profile())
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(40):
        damaged = whole.copy()
        damaged[rng.integers(0, min(len(whole), 600), 4)] = rng.integers(0, 256, 4)
        path.write_bytes(damaged.tobytes())
        for reader in READERS:
            try:
                reader(path)
            except InputError as error:
                assert "\n" not in str(error)


@pytest.mark.parametrize(
    "error", [MemoryError(), PermissionError(13, "Permission denied"), ZeroDivisionError()]
)
def test_errors_in_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "a.bmp"
    Image.fromarray(_noise()).save(path)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    hint = {MemoryError: "memory", PermissionError: "Permission"}.get(type(error), "damaged")
    assert hint in _refused(lambda: read_picture(path), path)


def test_size_comes_from_the_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (2000, 2000)).save(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr("PIL.ImageFile.ImageFile.load")
        patch.delattr("PIL.Image.Image.load")
        assert picture_size(path) == (2000, 2000)
        assert read_description(path) is None


# Writing.


@pytest.mark.parametrize("extension", ALL_EXTENSIONS)
def test_round_trip_of_pixels(tmp_path: Path, extension: str) -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)
    pixels = np.stack([*np.meshgrid(ramp, ramp[:40]), np.full((40, 64), 0.3, np.float32)], axis=-1)
    path = tmp_path / f"a{extension.upper()}"
    write_picture(path, pixels)
    lossless = extension in (".png", ".tif", ".tiff")
    tolerance = 0.51 / 255 if lossless else 0.04
    np.testing.assert_allclose(read_picture(path).pixels, pixels, atol=tolerance)
    with Image.open(path) as written:
        assert written.format == WRITE_FORMATS[extension]
        profile = ImageCms.ImageCmsProfile(io.BytesIO(written.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert os.listdir(tmp_path) == [path.name]


def test_rounds_to_nearest_and_clips(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 3), np.float32)
    pixels[0, 0] = np.array([0.49, 0.51, 254.51]) / 255
    pixels[0, 1] = [-0.1, 1.1, 1.0000001]
    write_picture(tmp_path / "a.png", pixels)
    with Image.open(tmp_path / "a.png") as written:
        assert written.getpixel((0, 0)) == (0, 1, 255)
        assert written.getpixel((1, 0)) == (0, 255, 255)


def test_jpeg_keeps_full_color_resolution_and_obeys_quality(tmp_path: Path) -> None:
    pixels = _noise(64, 64).astype(np.float32) / 255
    sizes = []
    for quality in (30, 95):
        write_picture(tmp_path / "a.jpg", pixels, quality=quality)
        sizes.append((tmp_path / "a.jpg").stat().st_size)
        with Image.open(tmp_path / "a.jpg") as written:
            assert isinstance(written, JpegImagePlugin.JpegImageFile)
            assert JpegImagePlugin.get_sampling(written) == 0
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("name, bits", [("a.png", 8), ("a.png", 16), ("a.tif", 8), ("a.tiff", 16)])
def test_round_trip_of_alpha(tmp_path: Path, name: str, bits: int) -> None:
    layers = _noise(channels=4).astype(np.float32) / 255
    pixels, alpha = layers[..., :3], layers[..., 3]
    write_picture(tmp_path / name, pixels, alpha, bits=bits)
    picture = read_picture(tmp_path / name)
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, alpha, atol=1e-6)
    expected = 1 - alpha[..., None] * (1 - pixels)
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-6)


def test_alpha_in_webp_and_jpeg(tmp_path: Path) -> None:
    pixels = np.full((20, 30, 3), 0.5, np.float32)
    alpha = _noise(channels=1)[..., 0].astype(np.float32) / 255
    write_picture(tmp_path / "a.webp", pixels, alpha)
    picture = read_picture(tmp_path / "a.webp")
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, alpha, atol=1e-6)
    write_picture(tmp_path / "a.jpg", pixels, alpha)
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.alpha is None
    np.testing.assert_allclose(picture.pixels, 0.5, atol=0.01)


@pytest.mark.parametrize("with_alpha", [False, True])
def test_16_bit_png_and_tiff(tmp_path: Path, with_alpha: bool) -> None:
    layers = np.random.default_rng(0).random((20, 30, 3 + with_alpha), np.float32)
    pixels, alpha = layers[..., :3], layers[..., 3] if with_alpha else None
    for name in ("a.png", "a.tif"):
        write_picture(tmp_path / name, pixels, alpha, bits=16, description="text")
        with Image.open(tmp_path / name) as opened:
            assert opened.mode == ("RGBA" if with_alpha else "RGB")
            np.testing.assert_allclose(np.asarray(opened) / 255, layers, atol=1 / 255)
            profile = opened.info["icc_profile"]
        assert "sRGB" in ImageCms.getProfileDescription(
            ImageCms.ImageCmsProfile(io.BytesIO(profile))
        )
    png = (tmp_path / "a.png").read_bytes()
    kinds = [kind for kind, _ in _png_chunks(png)]
    assert kinds == [b"IHDR", b"iCCP", b"eXIf", b"IDAT", b"IEND"]
    tiff = tifffile.imread(tmp_path / "a.tif")
    assert tiff.dtype == np.uint16
    for samples in (_decode_png16(png), tiff):
        np.testing.assert_allclose(samples / 65535, layers, atol=0.51 / 65535)


def test_16_bit_of_any_memory_layout(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((3, 20, 30), np.float32).transpose(1, 2, 0)
    write_picture(tmp_path / "a.png", pixels, bits=16)
    samples = _decode_png16((tmp_path / "a.png").read_bytes())
    np.testing.assert_allclose(samples / 65535, pixels, atol=0.51 / 65535)


def test_tiff_says_what_its_fourth_sample_is(tmp_path: Path) -> None:
    pixels = np.full((20, 30, 3), 0.5, np.float32)
    for bits in (8, 16):
        write_picture(tmp_path / "a.tif", pixels, pixels[..., 0], bits=bits)
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            tags = file.pages.first.tags
            assert tags["ExtraSamples"].value == (2,)
            assert tags["BitsPerSample"].value == (bits,) * 4
            assert "DateTime" not in tags and "Software" not in tags


OUTPUTS = [(extension, 8) for extension in ALL_EXTENSIONS] + [(".png", 16), (".tif", 16)]


@pytest.mark.parametrize("extension, bits", OUTPUTS)
@pytest.mark.parametrize("description", [DESCRIPTION, "{}", None])
def test_round_trip_of_the_description(
    tmp_path: Path, extension: str, bits: int, description: str | None
) -> None:
    path = tmp_path / f"a{extension}"
    pixels = np.full((20, 30, 3), 0.5, np.float32)
    write_picture(path, pixels, bits=bits, description=description)
    assert read_description(path) == description
    with Image.open(path) as opened:
        assert opened.getexif().get(270) == description


def test_equal_pictures_are_equal_files_at_any_time(tmp_path: Path) -> None:
    layers = _noise(channels=4).astype(np.float32) / 255

    def write_all() -> list[bytes]:
        srgb_profile.cache_clear()
        contents = []
        for extension, bits in OUTPUTS:
            path = tmp_path / f"a{extension}"
            write_picture(path, layers[..., :3], layers[..., 3], bits=bits, description="text")
            contents.append(path.read_bytes())
        return contents

    before = write_all()
    time.sleep(1.1)  # Times in files count whole seconds.
    assert write_all() == before


def test_replaces_an_existing_file_with_ordinary_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    write_picture(path, np.zeros((16, 16, 3), np.float32))
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    assert read_picture(path).pixels.max() == 0


@pytest.mark.parametrize("call", ["os.fsync", "os.replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failing_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    seen = []

    def fail(*_: object) -> None:
        seen.extend(name for name in os.listdir(tmp_path) if name != "a.png")
        raise error

    monkeypatch.setattr(call, fail)
    pixels = np.zeros((16, 16, 3), np.float32)
    if isinstance(error, OSError):
        message = _refused(lambda: write_picture(path, pixels), path)
        assert "No space left on device" in message
    else:
        with pytest.raises(KeyboardInterrupt):
            write_picture(path, pixels)
    assert len(seen) == 1 and seen[0].startswith(".")
    assert os.listdir(tmp_path) == ["a.png"]
    assert path.read_bytes() == b"old"


def test_what_a_format_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    message = _refused(lambda: write_picture(path, np.zeros((16, 16384, 3), np.float32)), path)
    assert "WEBP cannot hold it" in message
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("extension, bits", OUTPUTS)
def test_check_output_accepts(tmp_path: Path, extension: str, bits: int) -> None:
    check_output(tmp_path / f"a{extension}", bits)
    check_output(tmp_path / f"a{extension.upper()}", bits)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "name, bits, hint",
    [
        ("a.bmp", 8, ".png .jpg .jpeg .webp .tif .tiff"),
        ("a", 8, ".png .jpg .jpeg .webp .tif .tiff"),
        ("a.jpg", 16, ".png or .tiff"),
        ("a.webp", 16, ".png or .tiff"),
        ("a.png", 12, "8 or 16"),
        ("missing/a.png", 8, "there is no folder"),
        ("file.png/a.png", 8, "there is no folder"),
        ("folder.png", 8, "is a folder"),
    ],
)
def test_check_output_refuses(tmp_path: Path, name: str, bits: int, hint: str) -> None:
    (tmp_path / "file.png").touch()
    (tmp_path / "folder.png").mkdir()
    path = tmp_path / name
    assert hint in _refused(lambda: check_output(path, bits), path)
    pixels = np.zeros((16, 16, 3), np.float32)
    assert hint in _refused(lambda: write_picture(path, pixels, bits=bits), path)


def test_check_output_refuses_a_folder_without_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere, so the answer of the system is put in its mouth.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    path = tmp_path / "a.png"
    assert "no permission" in _refused(lambda: check_output(path, 8), path)
