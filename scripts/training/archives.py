"""Pictures to learn from, out of zip archives: 64 px tiles with labels, photographs of any size.

What an archive holds is found out before anything is decoded: the programs that read the pictures
are compiled for their number and sizes, meanwhile threads decode them.
"""

import io
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Int32, UInt8
from PIL import Image, ImageDraw

from stylejax.errors import InputError

TILE = 64
_CHUNK = 500
"""Tiles that a thread decodes at a time."""
_KINDS = (".webp", ".png", ".jpg", ".jpeg")
_LARGEST = np.iinfo(np.int32).max

Tiles = UInt8[Array, "tiles 64 64 3"] | UInt8[np.ndarray, "tiles 64 64 3"]


class Pictures(NamedTuple):
    """Tiles, and photographs as their rows of pixels laid end to end.

    `places` says of each photograph where its first pixel lies, its height and its width; those
    whose shorter side is the longest come first.
    """

    tiles: Tiles
    pixels: UInt8[Array, "pixels 3"] | UInt8[np.ndarray, "pixels 3"]
    places: Int32[Array, "photographs 3"] | Int32[np.ndarray, "photographs 3"]


class Contents(NamedTuple):
    """What some archives hold: `tiles` are (archive, member), `photographs` have a size besides."""

    tiles: tuple[tuple[Path, str], ...]
    photographs: tuple[tuple[Path, str, int, int], ...]

    @property
    def sides(self) -> tuple[int, ...]:
        """The shorter side of each photograph, falling."""
        return tuple(min(height, width) for _, _, height, width in self.photographs)

    @property
    def labels(self) -> np.ndarray:
        """For each tile the index of its folder in the sorted list of all folders."""
        return np.unique([member.split("/")[0] for _, member in self.tiles], return_inverse=True)[1]


def _opened(file: zipfile.ZipFile, member: str) -> Image.Image:
    """A picture whose header has been read."""
    try:
        return Image.open(io.BytesIO(file.read(member)))
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{file.filename}: {member} is no whole picture; take it out or get the archive again"
        ) from error


def _pixels(file: zipfile.ZipFile, member: str) -> np.ndarray:
    try:
        with _opened(file, member) as picture:
            return np.asarray(picture.convert("RGB"))
    except OSError as error:
        raise InputError(
            f"{file.filename}: {member} is no whole picture; take it out or get the archive again"
        ) from error


def survey(archives: Sequence[Path]) -> Contents:
    """Find out what zip archives hold; one whose first picture is 64x64 is one of tiles.

    Raises:
        InputError: an archive is missing, no zip, or holds no picture.
    """
    tiles: list[tuple[Path, str]] = []
    photographs: list[tuple[Path, str, int, int]] = []
    for archive in archives:
        try:
            file = zipfile.ZipFile(archive)
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(f"{archive}: is no zip archive ({error}); name another") from error
        with file:
            members = sorted(name for name in file.namelist() if name.lower().endswith(_KINDS))
            if not members:
                raise InputError(f"{archive}: there is no picture in it; name another archive")
            if _opened(file, members[0]).size == (TILE, TILE):
                tiles += [(archive, member) for member in members]
                continue
            for member in members:
                with _opened(file, member) as picture:
                    photographs.append((archive, member, picture.height, picture.width))
    photographs.sort(key=lambda each: min(each[2:]), reverse=True)
    if sum(height * width for _, _, height, width in photographs) > _LARGEST:
        raise InputError(f"the photographs have more than {_LARGEST:,} pixels: name fewer")
    return Contents(tuple(tiles), tuple(photographs))


def _decode_tiles(files: dict[Path, zipfile.ZipFile], contents: Contents, first: int) -> np.ndarray:
    found = []
    for archive, member in contents.tiles[first : first + _CHUNK]:
        tile = _pixels(files[archive], member)
        if tile.shape != (TILE, TILE, 3):
            raise InputError(
                f"{archive}: {member} is not {TILE}x{TILE} as the first one is; tiles and "
                "photographs belong in archives of their own"
            )
        found.append(tile)
    return np.stack(found)


def places(contents: Contents) -> Int32[np.ndarray, "photographs 3"]:
    """Of each photograph the first pixel, the height and the width, as `decode` lays them."""
    sizes = np.array([each[2:] for each in contents.photographs], np.int64).reshape(-1, 2)
    ends = np.cumsum(sizes[:, 0] * sizes[:, 1])
    return np.column_stack([np.r_[0, ends][:-1], sizes]).astype(np.int32)


def decode(contents: Contents) -> Pictures:
    """Decode all that archives hold, in as many threads as there are processors.

    Raises:
        InputError: a picture is damaged, or not of its archive's kind.
    """
    where = places(contents)
    pixels = np.empty((int(np.prod(where[:, 1:], axis=1, dtype=np.int64).sum()), 3), np.uint8)
    tiles = np.empty((len(contents.tiles), TILE, TILE, 3), np.uint8)
    archives = {each[0] for each in (*contents.tiles, *contents.photographs)}
    files = {archive: zipfile.ZipFile(archive) for archive in archives}

    def photograph(number: int) -> None:
        archive, member, height, width = contents.photographs[number]
        first = where[number, 0]
        pixels[first : first + height * width] = _pixels(files[archive], member).reshape(-1, 3)

    try:
        with ThreadPoolExecutor() as pool:
            starts = range(0, len(tiles), _CHUNK)
            large = pool.map(photograph, range(len(where)))
            small = pool.map(partial(_decode_tiles, files, contents), starts)
            for first, found in zip(starts, small, strict=True):
                tiles[first : first + _CHUNK] = found
            list(large)
    finally:
        for file in files.values():
            file.close()
    return Pictures(tiles, pixels, where)


def painted_tiles(count: int, seed: int) -> np.ndarray:
    """Tiles painted by program: curved strokes that follow a smooth field, in a small palette."""
    random = np.random.default_rng(seed)
    tiles = np.empty((count, TILE, TILE, 3), np.uint8)
    for tile in tiles:
        palette = random.integers(0, 256, (random.integers(2, 7), 3))
        canvas = Image.new("RGB", (2 * TILE, 2 * TILE), tuple(map(int, palette[0])))
        draw = ImageDraw.Draw(canvas)
        frequency, phase = random.normal(0.0, random.uniform(0.005, 0.05), 2), random.uniform(0, 6)
        turns, width = random.uniform(0.0, 3.0), int(random.integers(1, 12))
        for _ in range(random.integers(20, 300)):
            points = [random.uniform(0.0, 2 * TILE, 2)]
            for _ in range(random.integers(2, 9)):
                angle = phase + turns * np.sin(frequency @ points[-1] * 2 * np.pi)
                points.append(points[-1] + 6.0 * np.array([np.cos(angle), np.sin(angle)]))
            shade = palette[random.integers(len(palette))] + random.normal(0.0, 12.0, 3)
            color = tuple(map(int, np.clip(shade, 0, 255)))
            draw.line([tuple(point) for point in points], color, width, joint="curve")
        tile[:] = np.asarray(canvas.resize((TILE, TILE), Image.Resampling.BOX))
    return tiles
