"""Painting in learned styles from files to files: one photograph, several, or a folder of them.

This is the rim, as `universal.py` beside it: disk and clock are touched here, the terminal only
through the function that the caller passes.
"""

import time
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from stylejax.devices.memory import Device, find_devices, memory_guard
from stylejax.feedforward.large import paint_in_strips
from stylejax.feedforward.mixtures import masked_mixture, style_mixture
from stylejax.feedforward.network import Painter
from stylejax.feedforward.normalization import AllStatistics
from stylejax.feedforward.run import bucket, kernels_for, paint_photograph
from stylejax.images.color import recolored
from stylejax.images.mask_files import decode_mask
from stylejax.images.masks import Mask, Masks, check_masks
from stylejax.images.paths import make_folder
from stylejax.images.read import PictureFile, read_picture_file
from stylejax.images.scaling import cover_and_crop
from stylejax.options import normalized_shares
from stylejax.runs.apply_request import ApplyRequest, check_apply_request
from stylejax.runs.checks import check_masks_fit
from stylejax.runs.foreign_apply import ForeignPainter, foreign_style
from stylejax.runs.metadata import Record, file_entry, make_apply_record
from stylejax.runs.one_pass import (
    Observer,
    paint_all,
    read_sized,
    rows_that_fit,
    write_with_record,
)
from stylejax.runs.painters import choose_styles
from stylejax.runs.printing import print_advice, print_entry
from stylejax.runs.repeated import check_expected
from stylejax.types import Alpha, Pixels

_BYTES_A_PIXEL = 900
"""Of memory that a whole picture takes at its peak at half width, measured on a CPU at 1,024 and
2,048 px; it grows with the width."""
_MEASURED_WIDTH = 0.5


class ApplySummary(NamedTuple):
    """How a run ended: `failed` names the photographs that could not be used, and why.

    `styles` are the styles' names, `network` and `sha256` their file.
    """

    output: Path
    pictures: tuple[Path, ...]
    failed: tuple[str, ...]
    styles: tuple[str, ...]
    network: str
    sha256: str
    device: Device
    seconds: float


class StylePainter:
    """Paints one photograph after the other.

    Attributes:
        request: what is asked for; its options may change from picture to picture.
        chosen: the network and the rows of the styles.
        held: the statistics that photographs are painted with, and the photograph that they are
            of; None as long as each has its own.
    """

    def __init__(self, request: ApplyRequest) -> None:
        """Read all but the photographs.

        Raises:
            InputError: something cannot be used.
        """
        self.request = request
        self.device = find_devices(request.device)[0]
        self.chosen = choose_styles(request.options.paint.style)
        file = self.chosen.file
        self.painter = Painter(
            file.painter.styles, file.painter.width, kernels=kernels_for(self.device.platform)
        )
        self.masks = {path: read_picture_file(path) for path in request.content_masks}
        sums = {path: mask.sha256 for path, mask in self.masks.items()}
        check_expected(request.expected, sums | {self.chosen.path: file.sha256})
        self.held: tuple[AllStatistics, PictureFile] | None = None

    @property
    def made_with(self) -> tuple[tuple[str, ...], str, str]:
        """The names of the styles, and name and checksum of their file."""
        file = self.chosen.file
        names = tuple(file.names[row - 1] for row in self.chosen.rows)
        return names, self.chosen.path.name, file.sha256

    def mixture(self, masks: tuple[Mask, ...]) -> Array:
        """The weights of the network's rows, for all of the picture or pixel by pixel."""
        options, styles = self.request.options.paint, self.chosen.file.painter.styles
        shares = jnp.zeros(styles)
        if not masks:
            each = normalized_shares(options.style_blend, len(self.chosen.rows))
            shares = shares.at[jnp.array(self.chosen.rows) - 1].set(jnp.array(each))
            return style_mixture(shares, options.strength)
        alone = [
            style_mixture(shares.at[row - 1].set(1.0), options.strength) for row in self.chosen.rows
        ]
        return masked_mixture(jnp.stack(alone), jnp.stack(masks))

    def _read(self, file: PictureFile) -> tuple[Pixels, Alpha | None, tuple[Mask, ...]]:
        """A photograph at the size of the result, its transparency and its masks."""
        size, paths = self.request.options.picture.size, self.request.content_masks
        check_masks_fit(paths, (), file, [None] * len(paths), self.masks)
        pixels, alpha = read_sized(file, size, self.request.paper)
        height, width = pixels.shape[:2]
        if self.request.paper.print:
            native = (decode_mask(self.masks[path], file.height, file.width) for path in paths)
            masks = tuple(cover_and_crop(mask, height, width) for mask in native)
        else:
            masks = tuple(decode_mask(self.masks[path], height, width) for path in paths)
        if masks:
            check_masks(Masks(masks), len(masks))
        return pixels, alpha, masks

    def _rows(self, height: int, width: int) -> int:
        """Rows to work on at a time; 0 for all.

        Raises:
            InputError: not even strips of so many rows fit.
        """
        a_pixel = _BYTES_A_PIXEL * self.painter.width / _MEASURED_WIDTH
        whole = bucket(height) * bucket(width) * a_pixel
        asked = self.request.strip_rows
        with print_advice(self.request.paper):
            return rows_that_fit(asked, height, width, a_pixel, self.device, whole)

    def picture(self, file: PictureFile) -> tuple[Pixels, Alpha | None]:
        """What is made of a photograph, and its transparency.

        Raises:
            InputError: the photograph cannot be used, or a mask does not fit it.
        """
        options = self.request.options.picture
        pixels, alpha, masks = self._read(file)
        rows = self._rows(*pixels.shape[:2])
        held = None if self.held is None else self.held[0]
        inputs = (self.painter, self.chosen.file.parameters, self.mixture(masks), held)
        if rows:
            painting = paint_in_strips(pixels, *inputs, rows=rows)
        else:
            painting = paint_photograph(pixels, *inputs)
        if options.hold_statistics == "first" and self.held is None:
            self.held = painting.statistics, file
        return recolored(options.kept_color, painting.image, pixels), alpha

    def record(self, file: PictureFile) -> Record:
        """The record of a photograph's picture."""
        styles = self.request.options.paint.style
        held = None if self.held is None or self.held[1] is file else self.held[1]
        record = make_apply_record(
            self.request.options.flat | {"style": [_without_folder(name) for name in styles]},
            file_entry(file),
            {"name": self.chosen.path.name, "sha256": self.chosen.file.sha256},
            [file_entry(self.masks[path]) for path in self.request.content_masks],
            None if held is None else file_entry(held),
            self.device.platform,
        )
        return record | print_entry(self.request.paper)

    def _file(self, path: Path) -> PictureFile:
        file = read_picture_file(path)
        check_expected(self.request.expected, {path: file.sha256})
        return file

    def hold(self, path: Path) -> None:
        """Take the statistics of a photograph for all others, as `hold_statistics` says.

        Raises:
            InputError: the photograph cannot be used, or its statistics are not to be held.
        """
        self.picture(self._file(path))

    def paint(self, path: Path, output: Path) -> None:
        """Make one picture file.

        Raises:
            InputError: as in `picture`, or the file cannot be written.
        """
        file = self._file(path)
        longest = self.request.options.picture.size or max(file.height, file.width)
        with memory_guard(longest, self.device):
            image, alpha = self.picture(file)
        if not self.request.is_single:
            make_folder(output.parent)
        picture = self.request.options.picture
        write_with_record(output, image, alpha, picture, self.record(file), self.request.paper)


def _without_folder(style: str) -> str:
    """A style's name without the folder of its file, which would differ between machines."""
    return Path(style).name


def run_apply(
    request: ApplyRequest, observer: Observer = lambda what, done, total: None
) -> ApplySummary:
    """Paint the photograph, or the photographs, that a request names.

    Args:
        request: what is to be done.
        observer: is told how far it is.

    Returns:
        What was made; of several photographs those that could not be used, while all others are.

    Raises:
        InputError: something in the request cannot be used; nothing has been written then.
    """
    began = time.monotonic()
    check_apply_request(request)
    jobs = request.jobs
    foreign = foreign_style(request)
    painter = StylePainter(request) if foreign is None else ForeignPainter(request, foreign)
    with jax.default_device(painter.device):
        if request.held is not None and isinstance(painter, StylePainter):
            painter.hold(request.held)
        painted = paint_all(jobs, painter.paint, observer, is_single=request.is_single)
    seconds = time.monotonic() - began
    return ApplySummary(request.output, *painted, *painter.made_with, painter.device, seconds)
