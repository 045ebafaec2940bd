"""What one run is asked to do: checked, as far as can be told beforehand, and its pictures read.

What can go wrong for the user is found out here, before anything takes long or is written.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import jax

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
from stylejax.images.color import colors_before, luminance_of
from stylejax.images.files import check_writable
from stylejax.images.io import (
    check_output,
    cover_and_crop,
    picture_size,
    read_picture,
    resize,
    scaled_size,
)
from stylejax.images.masks import Mask, Masks, check_masks
from stylejax.networks.layers import canonical_layers
from stylejax.options import STARTS, DeviceName, NetworkName, Options, check_options
from stylejax.runs.metadata import Record, file_entry, make_record
from stylejax.transfer.history import check_plotting
from stylejax.transfer.problem import Pictures
from stylejax.transfer.pyramid import Level, pyramid_levels
from stylejax.types import Alpha, OtherPixels, Pixels
from stylejax.weights.read import Weights, read_weights

MASK_TOLERANCE = 0.02
"""By how much the aspect of a mask may differ from its picture's."""


@dataclass(frozen=True)
class Request:
    """What one run is asked to do."""

    content: Path
    styles: tuple[Path, ...]
    output: Path
    options: Options = field(default_factory=Options)
    weights: Path | None = None
    network: NetworkName | None = None
    device: DeviceName | None = None
    devices: int = 0
    save_every: int = 0
    resume: bool = False
    history: Path | None = None
    plot: Path | None = None
    content_masks: tuple[Path, ...] = ()
    style_masks: tuple[Path, ...] = ()

    @property
    def init_picture(self) -> Path | None:
        """The picture file to start from, where `init` names one."""
        init = self.options.picture.init
        return None if init in STARTS else Path(init)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file that is read."""
        optional = (self.init_picture, self.weights)
        masks = (*self.content_masks, *self.style_masks)
        return (
            self.content,
            *self.styles,
            *masks,
            *(path for path in optional if path is not None),
        )


class Prepared(NamedTuple):
    """What a request comes to.

    `device` is this process's own first one, for all that is not spread; `needed` is an estimate of
    the bytes that a solve takes on each device.
    """

    request: Request
    devices: list[Device]
    device: Device
    weights: Weights
    size: tuple[int, int]
    levels: tuple[Level, ...]
    settings: Record
    needed: int


def snapshot_path(output: Path, iteration: int) -> Path:
    """Where the picture after some iterations is saved: `out-0010.png` for `out.png`."""
    return output.with_name(f"{output.stem}-{iteration:04d}{output.suffix}")


def check_outputs(request: Request) -> None:
    """Refuse outputs that could not be written, or would be written over an input.

    Raises:
        InputError: names the file.
    """
    if request.save_every < 0:
        raise InputError(f"--save-every is {request.save_every}: give 0 (never) or more")
    check_output(request.output, request.options.picture.bits)
    if request.plot is not None:
        check_plotting()
        if request.plot.suffix.lower() != ".png":
            raise InputError(f"--plot {request.plot}: is drawn as PNG; name it .png")
    outputs = [request.output, *(path for path in (request.history, request.plot) if path)]
    for index, output in enumerate(outputs):
        check_writable(output)
        if any(output.resolve() == other.resolve() for other in outputs[:index]):
            raise InputError(f"{output}: is named for two outputs; name another file")
    every, last = request.save_every, request.options.solve.iterations
    snapshots = range(every, last + 1, every) if every else ()
    written = [*outputs, *(snapshot_path(request.output, iteration) for iteration in snapshots)]
    for output in filter(Path.exists, written):
        for path in request.inputs:
            if path.exists() and output.samefile(path):
                raise InputError(f"{output}: is an input of this run; name another output")


def _fitted_sizes(request: Request) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Height and width of the result and of each style picture; all are looked at, none decoded."""
    options = request.options.picture
    longest = options.longest
    size = options.height_and_width or scaled_size(request.content, longest)
    of_styles = max(1, round(longest * options.style_scale))
    return size, [scaled_size(path, of_styles) for path in request.styles]


def _checked_size(request: Request) -> tuple[int, int]:
    """The result's height and width."""
    if request.init_picture is not None:
        picture_size(request.init_picture)
    _check_masks_fit(request)
    return _fitted_sizes(request)[0]


def _check_masks_fit(request: Request) -> None:
    """A mask may have another size than its picture, but not another shape."""
    pairs = [(mask, request.content) for mask in request.content_masks]
    pairs += list(zip(request.style_masks, request.styles, strict=False))
    for mask, path in pairs:
        (rows, columns), (height, width) = picture_size(mask), picture_size(path)
        if abs(math.log(columns / rows * height / width)) > MASK_TOLERANCE:
            raise InputError(
                f"{mask}: {columns} x {rows} pixels are of another shape than {path} "
                f"({width} x {height}); paint the mask over that picture"
            )
    if request.style_masks and not request.content_masks:
        raise InputError("--style-mask without --content-mask: say where the styles go")


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


def prepare(request: Request, *, by_rows: bool = True) -> Prepared:
    """Check and find everything that a request names, but for its outputs.

    Args:
        request: what is to be done.
        by_rows: whether the picture is to be split over the devices; else each holds all of it.

    Raises:
        InputError: something cannot be used.
    """
    options = request.options
    check_options(options, len(request.styles))
    size = _checked_size(request)
    levels = pyramid_levels(options, *size)
    devices = find_devices(request.device, request.devices)
    if by_rows:
        asked = request.devices > 1 or jax.process_count() > 1
        devices = devices_for_height(devices, size[0], asked=asked)
    device = next(each for each in devices if each.process_index == jax.process_index())
    weights = read_weights(request.weights, network=request.network)
    layers = (*options.loss.content_layers, *options.loss.style_layers)
    for kind in (options.loss.content_layers, options.loss.style_layers):
        canonical_layers(kind, weights.architecture)
    pairs = options.solve.lbfgs_history if options.solve.solver != "adam" else 1
    # All devices of a CPU share one memory.
    bands = len(devices) if by_rows and device.platform != "cpu" else 1
    solve = (*size, layers, 2 * pairs + 3, weights.architecture)
    rows = _strip_rows(
        options.loss.strip_rows,
        lambda device: fitting_strip_rows(*solve, device),
        devices if by_rows else [device],
    )
    options = replace(options, loss=replace(options.loss, strip_rows=rows))
    request = replace(request, options=options)
    needed = estimated_memory(*solve, bands, rows)
    fixed = fixed_memory(layers, weights.architecture)
    check_memory(needed, available_memory(device), options.picture.longest, fixed)
    settings = make_record(
        options, request.content, request.styles, weights, device.platform, request.init_picture
    )
    if by_rows and len(devices) > 1:
        # Sums over devices round otherwise.
        settings["devices"] = len(devices)
    masks = {"content_masks": request.content_masks, "style_masks": request.style_masks}
    settings |= {
        kind: [file_entry(path) for path in given] for kind, given in masks.items() if given
    }
    return Prepared(request, devices, device, weights, size, levels, settings, needed)


class ReadPictures(NamedTuple):
    """What was read: `pictures` are as the solve is given them, `colors` the photograph's own."""

    pictures: Pictures
    colors: Pixels
    alpha: Alpha | None
    start: OtherPixels | None


def _read_mask(path: Path, height: int, width: int) -> Mask:
    return resize(luminance_of(read_picture(path).pixels), height, width)


def read_pictures(request: Request) -> ReadPictures:
    """Read every picture and mask, at the sizes that they are solved at.

    Raises:
        InputError: a file is damaged, or masks do not fit.
    """
    options = request.options.picture
    (height, width), style_sizes = _fitted_sizes(request)
    content = read_picture(request.content)
    inside = lambda pixels: cover_and_crop(pixels, height, width)
    masks = None
    if request.content_masks:
        native = content.pixels.shape[:2]
        of_content = tuple(inside(_read_mask(path, *native)) for path in request.content_masks)
        of_styles = tuple(
            _read_mask(path, *size)
            for path, size in zip(request.style_masks, style_sizes, strict=False)
        )
        masks = Masks(of_content, of_styles)
        check_masks(masks, len(request.styles))
    styles = [
        resize(read_picture(path).pixels, *size)
        for path, size in zip(request.styles, style_sizes, strict=True)
    ]
    colors, init = inside(content.pixels), request.init_picture
    return ReadPictures(
        Pictures(*colors_before(options.preserve_color, colors, styles), masks),
        colors,
        None if content.alpha is None else inside(content.alpha),
        None if init is None else read_picture(init).pixels,
    )
