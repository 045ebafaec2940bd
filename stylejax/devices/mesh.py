"""Several devices: how many share a picture, where arrays lie, and what programs exchange."""

import re
from collections import Counter
from collections.abc import Sequence

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

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


def places_on(devices: Sequence[Device], axis: str) -> tuple[NamedSharding, NamedSharding]:
    """Two ways to lie on several devices: whole on each of them, and split along the first axis.

    `axis` is what the devices' own axis is called; arrays for one program must agree on it.
    """
    # One axis of devices: a picture is split along its rows, a batch along its lanes.
    mesh = Mesh(np.asarray(devices), (axis,))
    return NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(axis))


def placed(tree: PyTree, places: PyTree[NamedSharding]) -> PyTree:
    """A pytree's arrays, each at its place; `places` is one for all, or a pytree like `tree`.

    What lies there already is not moved. The others go by way of the host: a process cannot copy
    from its own device to those of other processes.
    """
    if isinstance(places, NamedSharding):
        place = places
        places = jax.tree.map(lambda leaf: place, tree)
    lies = lambda leaf, place: getattr(leaf, "sharding", None) == place
    move = lambda leaf, place: (
        leaf if lies(leaf, place) else jax.device_put(jax.device_get(leaf), place)
    )
    return jax.tree.map(move, tree, places)


# In a text of XLA: `%name = f32[4,8]{1,0} all-reduce(...)`, with a tuple of shapes where there are
# several. On GPUs they begin and end apart; counted are the beginnings.
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
