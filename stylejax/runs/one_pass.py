"""What methods of one pass share: strips that fit, the loop over photographs, writing."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from stylejax.devices.memory import Device, available_memory, total_memory, what_fits
from stylejax.errors import InputError
from stylejax.feedforward.options import ApplyPictureOptions
from stylejax.images.write import write_picture
from stylejax.runs.metadata import Record
from stylejax.strict_json import json_text
from stylejax.types import Alpha, Pixels
from stylejax.universal.options import UniversalPictureOptions

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
        InputError: not even strips fit.
    """
    fits = whole <= _SHARE_OF_MEMORY * total_memory(device)
    rows = asked or (0 if fits else _STRIP_ROWS)
    needed = min(rows or height, height) * width * bytes_a_pixel
    free = available_memory(device)
    if needed > free:
        # Of strips with as many rows only the width grows.
        share = 0.95 * free / needed
        fits = what_fits(max(height, width) * (share if rows else math.sqrt(share)))
        raise InputError(
            f"{rows or height} rows of {width} pixels need {needed / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free: {fits}, and so may a smaller --strip-rows"
        )
    return rows


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
    options: UniversalPictureOptions | ApplyPictureOptions,
    record: Record,
) -> None:
    """Write a picture with the record of how it was made.

    Raises:
        InputError: the file cannot be written.
    """
    text = json_text(record)
    write_picture(
        output, image, alpha, bits=options.bits, quality=options.quality, description=text
    )
