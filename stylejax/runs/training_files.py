"""What all trainings share of files: where they write, and the report that they leave."""

import time
from pathlib import Path
from typing import Protocol, runtime_checkable

import jax

from stylejax.feedforward.training import TrainingState
from stylejax.images.files import replace_file
from stylejax.options import Precision
from stylejax.runs.metadata import Record
from stylejax.runs.training_loop import Ending, Training, run_training
from stylejax.runs.training_outputs import REPORT
from stylejax.strict_json import json_text


@runtime_checkable
class TrainingRequest(Protocol):
    """What a report says of the options of a training."""

    @property
    def output(self) -> Path:
        """The weight file to write."""
        ...

    @property
    def precision(self) -> Precision:
        """Of the products inside the networks."""
        ...

    @property
    def rate(self) -> float:
        """The highest rate of Adam."""
        ...

    @property
    def seed(self) -> int:
        """Of everything random."""
        ...


@runtime_checkable
class FileTraining(Training, Protocol):
    """A training that leaves files."""

    state: TrainingState
    history: list[Record]

    def seconds(self) -> float:
        """Since the program started."""
        ...

    def record(self) -> Record:
        """What the files say of the training."""
        ...


def train_to_files(training: FileTraining, request: TrainingRequest, photographs: int) -> Ending:
    """A training from its first step to the files that it leaves.

    Args:
        training: at its beginning.
        request: what was asked for.
        photographs: how many it trains with.
    """
    training.validated()
    begin, before = time.monotonic(), training.done
    ended = run_training(training)
    seconds, steps = time.monotonic() - begin, training.done - before
    training.saved()
    training.validated()
    report = training.record() | {
        "steps_now": steps,
        "seconds_a_step": seconds / max(1, steps),
        "seconds": training.seconds(),
        "skipped": int(training.state.skipped),
        "device": jax.devices()[0].device_kind,
        "precision": request.precision,
        "rate": request.rate,
        "seed": request.seed,
        "photographs": photographs,
        "validation": training.history,
    }
    replace_file(request.output.with_suffix(REPORT), json_text(report, indent=2).encode())
    training.tell(f"{request.output} written after {steps} steps, {training.seconds():.0f} s")
    return Ending(report, *ended)
