"""Several devices: over how many a picture is spread, and what a program has them exchange."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from stylejax.devices.memory import Device
from stylejax.errors import InputError

ROWS_A_DEVICE = 32
"""Fewest rows of the picture that a device is given: four of the feature maps of stride 8."""


def devices_for_height(devices: Sequence[Device], height: int, *, asked: bool) -> list[Device]:
    """As many of the devices as a picture can be split over.

    Args:
        devices: those that there are.
        height: of the picture, in pixels.
        asked: whether all of them must be used.

    Raises:
        InputError: they must be, and the picture is too small.
    """
    most = max(1, height // ROWS_A_DEVICE)
    if asked and len(devices) > most:
        raise InputError(
            f"--devices {len(devices)}: {height} rows of pixels are too few to split, "
            f"{ROWS_A_DEVICE} for each device; give {most} or less, or a larger --size"
        )
    return list(devices[:most])


_COLLECTIVE = re.compile(
    r"= (.*?) (all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)(?:-start)?\("
)
_SHAPE = re.compile(r"\b[a-z]+(\d+)\[([\d,]*)\]")


def communication(compiled: str) -> dict[str, int]:
    """Bytes that each device receives for each kind of collective, from a program's compiled text.

    A collective inside a loop is counted once: what is counted for a solver's step is one
    evaluation with all that belongs to it.
    """
    found: Counter[str] = Counter()
    for line in compiled.splitlines():
        match = _COLLECTIVE.search(line)
        if match is None:
            continue
        for bits, shape in _SHAPE.findall(match[1]):
            items = np.prod([int(side) for side in shape.split(",") if side], dtype=np.int64)
            found[match[2]] += int(items) * int(bits) // 8
    return dict(found)
