"""Universal style transfer from files to files: one photograph, a folder of them, or a texture.

This is the rim, as `transfer.py` beside it: disk and clock are touched here, the terminal only
through the function that the caller passes.
"""

import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from stylejax.devices.memory import Device, memory_guard
from stylejax.images.masks import Masks, check_masks
from stylejax.images.paths import make_folder
from stylejax.images.read import PictureFile, read_picture_file
from stylejax.runs._universal_files import (
    PreparedUniversal,
    UniversalContent,
    native_style_masks,
    prepare_universal,
    read_content,
    styles_for,
    universal_record,
)
from stylejax.runs.checks import check_masks_fit
from stylejax.runs.one_pass import Observer, paint_all, rows_that_fit, write_with_record
from stylejax.runs.printing import print_advice
from stylejax.runs.repeated import check_expected
from stylejax.runs.universal_request import (
    UniversalRequest,
    check_universal_request,
    list_jobs,
)
from stylejax.transfer.transfer import finished_picture
from stylejax.types import Alpha, Pixels
from stylejax.universal.chain import Style
from stylejax.universal.decoder_weights import Decoders
from stylejax.universal.run import synthesize_texture, universal_transfer
from stylejax.universal.style_file import write_style
from stylejax.weights.read import Weights

_BYTES_A_PIXEL = 3_000.0
"""Of memory that a whole picture takes at its peak, measured on a CPU at 512 and 1,024 px."""


class UniversalSummary(NamedTuple):
    """How a run ended: `failed` names the photographs that could not be used, and why."""

    output: Path
    pictures: tuple[Path, ...]
    failed: tuple[str, ...]
    weights: Weights
    decoders: Decoders
    device: Device
    seconds: float


def _rows(prepared: PreparedUniversal, height: int, width: int) -> int:
    """Rows to work on at a time; 0 for all."""
    whole, asked = height * width * _BYTES_A_PIXEL, prepared.request.strip_rows
    with print_advice(prepared.request.paper):
        return rows_that_fit(asked, height, width, _BYTES_A_PIXEL, prepared.device, whole)


def _texture(prepared: PreparedUniversal) -> Pixels:
    request = prepared.request
    options = request.options
    height, width = options.picture.height_and_width or (options.picture.size,) * 2
    rows = _rows(prepared, height, width)
    return synthesize_texture(
        styles_for(prepared, None)[1],
        height=height,
        width=width,
        weights=prepared.weights,
        decoders=prepared.decoders,
        options=options.transfer,
        seed=options.picture.seed,
        strip_rows=rows,
    )


def _painted(prepared: PreparedUniversal, content: UniversalContent, styles: list[Style]) -> Pixels:
    request = prepared.request
    rows = _rows(prepared, *content.pixels.shape[:2])
    image = universal_transfer(
        content.pixels,
        styles,
        weights=prepared.weights,
        decoders=prepared.decoders,
        options=request.options.transfer,
        masks=Masks(content.masks, ()) if content.masks else None,
        strip_rows=rows,
    )
    return finished_picture(image, content.colors, request.options.picture.kept_color)


class UniversalPainter:
    """Paints one photograph after the other.

    Attributes:
        prepared: what is asked for; its options may change from picture to picture.
        kept: the styles' statistics, where all photographs have the same.
    """

    def __init__(self, prepared: PreparedUniversal) -> None:
        """Compute nothing yet."""
        self.prepared = prepared
        self.kept: list[Style] | None = None

    def styles(self, content: UniversalContent) -> tuple[UniversalContent, list[Style]]:
        """The photograph as it is to be painted, and the styles for it."""
        if self.prepared.request.options.picture.preserve_color == "none":
            if self.kept is None:
                self.kept = styles_for(self.prepared, None)[1]
            return content, self.kept
        pixels, styles = styles_for(self.prepared, content.pixels)
        assert pixels is not None
        return content._replace(pixels=pixels), styles

    def picture(self, file: PictureFile | None) -> tuple[Pixels, Alpha | None]:
        """What is made of a photograph, or a texture of none, and its transparency.

        Raises:
            InputError: the photograph cannot be used, or a mask does not fit it.
        """
        prepared = self.prepared
        if file is None:
            return _texture(prepared), None
        request = prepared.request
        styles = [prepared.files.get(style) for style in request.painted]
        check_masks_fit(request.content_masks, request.style_masks, file, styles, prepared.files)
        content = read_content(prepared, file)
        if content.masks:
            check_masks(Masks(content.masks, native_style_masks(prepared)), len(styles))
        return _painted(prepared, *self.styles(content)), content.alpha

    def paint(self, path: Path | None, output: Path) -> None:
        """Make one picture file.

        Raises:
            InputError: as in `picture`, or the file cannot be written.
        """
        if self.prepared.request.is_folder:
            make_folder(output.parent)
        file = None if path is None else read_picture_file(path)
        request = self.prepared.request
        if file is not None:
            check_expected(request.expected, {file.path: file.sha256})
        picture = request.options.picture
        with memory_guard(picture.longest, self.prepared.device):
            image, alpha = self.picture(file)
        record = universal_record(self.prepared, file)
        write_with_record(output, image, alpha, picture, record, request.paper)


def run_universal(
    request: UniversalRequest, observer: Observer = lambda what, done, total: None
) -> UniversalSummary:
    """Make the picture, or the pictures, that a request asks for.

    Args:
        request: what is to be done.
        observer: is told how far it is.

    Returns:
        What was made; of a folder the photographs that could not be used, while all others are.

    Raises:
        InputError: something in the request cannot be used; nothing has been written then.
    """
    began = time.monotonic()
    request = request.with_print_size
    check_universal_request(request)
    jobs = list_jobs(request)
    prepared = prepare_universal(request)
    with jax.default_device(prepared.device):
        painter = UniversalPainter(prepared)
        painted = paint_all(jobs, painter.paint, observer, is_single=not request.is_folder)
        if request.save_style is not None:
            (style,) = painter.kept or styles_for(prepared, None)[1]
            host = {level: jax.tree.map(np.asarray, each) for level, each in style.items()}
            write_style(request.save_style, host, encoder=prepared.weights.sha256)
    return UniversalSummary(
        request.output,
        *painted,
        prepared.weights,
        prepared.decoders,
        prepared.device,
        time.monotonic() - began,
    )
