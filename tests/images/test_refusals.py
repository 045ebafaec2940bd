import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from picture_files import (
    noise,
    png_of,
    refused,
    swapped_profile,
    upright_size,
)
from PIL import Image

from stylejax.errors import InputError
from stylejax.images.read import MAXIMUM_PIXELS, read_description, read_picture

READERS: list[Callable[[Path], object]] = [read_picture, upright_size, read_description]


@pytest.mark.parametrize("reader", READERS)
def test_refuses_what_is_no_picture(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    text, empty, missing = tmp_path / "text.jpg", tmp_path / "empty.png", tmp_path / "missing.png"
    text.write_text("Dear reader,\nthis is a letter.\n")
    empty.touch()
    assert "no such file" in refused(lambda: reader(missing), missing)
    assert "no such file" in refused(lambda: reader(text / "a.png"), text / "a.png")
    assert "is a folder" in refused(lambda: reader(tmp_path), tmp_path)
    assert "empty" in refused(lambda: reader(empty), empty)
    assert "not a picture" in refused(lambda: reader(text), text)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("size", [(1, 1), (10, 3000), (3000, 15)])
def test_refuses_small_pictures(
    tmp_path: Path, size: tuple[int, int], reader: Callable[[Path], object]
) -> None:
    path = tmp_path / "a.png"
    Image.new("1", size).save(path)
    message = refused(lambda: reader(path), path)
    assert f"{size[0]} x {size[1]}" in message and "at least 16" in message


def test_accepts_the_smallest_pictures(tmp_path: Path) -> None:
    Image.new("L", (16, 16)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").pixels.shape == (16, 16, 3)


@pytest.mark.parametrize("reader", READERS)
def test_refuses_a_decompression_bomb(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    path = tmp_path / "a.png"
    header = struct.pack(">2I5B", 60000, 60000, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    path.write_bytes(png_of([(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]))
    assert "more than 178,956,970 pixels" in refused(lambda: reader(path), path)


def test_the_limit_is_that_of_pillow() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert MAXIMUM_PIXELS == 2 * Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_no_warning_below_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    Image.fromarray(noise(20, 30)).save(tmp_path / name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert upright_size(tmp_path / name) == (20, 30)
        assert read_picture(tmp_path / name).pixels.shape == (20, 30, 3)
    assert not caught


@pytest.mark.parametrize("kind", ["a.jpg", "a.png", "a.webp", "a.tif", "a.bmp", "a.gif"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_refuses_cut_off_pictures(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / kind
    Image.fromarray(noise(60, 80)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    message = refused(lambda: read_picture(path), path)
    assert "damaged" in message


@pytest.mark.parametrize("kind", ["a.jpg", "a.png", "a.webp", "a.tif", "a.bmp", "a.gif"])
def test_damage_never_raises_anything_else(tmp_path: Path, kind: str) -> None:
    path, rng = tmp_path / kind, np.random.default_rng(0)
    exif = Image.Exif()
    exif[270], exif[274] = "text", 6
    Image.fromarray(noise()).save(path, exif=exif, icc_profile=swapped_profile())
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
    Image.fromarray(noise()).save(path)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    hint = {MemoryError: "memory", PermissionError: "Permission"}.get(type(error), "damaged")
    assert hint in refused(lambda: read_picture(path), path)


def test_size_comes_from_the_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (2000, 2000)).save(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr("PIL.ImageFile.ImageFile.load")
        patch.delattr("PIL.Image.Image.load")
        assert upright_size(path) == (2000, 2000)
        assert read_description(path) is None
