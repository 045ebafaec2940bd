"""Universal style transfer from files to files: one photograph, a folder of them, or a texture.

This is the rim, as `transfer.py` beside it: disk and clock are touched here, the terminal only
through the function that the caller passes.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from stylejax.devices.memory import Device, available_memory, find_devices, total_memory
from stylejax.errors import InputError
from stylejax.images.color import colors_before
from stylejax.images.masks import Masks, check_masks
from stylejax.images.read import PictureFile, decode_picture, read_picture_file, scaled_size
from stylejax.images.scaling import cover_and_crop, resize
from stylejax.images.write import write_picture
from stylejax.runs.metadata import Record, file_entry, make_universal_record
from stylejax.runs.prepare import check_masks_fit, decode_mask
from stylejax.runs.universal_request import (
    STYLE_SUFFIX,
    UniversalRequest,
    check_universal_request,
    list_jobs,
)
from stylejax.transfer.transfer import finished_picture
from stylejax.types import Alpha, OtherPixels, Pixels
from stylejax.universal.chain import Style
from stylejax.universal.decoder_weights import Decoders, read_decoders
from stylejax.universal.run import style_statistics, synthesize_texture, universal_transfer
from stylejax.universal.style_file import read_style, write_style
from stylejax.weights.read import Weights, read_weights
from stylejax.weights.zoo import find_weights

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


class _Prepared(NamedTuple):
    """What a request comes to; `files` are its style pictures, `kept` statistics by file."""

    request: UniversalRequest
    files: dict[Path, PictureFile]
    kept: dict[Path, Style]
    entries: list[dict[str, str]]
    weights: Weights
    decoders: Decoders
    device: Device


class _Content(NamedTuple):
    """A photograph as it is painted: in its own colors too, and with its transparency."""

    pixels: Pixels
    colors: Pixels
    alpha: Alpha | None
    masks: tuple[OtherPixels, ...]


def _prepare(request: UniversalRequest) -> _Prepared:
    """Read all but the photographs.

    Raises:
        InputError: something cannot be used.
    """
    weights = read_weights(find_weights(request.weights))
    decoders = read_decoders(request.decoders, encoder=weights.sha256)
    device = find_devices(request.device)[0]
    files, kept, entries = {}, {}, []
    for path in request.painted:
        if path.suffix == STYLE_SUFFIX:
            kept[path] = read_style(path, encoder=weights.sha256)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            entries.append({"name": path.name, "sha256": digest})
        else:
            files[path] = read_picture_file(path)
            entries.append(file_entry(files[path]))
    for path in (*request.content_masks, *request.style_masks):
        files[path] = read_picture_file(path)
    return _Prepared(request, files, kept, entries, weights, decoders, device)


def _style_picture(prepared: _Prepared, path: Path) -> OtherPixels:
    """A style picture at the size whose strokes are wanted."""
    options = prepared.request.options.picture
    file = prepared.files[path]
    longest = max(1, round(options.longest * options.style_scale))
    return resize(decode_picture(file).pixels, *scaled_size(file, longest))


def _styles(prepared: _Prepared, content: Pixels | None) -> tuple[Pixels | None, list[Style]]:
    """The content as it is to be painted, and the statistics of each style for it."""
    request, preserve = prepared.request, prepared.request.options.picture.preserve_color
    pictures = {
        path: _style_picture(prepared, path)
        for path in request.painted
        if path not in prepared.kept
    }
    if content is not None and preserve != "none":
        content, matched = colors_before(preserve, content, list(pictures.values()))
        pictures = dict(zip(pictures, matched, strict=True))
    masks: Sequence[OtherPixels | None] = [
        decode_mask(prepared.files[path], *pictures[style].shape[:2])
        for path, style in zip(request.style_masks, request.painted, strict=False)
    ] or [None] * len(request.painted)
    return content, [
        prepared.kept[path]
        if path in prepared.kept
        else style_statistics(pictures[path], weights=prepared.weights, mask=mask)
        for path, mask in zip(request.painted, masks, strict=True)
    ]


def _style_masks(prepared: _Prepared) -> tuple[OtherPixels, ...]:
    """The masks of the style pictures, at their own size."""
    files = (prepared.files[path] for path in prepared.request.style_masks)
    return tuple(decode_mask(file, file.height, file.width) for file in files)


def _read_content(prepared: _Prepared, file: PictureFile) -> _Content:
    """Decode a photograph and its masks at the size of the result."""
    request, options = prepared.request, prepared.request.options.picture
    height, width = options.height_and_width or scaled_size(file, options.longest)
    picture = decode_picture(file)
    inside = lambda pixels: cover_and_crop(pixels, height, width)
    native = picture.pixels.shape[:2]
    masks = tuple(
        inside(decode_mask(prepared.files[path], *native)) for path in request.content_masks
    )
    pixels = inside(picture.pixels)
    alpha = None if picture.alpha is None else inside(picture.alpha)
    return _Content(pixels, pixels, alpha, masks)


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


def _texture(prepared: _Prepared) -> Pixels:
    request = prepared.request
    options = request.options
    height, width = options.picture.height_and_width or (options.picture.size,) * 2
    rows = strip_rows(request.strip_rows, height, width, prepared.device)
    _check_fits(width, rows or height, prepared.device)
    return synthesize_texture(
        _styles(prepared, None)[1],
        height=height,
        width=width,
        weights=prepared.weights,
        decoders=prepared.decoders,
        options=options.transfer,
        seed=options.picture.seed,
        strip_rows=rows,
    )


def _painted(prepared: _Prepared, content: _Content, styles: list[Style]) -> Pixels:
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


def _record(prepared: _Prepared, content: PictureFile | None) -> Record:
    request = prepared.request
    masks = {"content_masks": request.content_masks, "style_masks": request.style_masks}
    return make_universal_record(
        request.options.flat,
        None if content is None else file_entry(content),
        prepared.entries,
        prepared.weights,
        prepared.decoders,
        prepared.device.platform,
    ) | {kind: [file_entry(prepared.files[path]) for path in g] for kind, g in masks.items() if g}


def _write(
    prepared: _Prepared, output: Path, image: Pixels, alpha: Alpha | None, of: Record
) -> None:
    options = prepared.request.options.picture
    text = json.dumps(of, ensure_ascii=True)
    write_picture(
        output, image, alpha, bits=options.bits, quality=options.quality, description=text
    )


class _Painter:
    """Paints one photograph after the other; the styles' statistics are kept where they can be."""

    def __init__(self, prepared: _Prepared) -> None:
        self.prepared = prepared
        self.kept: list[Style] | None = None

    def styles(self, content: _Content) -> tuple[_Content, list[Style]]:
        """The photograph as it is to be painted, and the styles for it."""
        if self.prepared.request.options.picture.preserve_color == "none":
            if self.kept is None:
                self.kept = _styles(self.prepared, None)[1]
            return content, self.kept
        pixels, styles = _styles(self.prepared, content.pixels)
        assert pixels is not None
        return content._replace(pixels=pixels), styles

    def paint(self, path: Path | None, output: Path) -> None:
        """Make one picture.

        Raises:
            InputError: the photograph cannot be used, or the picture cannot be written.
        """
        prepared = self.prepared
        if path is None:
            _write(prepared, output, _texture(prepared), None, _record(prepared, None))
            return
        file = read_picture_file(path)
        check_masks_fit(
            prepared.request.content_masks,
            prepared.request.style_masks,
            file,
            [prepared.files.get(style) for style in prepared.request.painted],
            prepared.files,
        )
        content = _read_content(prepared, file)
        if content.masks:
            check_masks(Masks(content.masks, _style_masks(prepared)), len(prepared.entries))
        content, styles = self.styles(content)
        image = _painted(prepared, content, styles)
        _write(prepared, output, image, content.alpha, _record(prepared, file))


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
    prepared = _prepare(request)
    made, failed = [], []
    with jax.default_device(prepared.device):
        painter = _Painter(prepared)
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
            (style,) = painter.kept or _styles(prepared, None)[1]
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
