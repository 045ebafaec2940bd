"""What all trainings share: their time, and the loop that trains, tells, saves and validates."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from stylejax.errors import InputError
from stylejax.transfer.interrupt import interruptible
from stylejax.types import Scalar

STEPS_BETWEEN_LOOKS = 10
"""The device runs ahead of the host no further than this."""
SECONDS_BETWEEN_LINES, SECONDS_BETWEEN_SAVES, SECONDS_BETWEEN_VALIDATIONS = 10.0, 30.0, 60.0
SECONDS_TO_END = 8.0
"""Kept of the deadline for writing; the last validation's time is kept besides."""
MOST_SKIPPED = 100
"""Steps in a row that are not finite, after which the training ends."""

Tell = Callable[[str], object]
"""Is given the lines of a training's progress."""


class Ending(NamedTuple):
    """A training that has ended: the report that was written, and whether something stopped it.

    `diverged` where that was the gradient, which was not finite any more.
    """

    report: Mapping[str, object]
    stopped: bool
    diverged: bool


class Until(NamedTuple):
    """How long to train.

    Attributes:
        steps: all of them, by which the schedule goes; 0 where the time says.
        stop_after: steps after which to stop early; 0 for none.
        deadline: minutes from the program's start to its end; 0 for none.
    """

    steps: int
    stop_after: int
    deadline: float


class Clock:
    """How far a training is: by its steps where their number is given, else by the time."""

    def __init__(self, until: Until, started: float, progress: float):
        """Start it; `started` is the program's start, `progress` the place in the schedule."""
        self.begin, self.progress = time.monotonic(), progress
        self.steps, self.deadline = until.steps, np.inf
        self.last = until.stop_after or np.inf
        if until.deadline:
            self.deadline = started + 60.0 * until.deadline - SECONDS_TO_END

    def at(self, steps: int, kept: float) -> float:
        """The place in the schedule, 0 to 1; `kept` are the seconds that the end will take."""
        if self.steps:
            return min(1.0, steps / self.steps)
        # A run that goes on has its share of the schedule left to spend in all of its time.
        spent = (time.monotonic() - self.begin) / max(self.deadline - kept - self.begin, 1e-6)
        return min(1.0, self.progress + (1.0 - self.progress) * spent)

    def over(self, steps: int, kept: float) -> bool:
        """Whether the training has to end."""
        late = time.monotonic() >= self.deadline - kept
        return late or steps >= self.last or self.at(steps, kept) >= 1.0


@runtime_checkable
class Training(Protocol):
    """What the loop asks of a training; `validation_seconds` is how long a validation takes."""

    clock: Clock
    tell: Tell
    validation_seconds: float

    @property
    def done(self) -> int:
        """How many steps there have been."""
        ...

    def look(self) -> bool:
        """Run some steps; false where the last ones were all without a finite gradient."""
        ...

    def line(self, seconds: float) -> None:
        """Tell what the steps of the last so many seconds have seen."""
        ...

    def saved(self) -> None:
        """Write what there is."""
        ...

    def validated(self) -> None:
        """Judge what there is."""
        ...


class LoopEnd(NamedTuple):
    """Whether something else than the schedule ended a loop, and whether that was the gradient."""

    stopped: bool
    diverged: bool


def all_skipped(lengths: Sequence[Scalar | Float[np.ndarray, ""]]) -> bool:
    """Whether the gradients of the last steps, by their lengths, were all not finite."""
    last = lengths[-MOST_SKIPPED:]
    return len(last) == MOST_SKIPPED and not np.isfinite(np.asarray(last)).any()


class _Attempts:
    """What is written as a training goes on: where that fails it is said once, and it goes on."""

    def __init__(self, tell: Tell):
        self.tell, self.failed = tell, False

    def at(self, write: Callable[[], None]) -> None:
        """Write if possible."""
        try:
            write()
        except InputError as error:
            if not self.failed:
                self.tell(f"{error}; the training goes on, and what was written before stays")
            self.failed = True


def run_training(training: Training) -> LoopEnd:
    """Train to the end, or until something ends it first."""
    told = saved = validated = time.monotonic()
    attempt = _Attempts(training.tell)
    with interruptible() as interrupted:
        while not training.clock.over(training.done, training.validation_seconds):
            diverged = not training.look()
            if diverged or interrupted():
                return LoopEnd(True, diverged)
            now = time.monotonic()
            if now - told > SECONDS_BETWEEN_LINES:
                training.line(now - told)
                told = now
            if now - saved > SECONDS_BETWEEN_SAVES:
                attempt.at(training.saved)
                saved = now
            if now - validated > SECONDS_BETWEEN_VALIDATIONS:
                attempt.at(training.validated)
                told = validated = time.monotonic()
    return LoopEnd(False, False)
