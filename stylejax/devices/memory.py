"""The device a run is on, and whether its memory can hold the run."""

import contextlib
import ctypes
import math
import os
import re
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import psutil

from stylejax.devices.accelerators import warn_of_unused_plugin
from stylejax.devices.containers import memory_limits
from stylejax.errors import DoesNotFit, InputError
from stylejax.losses.strips import Strips, layer_strips
from stylejax.networks.features import frame_padding
from stylejax.networks.kernels.folding import whole_blocks
from stylejax.networks.layers import (
    AnyArchitecture,
    Architecture,
    Layer,
    canonical_layer,
    layers_run,
)
from stylejax.options import DeviceName
from stylejax.sizes import SMALLEST_SIZE
from stylejax.weights.names import parameter_shapes

Device = Any
"""A device of JAX, whose class pyright takes for a variable."""

# With these numbers and the architecture's sizes the estimate lies above XLA's own account of the
# compiled solve, on CPU at 1024 px by at most a third (docs/scaling.md). A share of the feature
# maps is held until the gradient has gone through them; at work beside them are a few maps of the
# largest size (what a convolution adds up from its parts, gradients). Parameters are there as they
# are, as the gradient reads them, and as the compiler lays them out.
_SHARE_OF_MAPS_HELD = 0.62
_MAPS_AT_WORK = 6.0
_COPIES_OF_PARAMETERS = 4.0
_PICTURES_AT_WORK = 5.0
"""Arrays of the picture's size besides those that the solver keeps, among them its spectrum."""
_FLOAT_BYTES = 4
_SHARE_OF_MEMORY = 0.7
"""Of a device's memory, what a picture may take that is not cut into strips."""


def is_without_devices(error: RuntimeError) -> bool:
    """Whether JAX says by this that it finds no device at all."""
    return "initialize backend" in str(error)


def without_devices(error: RuntimeError) -> str:
    """That JAX finds no device at all, on one line."""
    reason = " ".join(str(error).split()).rstrip(".")
    asked = os.environ.get("JAX_PLATFORMS")
    where = f"JAX_PLATFORMS={asked}: " if asked else ""
    return f"{where}JAX finds no device ({reason}); unset it, or install JAX for that device"


def find_devices(name: DeviceName | None, count: int = 0) -> list[Device]:
    """The devices of a kind, or of JAX's default kind: this many of them, or all.

    Raises:
        InputError: there is no such device, or there are not that many: nothing ever falls back to
            the CPU, or to fewer, unasked.
    """
    try:
        jax.devices()
    except RuntimeError as error:
        raise InputError(without_devices(error)) from error
    if name is None:
        warn_of_unused_plugin()
    try:
        devices = jax.devices(name)
    except RuntimeError as error:
        there = ", ".join(sorted({device.platform for device in jax.devices()}))
        raise InputError(
            f"--device {name}: there is none (JAX sees: {there}); install JAX for it, "
            f"or name one that is there"
        ) from error
    if not 0 <= count <= len(devices):
        kind = devices[0].platform
        raise InputError(f"--devices {count}: JAX sees {len(devices)} ({kind}); give 1 to that")
    if 0 < count < len(devices) and jax.process_count() > 1:
        raise InputError(
            f"--devices {count}: several processes use all {len(devices)}; leave it out"
        )
    return devices[:count] if count else devices


def _own_memory(device: Device) -> dict[str, int]:
    """What a device says of memory of its own; nothing where it has none, or does not say."""
    statistics = device.memory_stats() if device.platform != "cpu" else None
    return statistics if statistics and "bytes_limit" in statistics else {}


def available_memory(device: Device) -> int:
    """Bytes that a new computation can use."""
    statistics = _own_memory(device)
    if statistics:
        return statistics["bytes_limit"] - statistics["bytes_in_use"]
    of_container = (limit.available for limit in memory_limits())
    return min([psutil.virtual_memory().available, *of_container])


def release_freed_memory() -> None:
    """Give memory that was freed back to the system, where the C library keeps it (glibc).

    XLA's compiler leaves several hundred megabytes behind, which would otherwise stay on top of
    all that a solve takes.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def total_memory(device: Device) -> int:
    """Bytes of memory that a device has, in use or not."""
    statistics = _own_memory(device)
    if statistics:
        return statistics["bytes_limit"]
    of_container = (limit.total for limit in memory_limits())
    return min([psutil.virtual_memory().total, *of_container])


def estimated_memory(
    height: int,
    width: int,
    layers: Sequence[str],
    pictures_kept: int,
    architecture: AnyArchitecture,
    devices: int = 1,
    strip_rows: int = 0,
) -> int:
    """Bytes that a solve takes at its peak, on each device.

    Args:
        height: of the solved picture, in pixels.
        width: likewise.
        layers: all layers of the loss.
        pictures_kept: arrays of the picture's size in the solver's state (L-BFGS: two for each
            pair that it remembers, and three more).
        architecture: which network, and its widths.
        devices: how many the picture is spread over.
        strip_rows: the rows of a strip, where the network sees the picture in strips.
    """
    run = _layers_run(layers, architecture)
    stride = max(layer.stride for layer in run)
    rows = _strips(layers, architecture, strip_rows).cut(height, 1).rows
    padded = math.prod(side + sum(frame_padding(side, stride)) for side in (rows, width))
    held = sum(_bytes_a_pixel(layer) for layer in _maps_held(layers, architecture))
    largest = max(_bytes_a_pixel(layer) for layer in run)
    of_maps = padded * (_SHARE_OF_MAPS_HELD * held + _MAPS_AT_WORK * largest)
    # Content is compared at the deepest layer, as a rule.
    of_target = height * width * _bytes_a_pixel(run[-1])
    picture = height * width * _FLOAT_BYTES * 3
    growing = (of_maps + of_target + picture * pictures_kept) / devices
    growing += picture * _PICTURES_AT_WORK
    return round(growing + fixed_memory(layers, architecture))


def _bytes_a_pixel(layer: Layer) -> float:
    """Bytes of a layer's map for each pixel of the picture."""
    return _FLOAT_BYTES * layer.channels / layer.stride**2


def _names(layers: Sequence[str], architecture: AnyArchitecture) -> list[str]:
    return [canonical_layer(layer, architecture) for layer in layers]


def _layers_run(layers: Sequence[str], architecture: AnyArchitecture) -> list[Layer]:
    """All layers up to the deepest of the given ones."""
    return list(layers_run(_names(layers, architecture), architecture.layers).values())


def _maps_held(layers: Sequence[str], architecture: AnyArchitecture) -> Iterator[Layer]:
    """The maps that the gradient needs: of a whole dense block its bottlenecks and its result."""
    whole: set[int] = set()
    if isinstance(architecture, Architecture):
        whole = whole_blocks(_names(layers, architecture), architecture)
    run = _layers_run(layers, architecture)
    for layer, following in zip(run, [*run[1:], run[0]], strict=True):
        is_bottleneck, is_result = following.window > 1, following.block != layer.block
        if layer.block not in whole or is_bottleneck or is_result:
            yield layer


def _strips(layers: Sequence[str], architecture: AnyArchitecture, rows: int) -> Strips:
    return layer_strips(rows, [architecture.layers[name] for name in _names(layers, architecture)])


def fitting_strip_rows(
    height: int,
    width: int,
    layers: Sequence[str],
    pictures_kept: int,
    architecture: AnyArchitecture,
    device: Device,
) -> int:
    """The most rows of a strip that a device can hold; 0 where the whole picture fits.

    It depends on what the device has, not on what is free of it, so that a run can be repeated to
    the same bytes.
    """
    limit = _SHARE_OF_MEMORY * total_memory(device)
    needed = lambda rows: estimated_memory(
        height, width, layers, pictures_kept, architecture, strip_rows=rows
    )
    if needed(0) <= limit:
        return 0
    # Strips less high than their halos would be more halo than picture.
    least = _strips(layers, architecture, 1).halo
    # More strips need less memory each, so the first count that fits is found by halving.
    counts = range(2, height // least + 1)
    first = bisect_left(counts, True, key=lambda n: needed(-(-height // n)) <= limit)
    return -(-height // counts[first]) if first < len(counts) else least


def fixed_memory(layers: Sequence[str], architecture: AnyArchitecture) -> float:
    """Bytes of `estimated_memory` that do not grow with the picture."""
    shapes = parameter_shapes(_layers_run(layers, architecture))
    return _COPIES_OF_PARAMETERS * _FLOAT_BYTES * sum(map(math.prod, shapes.values()))


def check_memory(needed: int, available: int, longest: int, fixed: float = 0.0) -> None:
    """Refuse a run that memory cannot hold; `fixed` of the bytes needed stay whatever the size.

    Raises:
        DoesNotFit: says what is needed, what is there, and the largest size that fits.
    """
    if needed <= available:
        return
    # What grows with the picture grows with its pixels, but for the frame, hence a little less.
    share = 0.95 * max(available - fixed, 0.0) / (needed - fixed)
    fits = longest * math.sqrt(share)
    raise DoesNotFit(
        f"--size {longest} needs about {needed / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB "
        f"are free: {what_fits(fits)}",
        int(fits) // 16 * 16,
    )


def what_fits(longest: float, option: str = "--size") -> str:
    """In words, that a size would fit; or that none does, where that is less than the smallest."""
    fits = int(longest) // 16 * 16
    if fits < SMALLEST_SIZE:
        return "no size would fit; end other programs, or use a device with more memory"
    return f"{option} {fits} would fit"


@contextlib.contextmanager
def memory_guard(longest: int, device: Device, option: str = "--size") -> Iterator[None]:
    """Turn an allocation that a device refuses in the body into one line.

    Args:
        longest: pixels of the longer side of what is worked on.
        device: that it is worked on.
        option: that these pixels can be changed with.

    Raises:
        InputError: says what was asked for, and a size that would fit by this.
    """
    try:
        yield
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        text = str(error)
        if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in text:
            raise
        # At most half the pixels: what is free is not in one piece.
        share, asked = 0.5, _bytes_asked_for(text)
        if asked:
            share = min(share, 0.9 * available_memory(device) / asked)
        wanted = f" ({asked / 1e9:.2g} GB more were asked for)" if asked else ""
        raise InputError(
            f"{longest} pixels: the memory of the {device.platform} has run out{wanted}: "
            f"{what_fits(longest * math.sqrt(max(share, 0.0)), option)}"
        ) from error


def _bytes_asked_for(text: str) -> float | None:
    """The bytes of an allocation that XLA refuses: `allocate 1.5GiB`, `allocating 4 bytes`."""
    match = re.search(r"allocat(?:e|ing) ([\d.]+) ?([KMGT]?)(?:i?B|bytes)", text)
    if match is None:
        return None
    return float(match[1].rstrip(".")) * 1024 ** " KMGT".index(match[2] or " ")
