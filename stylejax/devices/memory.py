"""The device a run is on, and whether its memory can hold the run."""

import ctypes
import math
import sys
from typing import Any

import jax
import psutil

from stylejax.errors import InputError
from stylejax.losses.strips import Strips, layer_strips
from stylejax.networks.features import frame_padding
from stylejax.networks.layers import AnyArchitecture, VggArchitecture, canonical_layer, layer_table
from stylejax.options import DeviceName
from stylejax.weights.names import expected_shapes

Device = Any
"""A device of JAX, whose class pyright takes for a variable."""

# XLA's own account of the compiled solve, on CPU at 256, 512 and 1024 px, is below these lines, at
# 1024 px by a quarter at most. Of DenseNet the stem and the first block are what is held at once,
# however deep the layers; of VGG it grows with the bytes of all feature maps up to the deepest
# (five layers of VGG-19 with maximum pooling).
_STEM_BYTES_A_PIXEL, _DENSENET_BYTES_A_PIXEL = 450.0, 1000.0
_VGG_BYTES_A_PIXEL, _VGG_SHARE_OF_MAPS = 1210.0, 0.34
_FIXED_BYTES = 64e6
# Where the network sees a picture in parts, so much is held of the whole of it.
_WHOLE_BYTES_A_PIXEL = 80.0
_SHARE_OF_MEMORY = 0.7
"""Of a device's memory, what a picture may take that is not cut into strips."""


def find_devices(name: DeviceName | None, count: int = 0) -> list[Device]:
    """The devices of a kind, or of JAX's default kind; so many of them, or all.

    Raises:
        InputError: there is no such device, or there are not so many: nothing ever falls back to
            the CPU, or to fewer, unasked.
    """
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
    return psutil.virtual_memory().available


def release_freed_memory() -> None:
    """Give memory that was freed back to the system, where the C library keeps it (glibc).

    XLA's compiler leaves several hundred megabytes behind, which would else stay beside all that a
    solve takes.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def total_memory(device: Device) -> int:
    """Bytes of memory that a device has, in use or not."""
    statistics = _own_memory(device)
    return statistics["bytes_limit"] if statistics else psutil.virtual_memory().total


def estimated_memory(
    height: int,
    width: int,
    layers: tuple[str, ...],
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
    table = layer_table(architecture)
    run = _layers_run(layers, architecture)
    stride = table[run[-1]].stride
    rows = _strips(layers, architecture, strip_rows).cut(height, 1).rows
    padded = math.prod(side + sum(frame_padding(side, stride)) for side in (rows, width))
    a_pixel = _DENSENET_BYTES_A_PIXEL if stride > 2 else _STEM_BYTES_A_PIXEL
    if isinstance(architecture, VggArchitecture):
        maps = sum(4 * table[name].channels / table[name].stride ** 2 for name in run)
        a_pixel = _VGG_BYTES_A_PIXEL + _VGG_SHARE_OF_MAPS * maps
    growing = (padded * a_pixel + 12 * height * width * pictures_kept) / devices
    if devices > 1 or rows < height:
        growing += _WHOLE_BYTES_A_PIXEL * height * width
    return round(growing + fixed_memory(layers, architecture))


def _strips(layers: tuple[str, ...], architecture: AnyArchitecture, rows: int) -> Strips:
    table = layer_table(architecture)
    return layer_strips(rows, [table[canonical_layer(layer, architecture)] for layer in layers])


def fitting_strip_rows(
    height: int,
    width: int,
    layers: tuple[str, ...],
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
    counts = range(2, height // least + 1)
    return next((-(-height // n) for n in counts if needed(-(-height // n)) <= limit), least)


def _layers_run(layers: tuple[str, ...], architecture: AnyArchitecture) -> list[str]:
    """Canonical names of all layers up to the deepest of the given ones."""
    names = list(layer_table(architecture))
    last = max(names.index(canonical_layer(layer, architecture)) for layer in layers)
    return names[: last + 1]


def fixed_memory(layers: tuple[str, ...], architecture: AnyArchitecture) -> float:
    """Bytes of `estimated_memory` that do not grow with the picture."""
    if not isinstance(architecture, VggArchitecture):
        return _FIXED_BYTES
    # Float32 kernels, once as they are and once as their gradients read them.
    table, shapes = layer_table(architecture), expected_shapes(architecture)
    keys = (f"{table[name].torchvision}.weight" for name in _layers_run(layers, architecture))
    return _FIXED_BYTES + 2 * 4 * sum(math.prod(shapes[key]) for key in keys if key in shapes)


def check_memory(needed: int, available: int, longest: int, fixed: float = _FIXED_BYTES) -> None:
    """Refuse a run that memory cannot hold; `fixed` of the bytes needed stay whatever the size.

    Raises:
        InputError: says what is needed, what is there, and the largest size that fits.
    """
    if needed <= available:
        return
    # What grows with the picture grows with its pixels, but for the frame, hence a little less.
    share = 0.95 * max(available - fixed, 0.0) / (needed - fixed)
    fits = int(longest * math.sqrt(share)) // 16 * 16
    raise InputError(
        f"--size {longest} needs about {needed / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB "
        f"are free: --size {fits} would fit"
    )
