"""Devices and weights of a request that `checks` has nothing against, and its pictures decoded."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax

from stylejax.devices.hosts import own_device
from stylejax.devices.memory import (
    Device,
    available_memory,
    check_memory,
    estimated_memory,
    find_devices,
    fitting_strip_rows,
    fixed_memory,
)
from stylejax.devices.mesh import devices_for_height
from stylejax.errors import InputError
from stylejax.images.color import colors_before
from stylejax.images.mask_files import decode_mask
from stylejax.images.masks import Masks, check_masks
from stylejax.images.read import decode_picture
from stylejax.images.scaling import cover_and_crop, resize
from stylejax.networks.layers import canonical_layers
from stylejax.options import Options
from stylejax.runs.checks import CheckedInputs, Files, fitted_sizes
from stylejax.runs.fitting import check_tiling_request, tiling_size
from stylejax.runs.metadata import Record, file_entry, make_record
from stylejax.runs.printing import print_advice, print_entry
from stylejax.runs.repeated import check_expected
from stylejax.runs.request import Request
from stylejax.transfer.pictures import Pictures
from stylejax.transfer.pyramid import Level
from stylejax.types import Alpha, OtherPixels, Pixels
from stylejax.universal.decoder_weights import Decoders, read_decoders
from stylejax.universal.options import UniversalOptions
from stylejax.weights.read import Weights, read_weights
from stylejax.weights.zoo import find_weights

_MATCHED_PICTURES = 8
"""The targets of placement, in arrays of the picture's size: 64 and 32 bytes for each pixel."""


class Prepared(NamedTuple):
    """What a request names, checked and found.

    `device` is this process's own first one, for all that is not spread; `strip_rows` are the rows
    that the network sees at a time there (0 for all); `needed` is an estimate of the bytes that a
    solve takes on each device; `files` are the picture files, not yet decoded;
    `decoders` are there where the solve is to start from their picture.
    """

    files: Files
    devices: list[Device]
    device: Device
    weights: Weights
    size: tuple[int, int]
    levels: tuple[Level, ...]
    settings: Record
    strip_rows: int
    needed: int
    decoders: Decoders | None = None


def _strip_rows(asked: int, fitting: Callable[[Device], int], devices: list[Device]) -> int:
    """How many rows of the picture the network sees at a time; 0 for all."""
    if len(devices) == 1:
        return asked or fitting(devices[0])
    if asked:
        raise InputError(
            f"--strip-rows {asked}: {len(devices)} devices share the picture already; leave it "
            "out, or give --devices 1"
        )
    return 0


def pictures_kept(options: Options) -> int:
    """How many arrays of the picture's size a solve holds beside what an evaluation takes."""
    # Adam keeps two averages of the gradient, as much as one pair is.
    pairs = options.solve.lbfgs_history if options.solve.solver != "adam" else 1
    return 2 * pairs + 3 + (_MATCHED_PICTURES if options.loss.placement > 0.0 else 0)


def prepare_run(
    checked: CheckedInputs, *, by_rows: bool = True, weights: Weights | None = None
) -> Prepared:
    """Find devices and weights for a request whose pictures are checked.

    Args:
        checked: what is to be done.
        by_rows: whether the picture is to be split over the devices; else each holds all of it.
        weights: those that the request names, where they have been read.

    Raises:
        InputError: something cannot be used.
    """
    request, files, size, levels = checked
    options = request.options
    check_tiling_request(request, by_rows=by_rows)
    devices = find_devices(request.device, request.devices)
    # Lanes of a sweep are spread whole: there any number of devices will do.
    if by_rows and options.loss.seamless:
        devices = devices[:1]
    elif by_rows:
        asked = request.devices > 1 or jax.process_count() > 1
        devices = devices_for_height(devices, size[0], asked=asked)
    device = own_device(devices)
    if weights is None:
        weights = read_weights(find_weights(request.weights), network=request.network)
    if request.weights is not None:
        check_expected(request.expected, {request.weights: weights.sha256})
    layers = (*options.loss.content_layers, *options.loss.style_layers)
    for kind in (options.loss.content_layers, options.loss.style_layers):
        canonical_layers(kind, weights.architecture)
    if options.loss.seamless:
        size, levels = tiling_size(options, size, weights.architecture)
    # All devices of a CPU share one memory.
    bands = len(devices) if by_rows and device.platform != "cpu" else 1
    solve = (*size, layers, pictures_kept(options), weights.architecture)
    fitting = lambda device: 0 if options.loss.seamless else fitting_strip_rows(*solve, device)
    rows = _strip_rows(options.loss.strip_rows, fitting, devices if by_rows else [device])
    needed = estimated_memory(*solve, bands, rows)
    fixed = fixed_memory(layers, weights.architecture)
    with print_advice(request.paper):
        check_memory(needed, available_memory(device), options.picture.longest, fixed)
    spread = len(devices) if by_rows else 1
    solved = replace(options, loss=replace(options.loss, strip_rows=rows))
    settings = _record(replace(request, options=solved), files, weights, device.platform, spread)
    decoders = None
    if options.picture.init == "universal":
        decoders = read_decoders(encoder=weights.sha256)
        settings["decoders"] = {"name": decoders.name, "sha256": decoders.sha256}
    return Prepared(files, devices, device, weights, size, levels, settings, rows, needed, decoders)


def _record(
    request: Request, files: Files, weights: Weights, device_kind: str, devices: int
) -> Record:
    """The record of a request; `devices` is how many a picture is split over."""
    init = request.init_picture
    settings = make_record(
        request.options,
        files[request.content],
        [files[path] for path in request.styles],
        weights,
        device_kind,
        None if init is None else files[init],
    )
    if devices > 1:
        # Sums over devices round otherwise.
        settings["devices"] = devices
    if request.keep is not None:
        settings["keep"] = file_entry(files[request.keep])
    masks = {"content_masks": request.content_masks, "style_masks": request.style_masks}
    settings |= print_entry(request.paper)
    return settings | {
        kind: [file_entry(files[path]) for path in given] for kind, given in masks.items() if given
    }


class ReadPictures(NamedTuple):
    """What was read: `pictures` are as the solve is given them, `colors` the photograph's own."""

    pictures: Pictures
    colors: Pixels
    alpha: Alpha | None
    start: OtherPixels | None


def read_pictures(request: Request, prepared: Prepared) -> ReadPictures:
    """Decode every picture and mask of a request, at the sizes that they are solved at.

    Raises:
        InputError: a file is damaged, or masks do not fit.
    """
    options, files = request.options.picture, prepared.files
    height, width = prepared.size
    _, style_sizes = fitted_sizes(request, files)
    content = decode_picture(files[request.content], at_least=(height, width))
    inside = lambda pixels: cover_and_crop(pixels, height, width)
    masks = None
    if request.content_masks:
        native = content.pixels.shape[:2]
        of_content = tuple(
            inside(decode_mask(files[path], *native)) for path in request.content_masks
        )
        of_styles = tuple(
            decode_mask(files[path], *size)
            for path, size in zip(request.style_masks, style_sizes, strict=False)
        )
        masks = Masks(of_content, of_styles)
        check_masks(masks, len(request.styles))
    keep = None
    if request.keep is not None:
        keep = inside(decode_mask(files[request.keep], *content.pixels.shape[:2]))
        if not keep.max() > 0.0:
            raise InputError(f"--keep {request.keep}: is black throughout: paint what is to stay")
    styles = [
        resize(decode_picture(files[path], at_least=size).pixels, *size)
        for path, size in zip(request.styles, style_sizes, strict=True)
    ]
    colors, init = inside(content.pixels), request.init_picture
    pictures = Pictures(*colors_before(options.kept_color, colors, styles), masks, keep)
    start = None if init is None else decode_picture(files[init], at_least=(height, width)).pixels
    if prepared.decoders is not None:
        from stylejax.universal.run import universal_transfer

        # One pass of universal style transfer.
        start = universal_transfer(
            pictures.content,
            pictures.styles,
            weights=prepared.weights,
            decoders=prepared.decoders,
            options=UniversalOptions(style_blend=request.options.loss.style_blend),
            masks=pictures.masks,
        )
    return ReadPictures(
        pictures, colors, None if content.alpha is None else inside(content.alpha), start
    )
