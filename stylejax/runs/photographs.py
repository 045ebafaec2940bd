"""Photographs to train with: from folders and zip archives to square tiles of samples."""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from stylejax.errors import ZIP_ERRORS, InputError
from stylejax.images.paths import guarded_path, is_folder, is_special, path_exists, read_bytes
from stylejax.images.read import READ_SUFFIXES, PictureFile, decode_picture
from stylejax.images.scaling import cover_and_crop, resize
from stylejax.types import OtherPixels, Pixels

_ENDINGS = READ_SUFFIXES - {".gif"}


class Photographs(NamedTuple):
    """Tiles of all photographs that could be read, and how many could and could not."""

    tiles: UInt8[np.ndarray, "tiles side side 3"]
    read: int
    refused: int


def _contents(place: Path) -> Iterator[tuple[Path, bytes]]:
    """Names and bytes of all pictures in a folder or a zip archive, or of one picture file."""
    if is_folder(place):
        with guarded_path(place, "name another folder"):
            found = sorted(path for path in place.rglob("*") if path.suffix.lower() in _ENDINGS)
        yield from ((path, _read(path.read_bytes)) for path in found)
    elif place.suffix.lower() in _ENDINGS and path_exists(place):
        yield place, read_bytes(place, "photograph")
    elif path_exists(place) and not is_special(place) and zipfile.is_zipfile(place):
        with _archive(place) as archive:
            for name in sorted(archive.namelist()):
                if Path(name).suffix.lower() in _ENDINGS:
                    yield place / name, _read(lambda name=name: archive.read(name))
    else:
        raise InputError(f"photographs {place}: neither a folder nor a zip archive; name one")


def _archive(place: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(place)
    except (OSError, *ZIP_ERRORS) as error:
        raise InputError(f"photographs {place}: {error}; get the archive again") from error


def _read(get: Callable[[], bytes]) -> bytes:
    """What `get` returns; nothing, which is no picture, of what is closed to us or damaged."""
    try:
        return get()
    except (OSError, RuntimeError, zlib.error, *ZIP_ERRORS):
        return b""


def _pictures(places: Sequence[Path]) -> Iterator[tuple[Path, bytes]]:
    for place in places:
        yield from _contents(place)


def _cut(pixels: OtherPixels, side: int) -> UInt8[np.ndarray, "tiles side side 3"]:
    """A photograph scaled to a shorter side of `side`, in squares spread along the longer one."""
    height, width = pixels.shape[:2]
    scale = side / min(height, width)
    height, width = max(side, round(height * scale)), max(side, round(width * scale))
    samples = np.rint(255 * resize(pixels, height, width)).astype(np.uint8)
    count = -(-max(height, width) // side)
    tops, lefts = (
        np.linspace(0, length - side, count).round().astype(int) for length in (height, width)
    )
    return np.stack([samples[t : t + side, l : l + side] for t, l in zip(tops, lefts, strict=True)])


def read_photographs(places: Sequence[Path], side: int) -> Photographs:
    """Decode every picture of folders and zip archives, cut into squares of `side` pixels.

    Raises:
        InputError: a place is neither a folder nor an archive, or no picture in them can be read.
    """

    def tiles(picture: tuple[Path, bytes]) -> np.ndarray | None:
        path, content = picture
        try:
            return _cut(decode_picture(PictureFile(path, content, 0, 0)).pixels, side)
        except InputError:
            return None

    # Pillow lets other threads run while it decodes and scales.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        each = list(pool.map(tiles, _pictures(places)))
    read = [cut for cut in each if cut is not None]
    if not read:
        named = ", ".join(map(str, places))
        raise InputError(f"no picture that can be read in {named}; name a folder of photographs")
    return Photographs(np.concatenate(read), len(read), len(each) - len(read))


def read_squares(paths: Sequence[Path], size: int) -> list[Pixels]:
    """The middle squares of pictures, scaled to `size` pixels.

    Raises:
        InputError: as in `read_photographs`, or a picture cannot be read.
    """
    files = [PictureFile(path, content, 0, 0) for path, content in _pictures(paths)]
    return [cover_and_crop(decode_picture(file).pixels, size, size) for file in files]
