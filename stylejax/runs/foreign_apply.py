"""Photographs painted in a style that another program has trained, from files to files."""

import math
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from stylejax.devices.memory import available_memory, find_devices, memory_guard, what_fits
from stylejax.errors import InputError
from stylejax.feedforward.foreign import paint_foreign
from stylejax.feedforward.options import ApplyOptions
from stylejax.images.color import recolored
from stylejax.images.paths import make_folder
from stylejax.images.read import PictureFile, read_picture_file
from stylejax.runs.apply_request import ApplyRequest
from stylejax.runs.foreign_file import is_foreign_file, read_foreign
from stylejax.runs.metadata import Record, file_entry, make_apply_record
from stylejax.runs.one_pass import read_sized, write_with_record
from stylejax.runs.printing import print_entry
from stylejax.runs.repeated import check_expected
from stylejax.types import Alpha, OtherPixels, Pixels

_BYTES_A_PIXEL = 1_200
"""Of memory at the peak: full-size maps have 32 channels."""


def foreign_style(request: ApplyRequest) -> Path | None:
    """The file of another program's style that a request names; None where it names others.

    Raises:
        InputError: it names such a file, and what its program has not.
    """
    paths = [Path(style) for style in request.options.paint.style]
    foreign = [path for path in paths if is_foreign_file(path)]
    if not foreign:
        return None
    path, usual = foreign[0], ApplyOptions()
    if len(paths) > 1:
        raise InputError(f"--style {path}: another program's style does not mix; name it alone")
    given = {
        "--strength": request.options.paint.strength != usual.strength,
        "--content-mask": bool(request.content_masks),
        "--hold-statistics": request.options.picture.hold_statistics != "none",
        "--strip-rows": request.strip_rows != 0,
    }
    for flag, is_given in given.items():
        if is_given:
            raise InputError(f"{flag}: the program that made {path} has none; leave it out")
    return path


class ForeignPainter:
    """Paints one photograph after the other."""

    def __init__(self, request: ApplyRequest, path: Path) -> None:
        """Read all but the photographs.

        Raises:
            InputError: something cannot be used.
        """
        self.request, self.file = request, read_foreign(path)
        check_expected(request.expected, {path: self.file.sha256})
        self.device = find_devices(request.device)[0]
        style = self.file.style
        tensors = {name: jnp.asarray(each) for name, each in style.tensors.items()}
        paint = lambda tensors, picture: paint_foreign(style._replace(tensors=tensors), picture)
        self.program = partial(jax.jit(paint), jax.device_put(tensors, self.device))

    @property
    def made_with(self) -> tuple[tuple[str, ...], str, str]:
        """The style's name, and name and checksum of its file."""
        return (Path(self.file.name).stem,), self.file.name, self.file.sha256

    def _painted(self, path: Path, pixels: OtherPixels) -> Pixels:
        height, width = pixels.shape[:2]
        needed, free = height * width * _BYTES_A_PIXEL, available_memory(self.device)
        if needed > free:
            fits = what_fits(max(height, width) * math.sqrt(0.95 * free / needed))
            raise InputError(
                f"{path}: {width} x {height} pixels need {needed / 1e9:.1f} GB, "
                f"{free / 1e9:.1f} GB are free: {fits}"
            )
        return np.asarray(self.program(pixels))

    def picture(self, file: PictureFile) -> tuple[Pixels, Alpha | None]:
        """What is made of a photograph, and its transparency.

        Raises:
            InputError: the photograph cannot be used, or does not fit into memory.
        """
        options = self.request.options.picture
        pixels, alpha = read_sized(file, options.size, self.request.paper)
        return recolored(options.kept_color, self._painted(file.path, pixels), pixels), alpha

    def record(self, file: PictureFile) -> Record:
        """The record of a photograph's picture."""
        style = {"name": self.file.name, "sha256": self.file.sha256}
        options = self.request.options.flat | {"style": [self.file.name]}
        record = make_apply_record(options, file_entry(file), style, (), None, self.device.platform)
        return record | print_entry(self.request.paper) | {"program": self.file.style.program}

    def paint(self, path: Path, output: Path) -> None:
        """Make one picture file.

        Raises:
            InputError: as in `picture`, or the file cannot be written.
        """
        file = read_picture_file(path)
        check_expected(self.request.expected, {path: file.sha256})
        longest = self.request.options.picture.size or max(file.height, file.width)
        with memory_guard(longest, self.device):
            image, alpha = self.picture(file)
        if not self.request.is_single:
            make_folder(output.parent)
        options, paper = self.request.options.picture, self.request.paper
        write_with_record(output, image, alpha, options, self.record(file), paper)
