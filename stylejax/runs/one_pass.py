"""What methods of one pass share: strips that fit, the loop over photographs, writing."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import psutil

from stylejax.devices.memory import Device, available_memory, total_memory, what_fits
from stylejax.errors import DoesNotFit, InputError
from stylejax.images.read import Picture, PictureFile, decode_picture, scaled_size
from stylejax.images.scaling import cover_and_crop, resize
from stylejax.images.write import BYTES_TO_WRITE, longest_side
from stylejax.runs.metadata import Record
from stylejax.runs.printing import PrintOptions
from stylejax.runs.results import FileOptions, write_result
from stylejax.strict_json import json_text
from stylejax.types import Alpha, Pixels

Observer = Callable[[str, int, int], None]
"""Is told what is being painted, how many pictures are done, and how many there are."""
Photo = TypeVar("Photo", bound=Path | None)

_SHARE_OF_MEMORY = 0.6
_STRIP_ROWS = 256


class Painted(NamedTuple):
    """The pictures that were made, and what is wrong with the photographs that failed."""

    pictures: tuple[Path, ...]
    failed: tuple[str, ...]


def rows_that_fit(
    asked: int, height: int, width: int, bytes_a_pixel: float, device: Device, whole: float
) -> int:
    """Rows of a picture to work on at a time: as asked, or so many that they fit; 0 for all.

    Args:
        asked: rows that the user asks for, 0 for none.
        height: of the picture.
        width: likewise.
        bytes_a_pixel: of memory that working on it takes at its peak.
        device: that it is worked on.
        whole: bytes that the whole picture takes, with what pads it.

    Raises:
        DoesNotFit: not even strips do.
    """
    fits = whole <= _SHARE_OF_MEMORY * total_memory(device)
    rows = asked or (0 if fits else _STRIP_ROWS)
    needed = min(rows or height, height) * width * bytes_a_pixel
    free = available_memory(device)
    if needed > free:
        # Of strips with as many rows only the width grows.
        share = 0.95 * free / needed
        fits = max(height, width) * (share if rows else math.sqrt(share))
        raise DoesNotFit(
            f"{rows or height} rows of {width} pixels need {needed / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free: {what_fits(fits)}, and so may a smaller --strip-rows",
            int(fits) // 16 * 16,
        )
    return rows


def check_result_fits(path: Path, output: Path, height: int, width: int) -> None:
    """Refuse a picture whose result, of so many pixels, no memory or its format cannot hold.

    Raises:
        InputError: names the picture, what it takes, and what there is.
    """
    name, longest = longest_side(output)
    if max(height, width) > longest:
        raise InputError(
            f"{path}: becomes {width} x {height} pixels, {name} has {longest} at most along a "
            "side; write .png or .tiff"
        )
    needed, free = height * width * BYTES_TO_WRITE, psutil.virtual_memory().available
    if needed > free:
        raise InputError(
            f"{path}: becomes {width} x {height} pixels, which need {needed / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free; crop it, or give a smaller --factor"
        )


def read_sized(file: PictureFile, size: int, paper: PrintOptions | None = None) -> Picture:
    """Decode a photograph with its longest side as asked, 0 for its own size; or as for a print.

    Raises:
        InputError: it cannot be used, or gets too small.
    """
    if paper is not None and paper.print:
        shape = paper.painted_shape(size or max(file.height, file.width), is_asked=bool(size))
        assert shape is not None
        pixels, alpha = decode_picture(file, at_least=shape)
        inside = partial(cover_and_crop, height=shape[0], width=shape[1])
        return Picture(inside(pixels), None if alpha is None else inside(alpha))
    if not size:
        return decode_picture(file)
    shape = scaled_size(file, size)
    picture = decode_picture(file, at_least=shape)
    alpha = None if picture.alpha is None else resize(picture.alpha, *shape)
    return Picture(resize(picture.pixels, *shape), alpha)


def paint_all(
    jobs: Sequence[tuple[Photo, Path]],
    paint: Callable[[Photo, Path], None],
    observer: Observer,
    *,
    is_single: bool,
) -> Painted:
    """Make one picture after the other; of several those that can be made.

    Raises:
        InputError: the only one cannot be made.
    """
    made, failed = [], []
    for number, (path, output) in enumerate(jobs):
        observer("texture" if path is None else path.name, number, len(jobs))
        try:
            paint(path, output)
            made.append(output)
        except InputError as error:
            if is_single:
                raise
            failed.append(str(error))
    return Painted(tuple(made), tuple(failed))


def write_with_record(
    output: Path,
    image: Pixels,
    alpha: Alpha | None,
    options: FileOptions,
    record: Record,
    paper: PrintOptions | None = None,
) -> None:
    """Write a picture with the record of how it was made; a print at its size.

    Raises:
        InputError: the file cannot be written.
    """
    write_result(output, image, alpha, options, json_text(record), paper)
