"""When a training does what: its deadline, its stages, its learning rate."""

import math
import time
from typing import NamedTuple

import numpy as np
import psutil

from training.options import Options

WRITING = 8.0
"""Seconds kept back for writing the files and for ending the process."""
CAUTION = 1.5
"""A measurement is given this much of the time that the first one took: the machine is shared."""
SETTLING = 0.15
"""Share of the training time that the last stage gets."""
WARMING = 0.03
"""Share of a stage in which its learning rate rises."""


def process_start() -> float:
    """When this process began, by `time.monotonic`."""
    return time.monotonic() - max(0.0, time.time() - psutil.Process().create_time())


class Late(Exception):
    """What is under way would not be done before the deadline."""


class Deadline(NamedTuple):
    """The time, by `time.monotonic`, when everything must be written."""

    at: float = math.inf

    @classmethod
    def of(cls, minutes: float | None, start: float) -> "Deadline":
        """So many minutes from the start."""
        return cls() if minutes is None else cls(start + 60.0 * minutes)

    def left(self) -> float:
        """Seconds until then."""
        return self.at - time.monotonic()

    def check(self) -> None:
        """Raise `Late` where no more than the time for writing is left."""
        if self.left() < WRITING:
            raise Late


class Stage(NamedTuple):
    """A part of the training.

    It takes `steps`, or where that is None as many as its time allows. A `settled` stage normalizes
    with the stored statistics.
    """

    name: str
    settled: bool
    learning_rate: float
    steps: int | None


class Costs(NamedTuple):
    """What a run must put time by for, in seconds: a measurement, and statistics measured anew."""

    measuring: float
    statistics: float


def stages(options: Options) -> tuple[Stage, Stage]:
    """All parts at once on the statistics of each batch, then on the stored ones."""
    rate, settle_rate = options.learning_rate, options.settle_learning_rate
    return (
        Stage("train", False, rate, options.steps),
        Stage("settle", True, settle_rate, options.settle_steps),
    )


def stage_seconds(stage: Stage, left: float, costs: Costs) -> float:
    """How long a stage may train, if so many seconds are left for all that is to come.

    What comes after it is measured, and the files are written; the first stage leaves the last one
    its share besides, where it is the clock that ends it.
    """
    measuring = CAUTION * costs.measuring
    if stage.settled:
        return left - WRITING - measuring
    left -= WRITING + measuring + CAUTION * costs.statistics
    return left if stage.steps is not None else (1.0 - SETTLING) * (left - measuring)


def learning_rate(highest: float, progress: float) -> float:
    """Cosine from the highest rate to a hundredth of it, after a short warm-up."""
    warm = min(1.0, progress / WARMING)
    return highest * warm * (0.01 + 0.99 * (0.5 + 0.5 * np.cos(np.pi * progress)))


def kept_share(averaging: float, steps: int) -> float:
    """Share of the moving average that a step keeps: less at the start of a stage."""
    return min(averaging, (1.0 + steps) / (10.0 + steps))
