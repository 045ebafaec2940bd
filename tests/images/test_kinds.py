"""Every kind of sample that a file may hold, against what was put in; the rest by name."""

import struct
import sys
import types
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from picture_files import noise, png_of, refused, swapped_profile, upright_size
from PIL import Image

from stylejax.errors import InputError, InputWarning
from stylejax.images import _kinds
from stylejax.images._kinds import kind_of
from stylejax.images.read import (
    HUGE_PIXELS,
    decode_picture,
    read_description,
    read_picture,
    read_picture_file,
)

COLORS = noise().astype(np.float64) / 255
ALPHA = noise(channels=1)[..., 0].astype(np.float64) / 255
GRAY = COLORS[..., 0]


def samples_of(values: np.ndarray, kind: str) -> np.ndarray:
    if np.dtype(kind).kind == "f":
        return values.astype(kind)
    return np.rint(values * np.iinfo(kind).max).astype(kind)


def as_pixels(gray_or_colors: np.ndarray, alpha: np.ndarray | None = None) -> np.ndarray:
    colors = gray_or_colors
    colors = colors[..., None].repeat(3, axis=-1) if colors.ndim == 2 else colors
    return colors if alpha is None else 1 - alpha[..., None] * (1 - colors)


# Name: what is stored, how it is described, and the picture.
LAYOUTS = {
    "gray": (GRAY, {"photometric": "minisblack"}, as_pixels(GRAY)),
    "white is zero": (1 - GRAY, {"photometric": "miniswhite"}, as_pixels(GRAY)),
    "gray and alpha": (
        np.dstack([GRAY, ALPHA]),
        {"photometric": "minisblack", "extrasamples": ["unassalpha"], "planarconfig": "contig"},
        as_pixels(GRAY, ALPHA),
    ),
    "color": (COLORS, {"photometric": "rgb"}, COLORS),
    "planes": (
        COLORS.transpose(2, 0, 1),
        {"photometric": "rgb", "planarconfig": "separate"},
        COLORS,
    ),
    "color and alpha": (
        np.dstack([COLORS, ALPHA]),
        {"photometric": "rgb", "extrasamples": ["unassalpha"]},
        as_pixels(COLORS, ALPHA),
    ),
    "color times alpha": (
        np.dstack([COLORS * ALPHA[..., None], ALPHA]),
        {"photometric": "rgb", "extrasamples": ["assocalpha"]},
        as_pixels(COLORS, ALPHA),
    ),
    "color and a mask": (
        np.dstack([COLORS, ALPHA]),
        {"photometric": "rgb", "extrasamples": ["unspecified"]},
        COLORS,
    ),
    "inks": (np.dstack([1 - COLORS, 0 * GRAY]), {"photometric": "separated"}, COLORS),
}


KINDS = ["u2", "i2", "f2", "f4", "f8"]
STORAGES = [
    {"byteorder": "<"},
    {"byteorder": ">", "compression": "zlib"},
    {"tile": (16, 16), "bigtiff": True},
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_tiff_of_deep_samples(tmp_path: Path, layout: str, kind: str) -> None:
    stored, described, expected = LAYOUTS[layout]
    # By turns: each layout and each kind is stored in every way.
    storage = STORAGES[(list(LAYOUTS).index(layout) + KINDS.index(kind)) % 3]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, samples_of(stored, kind), **described, **storage)
    # Inks go through Pillow's conversion, which has 8 bits; two bytes of a float have 11.
    tolerance = 0.006 if layout == "inks" else 1e-3 if kind == "f2" else 5e-5
    np.testing.assert_allclose(read_picture(path).pixels, expected, atol=tolerance)
    assert upright_size(path) == (20, 30)


@pytest.mark.parametrize("kind", ["u4", "i4", "u8", "c8"])
def test_samples_that_are_not_supported_are_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((18, 24), kind), photometric="minisblack")
    names = {"u4": "32-bit integer", "i4": "32-bit signed", "u8": "64-bit", "c8": "64-bit complex"}
    message = refused(lambda: read_picture(path), path)
    assert names[kind] in message and "TIFF is not supported" in message


def test_deep_tiff_with_a_palette_or_other_colors(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    table = np.random.default_rng(0).integers(0, 65536, (3, 65536)).astype(np.uint16)
    indices = np.arange(18 * 24, dtype=np.uint16).reshape(18, 24) * 150
    tifffile.imwrite(path, indices, photometric="palette", colormap=table)
    np.testing.assert_allclose(read_picture(path).pixels, table.T[indices] / 65535, atol=1e-6)
    tifffile.imwrite(path, np.zeros((18, 24, 3), np.uint16), photometric="cielab")
    assert "color type CIELAB is not supported" in refused(lambda: read_picture(path), path)
    seven = np.zeros((18, 24, 7), np.uint16)
    tifffile.imwrite(path, seven, photometric="minisblack", planarconfig="contig")
    assert "of 7 channels is not supported" in refused(lambda: read_picture(path), path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_deep_tiff_that_is_cut_off(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.tif"
    for compression in (None, "zlib"):
        tifffile.imwrite(path, samples_of(COLORS, "u2"), photometric="rgb", compression=compression)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        assert "damaged" in refused(lambda: read_picture(path), path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_deep_pictures(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    plain, deep = tmp_path / "a.png", tmp_path / "a.tif"
    Image.fromarray(noise()).save(plain, exif=exif)
    expected = read_picture(plain).pixels
    samples = noise().astype(np.uint16) * 257
    tifffile.imwrite(deep, samples, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    np.testing.assert_allclose(read_picture(deep).pixels, expected, atol=1e-6)
    assert upright_size(deep) == expected.shape[:2]


def test_tiff_whose_codec_is_lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    path = tmp_path / "a.tif"
    deep = (np.random.default_rng(0).random((20, 30, 4)) * 65535).astype(np.uint16)
    monkeypatch.setattr("tifffile.TiffPage.asarray", lacking)
    tifffile.imwrite(path, deep[..., :3], photometric="rgb", compression="zlib")
    np.testing.assert_allclose(read_picture(path).pixels, deep[..., :3] / 65535, atol=1e-6)
    tifffile.imwrite(path, deep, photometric="rgb", extrasamples=["unassalpha"])
    picture = read_picture(path)
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, deep[..., 3] / 65535, atol=1e-6)
    tifffile.imwrite(path, deep[..., 0], photometric="minisblack")
    np.testing.assert_allclose(read_picture(path).pixels[..., 0], deep[..., 0] / 65535, atol=1e-6)
    tifffile.imwrite(path, np.zeros((18, 24, 3), np.float32), photometric="rgb")
    message = refused(lambda: read_picture(path), path)
    assert "32-bit float TIFF" in message and 'pip install "stylejax[tiff]"' in message


def test_camera_raws_are_no_pictures_of_their_thumbnails(tmp_path: Path) -> None:
    path = tmp_path / "a.dng"
    tags = [(50706, 1, 4, (1, 4, 0, 0), True)]
    tifffile.imwrite(path, noise(), photometric="rgb", extratags=tags)
    assert "camera raw is not supported" in refused(lambda: read_picture(path), path)


def deep_png(path: Path, samples: np.ndarray, color_type: int, *chunks: tuple[bytes, bytes]):
    height, width = samples.shape[:2]
    rows = samples.astype(">u2").view(np.uint8).reshape(height, -1)
    lines = np.zeros((height, 1 + rows.shape[1]), np.uint8)
    lines[:, 1:] = rows
    header = struct.pack(">2I5B", width, height, 16, color_type, 0, 0, 0)
    pixels = zlib.compress(lines.tobytes())
    path.write_bytes(png_of([(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]))


def test_16_bit_png(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30, 4))
    color, alpha = deep[..., :3] / 65535, deep[..., 3] / 65535
    deep_png(path, deep[..., :3], 2)
    np.testing.assert_allclose(read_picture(path).pixels, color, atol=1e-6)
    deep_png(path, deep, 6)
    np.testing.assert_allclose(read_picture(path).pixels, as_pixels(color, alpha), atol=1e-6)
    deep_png(path, deep[..., 2:], 4)
    picture = read_picture(path)
    np.testing.assert_allclose(picture.pixels, as_pixels(color[..., 2], alpha), atol=1e-6)
    # One color is transparent, and all that differ from it in the last bit alone are not.
    near = np.full((20, 30, 3), 30000)
    near[:, 15:] += 1
    deep_png(path, near, 2, (b"tRNS", struct.pack(">3H", 30000, 30000, 30000)))
    picture = read_picture(path)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, (near[..., 0] != 30000).astype(np.float32))


def test_a_profile_of_deep_color(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    deep = np.full((20, 30, 3), [51400, 25700, 12850])
    profile = (b"iCCP", b"other\0\0" + zlib.compress(swapped_profile()))
    deep_png(path, deep, 2, profile)
    np.testing.assert_allclose(read_picture(path).pixels[5, 5] * 255, [50, 100, 200], atol=2)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_transparent_gray_of_few_bits(tmp_path: Path, bits: int) -> None:
    path, top = tmp_path / "a.png", 2**bits - 1
    values = np.arange(16 * 24).reshape(16, 24) % (top + 1)
    packed = sum(values[:, at :: 8 // bits] << (8 - bits * (at + 1)) for at in range(8 // bits))
    lines = np.zeros((16, 1 + 3 * bits), np.uint8)
    lines[:, 1:] = packed
    header = struct.pack(">2I5B", 24, 16, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"tRNS", b"\0\1"), (b"IDAT", zlib.compress(lines.tobytes()))]
    path.write_bytes(png_of([*chunks, (b"IEND", b"")]))
    picture = read_picture(path)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, (values != 1).astype(np.float32))
    expected = np.where(values == 1, 1, values / top)
    np.testing.assert_allclose(picture.pixels[..., 0], expected, atol=1e-6)


# JPEG: what is lacking at the end, what no decoder takes, what is huge.


def jpeg(path: Path, **options: object) -> bytes:
    Image.fromarray(noise(60, 80)).save(path, "JPEG", **options)
    return path.read_bytes()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("left", [0, 1])
def test_a_jpeg_that_lacks_its_end_marker_alone(
    tmp_path: Path, progressive: bool, left: int
) -> None:
    path = tmp_path / "a.jpg"
    whole = jpeg(path, progressive=progressive)
    expected = read_picture(path).pixels
    path.write_bytes(whole[: len(whole) - 2 + left])
    with pytest.warns(InputWarning, match="lacks its end marker"):
        np.testing.assert_array_equal(read_picture(path).pixels, expected)
    path.write_bytes(whole[:-6])
    assert "damaged" in refused(lambda: read_picture(path), path)


def test_jpegs_that_no_usual_decoder_takes(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    whole = jpeg(path)
    frame = whole.index(b"\xff\xc0")
    for at, byte, name in (
        (frame + 4, 12, "12-bit JPEG"),
        (frame + 1, 0xC3, "lossless JPEG"),
        (frame + 9, 2, "JPEG with 2 channels"),
    ):
        changed = bytearray(whole)
        changed[at] = byte
        path.write_bytes(changed)
        assert f"{name} is not supported" in refused(lambda: read_picture(path), path)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_huge_picture_is_reduced_on_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ramp = np.linspace(0, 255, 640).astype(np.uint8)
    pixels = np.stack([np.tile(ramp, (480, 1))] * 3, axis=-1)
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(pixels).save(tmp_path / name, exif=exif, quality=95)
    file = read_picture_file(tmp_path / name)
    expected = read_picture(tmp_path / name, 64).pixels
    assert 640 * 480 < HUGE_PIXELS
    monkeypatch.setattr("stylejax.images.read.HUGE_PIXELS", 100_000)
    assert decode_picture(file).pixels.shape == (640, 480, 3)
    assert decode_picture(file, at_least=(64, 48)).pixels.shape[0] in (128, 160)
    np.testing.assert_allclose(read_picture(tmp_path / name, 64).pixels, expected, atol=0.02)


# Other containers.

HEADS = {
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "Photoshop": b"8BPS\0\1",
    "OpenEXR": b"v/1\x01\2\0\0\0",
    "PDF": b"%PDF-1.7\n",
    "SVG": b"<svg xmlns=''>",
    "camera raw": b"II*\0\x10\0\0\0CR\2\0",
    "video": b"\0\0\0\x20ftypisom",
    "Netpbm": b"P6 2 2 255\n",
}


@pytest.mark.parametrize("name", HEADS)
def test_other_containers_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(HEADS[name] + bytes(100))
    message = refused(lambda: read_picture(path), path)
    assert f"{name} is not supported" in message and "damaged" not in message


def test_avif(tmp_path: Path) -> None:
    path, smooth = tmp_path / "a.avif", np.linspace(0, 255, 24 * 40).reshape(24, 40)
    layers = np.dstack([smooth, smooth[::-1], smooth[:, ::-1], smooth]).astype(np.uint8)
    exif = Image.Exif()
    exif[270], exif[274] = "text", 6
    Image.fromarray(layers).save(
        path, exif=exif, quality=95, subsampling="4:4:4", icc_profile=swapped_profile()
    )
    picture, upright = read_picture(path), np.rot90(layers, -1) / 255
    assert picture.alpha is not None and upright_size(path) == (40, 24)
    np.testing.assert_allclose(picture.alpha, upright[..., 3], atol=0.02)
    expected = as_pixels(upright[..., 2::-1], upright[..., 3])
    np.testing.assert_allclose(picture.pixels, expected, atol=0.05)
    assert read_description(path) == "text"


def test_heic_needs_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(100))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert 'pip install "stylejax[heif]"' in refused(lambda: read_picture(path), path)

    # As the extra does it: Pillow is told of a format that it does not know by itself.
    def register() -> None:
        accepts = lambda head: head[4:8] == b"ftyp"
        opens: Any = lambda file, name: Image.new("RGB", (24, 18))
        Image.register_open("HEIF", opens, accepts)

    extra = types.SimpleNamespace(register_heif_opener=register)
    monkeypatch.setitem(sys.modules, "pillow_heif", extra)
    assert _kinds.pillow_formats(path.read_bytes()[:64]) == ("HEIF",)
    Image.OPEN.pop("HEIF")
    Image.ID.remove("HEIF")


def test_brands_tell_avif_from_heic() -> None:
    head = lambda major, *others: b"\0\0\0\x20ftyp" + major + bytes(4) + b"".join(others)
    assert kind_of(head(b"mif1", b"mif1", b"avif", b"miaf")) == "AVIF"
    assert kind_of(head(b"mif1", b"heic")) == kind_of(head(b"heix")) == "HEIF"


# Mistakes.


@pytest.mark.parametrize("error", [TypeError("x"), AttributeError("x"), NameError("x")])
def test_mistakes_of_programming_are_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(noise()).save(path)

    def fail(*_: object) -> None:
        raise error

    # A decoder may raise anything on damaged files, this package may not.
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load_prepare", fail)
    fail.__globals__["__name__"] = "PIL.decoder"
    try:
        assert "damaged" in refused(lambda: read_picture(path), path)
        fail.__globals__["__name__"] = "stylejax.images.read"
        with pytest.raises(type(error)):
            read_picture(path)
    finally:
        fail.__globals__["__name__"] = __name__


def test_paths_may_be_strings(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(noise()).save(path)
    np.testing.assert_array_equal(read_picture(str(path)).pixels, read_picture(path).pixels)
    assert read_description(str(path)) is None
    with pytest.raises(InputError, match="no such file"):
        read_picture("missing.png")
