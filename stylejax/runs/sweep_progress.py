"""How far a sweep is, as whoever shows it is told."""

from collections.abc import Sequence
from typing import NamedTuple


class SweepProgress(NamedTuple):
    """How far a batch of lanes is: `iterations` and `losses` of each lane, in the order of `names`.

    `seconds_left` are those of the whole sweep.
    """

    names: tuple[str, ...]
    iterations: Sequence[int]
    losses: Sequence[float]
    seconds_left: float
