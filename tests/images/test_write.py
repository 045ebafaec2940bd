import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from picture_files import (
    decode_png16,
    noise,
    png_chunks,
    refused,
)
from PIL import Image, ImageCms, JpegImagePlugin

from stylejax.errors import InputError
from stylejax.images._srgb import srgb_profile
from stylejax.images.read import read_description, read_picture
from stylejax.images.write import WRITE_FORMATS, check_output, write_picture

ALL_EXTENSIONS = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif"]
DESCRIPTION = '{"content": "a \\"quoted\\" name.jpg", "seeds": [' + "12345, " * 500 + "0]}"


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
    pixels = noise(64, 64).astype(np.float32) / 255
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
    layers = noise(channels=4).astype(np.float32) / 255
    pixels, alpha = layers[..., :3], layers[..., 3]
    write_picture(tmp_path / name, pixels, alpha, bits=bits)
    picture = read_picture(tmp_path / name)
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, alpha, atol=1e-6)
    expected = 1 - alpha[..., None] * (1 - pixels)
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-6)


def test_alpha_in_webp_and_jpeg(tmp_path: Path) -> None:
    pixels = np.full((20, 30, 3), 0.5, np.float32)
    alpha = noise(channels=1)[..., 0].astype(np.float32) / 255
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
    kinds = [kind for kind, _ in png_chunks(png)]
    assert kinds == [b"IHDR", b"iCCP", b"eXIf", b"IDAT", b"IEND"]
    tiff = tifffile.imread(tmp_path / "a.tif")
    assert tiff.dtype == np.uint16
    for samples in (decode_png16(png), tiff):
        np.testing.assert_allclose(samples / 65535, layers, atol=0.51 / 65535)


def test_16_bit_of_any_memory_layout(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((3, 20, 30), np.float32).transpose(1, 2, 0)
    write_picture(tmp_path / "a.png", pixels, bits=16)
    samples = decode_png16((tmp_path / "a.png").read_bytes())
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
    layers = noise(channels=4).astype(np.float32) / 255

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
        message = refused(lambda: write_picture(path, pixels), path)
        assert "No space left on device" in message
    else:
        with pytest.raises(KeyboardInterrupt):
            write_picture(path, pixels)
    assert len(seen) == 1 and seen[0].startswith(".")
    assert os.listdir(tmp_path) == ["a.png"]
    assert path.read_bytes() == b"old"


def test_what_a_format_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    message = refused(lambda: write_picture(path, np.zeros((16, 16384, 3), np.float32)), path)
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
        ("a.bmp", 8, ".png .jpg .jpeg .webp .tif .tiff .avif"),
        ("a", 8, ".png .jpg .jpeg .webp .tif .tiff .avif"),
        ("a.jpg", 16, ".png or .tiff"),
        ("a.webp", 16, ".png or .tiff"),
        ("a.avif", 16, ".png or .tiff"),
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
    assert hint in refused(lambda: check_output(path, bits), path)
    pixels = np.zeros((16, 16, 3), np.float32)
    assert hint in refused(lambda: write_picture(path, pixels, bits=bits), path)


def test_check_output_refuses_a_folder_without_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere, so the answer of the system is put in its mouth.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    path = tmp_path / "a.png"
    assert "no permission" in refused(lambda: check_output(path, 8), path)


def stored(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened)


def test_writes_what_is_given_in_any_form(tmp_path: Path) -> None:
    path, samples = tmp_path / "a.png", noise()
    floats = samples.astype(np.float32) / 255
    for given in (samples, samples.astype(np.uint16) * 257, floats, Image.fromarray(samples)):
        write_picture(str(path), given)
        np.testing.assert_array_equal(stored(path), samples)
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    write_picture(path, deep, bits=16)
    np.testing.assert_array_equal(decode_png16(path.read_bytes()), deep)
    # A Pillow picture brings its alpha along, and the colors under it.
    layers = noise(channels=4)
    write_picture(path, Image.fromarray(layers))
    np.testing.assert_array_equal(stored(path), layers)
    write_picture(path, samples, layers[..., 3])
    np.testing.assert_array_equal(stored(path)[..., 3], layers[..., 3])


@pytest.mark.parametrize("scale, hint", [(255, "divide by 255"), (np.nan, "not finite")])
def test_does_not_write_what_is_no_picture(tmp_path: Path, scale: float, hint: str) -> None:
    pixels = noise().astype(np.float32) / 255
    with pytest.raises(InputError, match=f"pixels: .*{hint}"):
        write_picture(tmp_path / "a.png", pixels * scale)
    with pytest.raises(InputError, match="alpha: 9 x 30 for a picture of 20 x 30"):
        write_picture(tmp_path / "a.png", pixels, pixels[:9, :, 0])
    assert not os.listdir(tmp_path)
