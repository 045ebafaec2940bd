"""Universal style transfer from files to files: one photograph, a folder of them, or a texture.

This is the rim, as `transfer.py` beside it: disk and clock are touched here, the terminal only
through the function that the caller passes.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from stylejax.devices.memory import Device, available_memory, total_memory
from stylejax.errors import InputError
from stylejax.images.masks import Masks, check_masks
from stylejax.images.read import PictureFile, read_picture_file
from stylejax.runs._universal_files import (
    PreparedUniversal,
    UniversalContent,
    native_style_masks,
    prepare_universal,
    read_content,
    styles_for,
    universal_record,
    write_universal,
)
from stylejax.runs.prepare import check_masks_fit
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

Observer = Callable[[str, int, int], None]
"""Is told what is being painted, how many pictures are done, and how many there are."""

_BYTES_A_PIXEL = 3_000
"""Of memory that a whole picture takes at its peak, measured on a CPU at 512 and 1,024 px."""
_SHARE_OF_MEMORY = 0.6
_STRIP_ROWS = 256


class UniversalSummary(NamedTuple):
    """How a run ended: `failed` names the photographs that could not be used, and why."""

    output: Path
    pictures: tuple[Path, ...]
    failed: tuple[str, ...]
    weights: Weights
    decoders: Decoders
    device: Device
    seconds: float


def strip_rows(asked: int, height: int, width: int, device: Device) -> int:
    """Rows to work on at a time: as asked, or so that the picture fits; 0 for all."""
    fits = height * width * _BYTES_A_PIXEL <= _SHARE_OF_MEMORY * total_memory(device)
    return asked or (0 if fits else _STRIP_ROWS)


def _check_fits(width: int, rows: int, device: Device) -> None:
    needed = rows * width * _BYTES_A_PIXEL
    free = available_memory(device)
    if needed > free:
        raise InputError(
            f"strips of {rows} rows of {width} pixels need {needed / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free; give a smaller --size or --strip-rows"
        )


def _texture(prepared: PreparedUniversal) -> Pixels:
    request = prepared.request
    options = request.options
    height, width = options.picture.height_and_width or (options.picture.size,) * 2
    rows = strip_rows(request.strip_rows, height, width, prepared.device)
    _check_fits(width, rows or height, prepared.device)
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
    height, width = content.pixels.shape[:2]
    rows = strip_rows(request.strip_rows, height, width, prepared.device)
    _check_fits(width, rows or height, prepared.device)
    image = universal_transfer(
        content.pixels,
        styles,
        weights=prepared.weights,
        decoders=prepared.decoders,
        options=request.options.transfer,
        masks=Masks(content.masks, ()) if content.masks else None,
        strip_rows=rows,
    )
    return finished_picture(image, content.colors, request.options.picture.preserve_color)


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
        file = None if path is None else read_picture_file(path)
        image, alpha = self.picture(file)
        write_universal(self.prepared, output, image, alpha, universal_record(self.prepared, file))


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
    check_universal_request(request)
    jobs = list_jobs(request)
    prepared = prepare_universal(request)
    made, failed = [], []
    with jax.default_device(prepared.device):
        painter = UniversalPainter(prepared)
        for number, (path, output) in enumerate(jobs):
            observer("texture" if path is None else path.name, number, len(jobs))
            try:
                if request.is_folder:
                    output.parent.mkdir(exist_ok=True)
                painter.paint(path, output)
                made.append(output)
            except InputError as error:
                if not request.is_folder:
                    raise
                failed.append(str(error))
        if request.save_style is not None:
            (style,) = painter.kept or styles_for(prepared, None)[1]
            host = {level: jax.tree.map(np.asarray, each) for level, each in style.items()}
            write_style(request.save_style, host, encoder=prepared.weights.sha256)
    return UniversalSummary(
        request.output,
        tuple(made),
        tuple(failed),
        prepared.weights,
        prepared.decoders,
        prepared.device,
        time.monotonic() - began,
    )
