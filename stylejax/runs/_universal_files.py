"""The files of universal style transfer: what a request names is read, what is painted written."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax

from stylejax.devices.memory import Device, find_devices
from stylejax.images.color import colors_before
from stylejax.images.mask_files import decode_mask
from stylejax.images.read import PictureFile, decode_picture, read_picture_file, scaled_size
from stylejax.images.scaling import cover_and_crop, resize
from stylejax.runs.metadata import Record, file_entry, make_universal_record
from stylejax.runs.printing import print_entry
from stylejax.runs.repeated import check_expected
from stylejax.runs.universal_request import STYLE_SUFFIX, UniversalRequest
from stylejax.types import Alpha, OtherPixels, Pixels
from stylejax.universal.chain import Style
from stylejax.universal.decoder_weights import Decoders, read_decoders
from stylejax.universal.run import style_statistics
from stylejax.universal.style_file import read_style
from stylejax.weights.read import Weights, read_weights
from stylejax.weights.zoo import find_weights


class PreparedUniversal(NamedTuple):
    """What a request comes to; `files` are its style pictures, `kept` statistics by file."""

    request: UniversalRequest
    files: dict[Path, PictureFile]
    kept: dict[Path, Style]
    entries: list[dict[str, str]]
    weights: Weights
    decoders: Decoders
    device: Device


class UniversalContent(NamedTuple):
    """A photograph as it is painted: in its own colors too, and with its transparency."""

    pixels: Pixels
    colors: Pixels
    alpha: Alpha | None
    masks: tuple[OtherPixels, ...]


def prepare_universal(request: UniversalRequest) -> PreparedUniversal:
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
    sums = {path: file.sha256 for path, file in files.items()}
    sums |= {path: entry["sha256"] for path, entry in zip(request.painted, entries, strict=True)}
    read = {request.weights: weights.sha256, request.decoders: decoders.sha256}
    sums |= {path: sha256 for path, sha256 in read.items() if path is not None}
    check_expected(request.expected, sums)
    # Sent to the device once for all pictures.
    weights = weights._replace(variables=jax.device_put(weights.variables, device))
    decoders = decoders._replace(
        parameters=jax.device_put(decoders.parameters, device),
        deviations=jax.device_put(decoders.deviations, device),
    )
    return PreparedUniversal(request, files, kept, entries, weights, decoders, device)


def _style_picture(prepared: PreparedUniversal, path: Path) -> OtherPixels:
    """A style picture at the size whose strokes are wanted."""
    options = prepared.request.options.picture
    file = prepared.files[path]
    longest = max(1, round(options.longest * options.style_scale))
    size = scaled_size(file, longest)
    return resize(decode_picture(file, at_least=size).pixels, *size)


def styles_for(
    prepared: PreparedUniversal, content: Pixels | None
) -> tuple[Pixels | None, list[Style]]:
    """The content as it is to be painted, and the statistics of each style for it."""
    request, kept = prepared.request, prepared.request.options.picture.kept_color
    pictures = {
        path: _style_picture(prepared, path)
        for path in request.painted
        if path not in prepared.kept
    }
    if content is not None and kept.mode != "none":
        content, matched = colors_before(kept, content, list(pictures.values()))
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


def native_style_masks(prepared: PreparedUniversal) -> tuple[OtherPixels, ...]:
    """The masks of the style pictures, at their own size."""
    files = (prepared.files[path] for path in prepared.request.style_masks)
    return tuple(decode_mask(file, file.height, file.width) for file in files)


def read_content(prepared: PreparedUniversal, file: PictureFile) -> UniversalContent:
    """Decode a photograph and its masks at the size of the result."""
    request, options = prepared.request, prepared.request.options.picture
    height, width = options.height_and_width or scaled_size(file, options.longest)
    picture = decode_picture(file, at_least=(height, width))
    inside = lambda pixels: cover_and_crop(pixels, height, width)
    native = picture.pixels.shape[:2]
    masks = tuple(
        inside(decode_mask(prepared.files[path], *native)) for path in request.content_masks
    )
    pixels = inside(picture.pixels)
    alpha = None if picture.alpha is None else inside(picture.alpha)
    return UniversalContent(pixels, pixels, alpha, masks)


def universal_record(prepared: PreparedUniversal, content: PictureFile | None) -> Record:
    request = prepared.request
    masks = {"content_masks": request.content_masks, "style_masks": request.style_masks}
    entries = {kind: [file_entry(prepared.files[path]) for path in g] for kind, g in masks.items()}
    record = make_universal_record(
        request.options.flat,
        None if content is None else file_entry(content),
        prepared.entries,
        prepared.weights,
        {"name": prepared.decoders.name, "sha256": prepared.decoders.sha256},
        prepared.device.platform,
    )
    record |= print_entry(request.paper)
    return record | {kind: each for kind, each in entries.items() if each}
