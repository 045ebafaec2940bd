"""Training of a network that enlarges from files to files, within a time."""

import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from stylejax.devices.memory import find_devices
from stylejax.errors import InputError
from stylejax.feedforward.training import pace_at, state_from
from stylejax.images.contact_sheet import draw_contact_sheet
from stylejax.images.write import write_picture
from stylejax.runs.enlarger_file import (
    form_record,
    read_enlarger_state,
    write_enlarger,
    write_enlarger_checkpoint,
)
from stylejax.runs.enlarger_material import TILE, fitted_state, prepare_programs
from stylejax.runs.enlarger_request import USUAL_STEPS, EnlargerRequest
from stylejax.runs.photographs import read_photographs, read_squares
from stylejax.runs.tensor_file import Record
from stylejax.runs.training_files import train_to_files
from stylejax.runs.training_loop import (
    STEPS_BETWEEN_LOOKS,
    Clock,
    Ending,
    Tell,
    Until,
    all_skipped,
)
from stylejax.runs.training_outputs import PREVIEW
from stylejax.superresolution.network import init_parameters
from stylejax.superresolution.reduction import REDUCTIONS, bicubic, reduced
from stylejax.superresolution.run import enlarge_picture
from stylejax.superresolution.training import StepReport
from stylejax.types import Pixels
from stylejax.version import VERSION
from stylejax.weights.read import read_weights

VALIDATION_SIZE, SHOWN = 256, 6
"""Side in pixels of the photographs to validate with, and how many of them the preview shows."""


class _EnlargerTraining:
    """One run: its state and everything that is written of it."""

    def __init__(self, request: EnlargerRequest, started: float, tell: Tell):
        self.request, self.started, self.tell = request, started, tell
        self.enlarger = request.enlarger
        side = TILE * request.factor * request.size
        photographs = read_photographs(request.photos, side)
        self.photographs, encoder = photographs.read, read_weights(request.weights)
        squares = read_squares(request.validation, VALIDATION_SIZE)
        self.pairs = [
            (reduced(square, request.factor, REDUCTIONS[number % len(REDUCTIONS)]), square)
            for number, square in enumerate(squares)
        ]
        self.earlier, begin = 0, 0.0
        if request.resume is None:
            self.state = state_from(init_parameters(self.enlarger, jax.random.key(request.seed)))
        else:
            self.state, record = read_enlarger_state(request.resume, self.enlarger)
            _check_same(request, record, int(self.state.steps) > 0)
            self.earlier = record.get("steps", 0) - self.done
            if record["factor"] != request.factor:
                self.state = fitted_state(request, self.state, photographs)
            begin = record.get("progress", 0.0) if self.done else 0.0
        # Not before all files are known to be of use: what is wrong is one line then.
        tell(
            f"{photographs.read} photographs ({photographs.refused} could not be read) in "
            f"{len(photographs.tiles)} tiles, {self.seconds():.0f} s"
        )
        self.programs = prepare_programs(request, encoder, photographs, self.state)
        of_encoder = {"encoder": encoder.name, "encoder_sha256": encoder.sha256}
        self.fixed = _decisive(request) | of_encoder | {"stylejax": VERSION}
        tell(f"compiled, {self.seconds():.0f} s")
        until = Until(request.steps, request.stop_after, request.deadline)
        self.clock = Clock(until, started, begin)
        self.history: list[Record] = []
        self.reports: list[StepReport] = []
        self.validation_seconds = 0.0

    @property
    def done(self) -> int:
        """How many steps there have been."""
        return int(self.state.steps)

    def seconds(self) -> float:
        """Since the program started."""
        return time.monotonic() - self.started

    def record(self) -> Record:
        """What the files say of the training."""
        progress = self.clock.at(self.done, self.validation_seconds)
        return self.fixed | {"steps": self.done + self.earlier, "progress": progress}

    def validated(self) -> None:
        """Judge the averaged network, and draw what it makes."""
        if not self.pairs:
            return
        begin, side = time.monotonic(), VALIDATION_SIZE // self.request.factor
        made = {"bicubic": [bicubic(small, self.request.factor) for small, _ in self.pairs]}
        for sharpness in (0.0, 1.0):
            average = self.state.average
            made[f"sharpness {sharpness:g}"] = [
                enlarge_picture(small, self.enlarger, average, sharpness, side)
                for small, _ in self.pairs
            ]
        originals = [square for _, square in self.pairs]
        scores = {name: _psnr(pictures, originals) for name, pictures in made.items()}
        self.history.append({"steps": self.done, **scores})
        told = ", ".join(f"{name} {score:.2f} dB" for name, score in scores.items())
        self.tell(f"validation: {told}")
        columns = [*made.values(), originals]
        rows = [list(row) for row in zip(*columns, strict=True)][:SHOWN]
        sheet = draw_contact_sheet(rows, [""] * len(rows), [*made, "original"])
        write_picture(self.request.output.with_suffix(PREVIEW), sheet)
        self.validation_seconds = time.monotonic() - begin

    def saved(self) -> None:
        """Write the weight file, and the checkpoint where there is to be one."""
        record, request = self.record(), self.request
        write_enlarger(request.output, self.enlarger, self.state.average, record)
        if request.checkpoint is not None:
            write_enlarger_checkpoint(request.checkpoint, self.enlarger, self.state, record)

    def line(self, seconds: float) -> None:
        """Tell what the steps since the last line have seen."""
        reports, self.reports = self.reports, []
        told = []
        for name, which in (("exact", False), ("sharp", True)):
            errors = [each.errors for each in reports if bool(each.sharpness > 0.0) == which]
            if errors:
                pixels, features = (
                    float(np.mean([getattr(each, part) for each in errors]))
                    for part in ("pixels", "features")
                )
                told.append(f"{name} {pixels:.5f}" + (f"+{features:.4f}" if which else ""))
        self.tell(
            f"{self.seconds():.0f} s, step {self.done}, {seconds / len(reports):.4f} s each, rate "
            f"{self.rate:.1e}, {int(self.state.skipped)} skipped: {', '.join(told)}"
        )

    def is_exact(self, number: int, progress: float) -> bool:
        """Whether a step is at sharpness 0, with pixels alone."""
        request = self.request
        if request.preset == "johnson":
            return False
        return progress < request.exact_share or number % request.sharp_every > 0

    def look(self) -> bool:
        """Run some steps; false where the last ones were all without a finite gradient."""
        programs, key, seen = self.programs, jax.random.key(self.request.seed), []
        for number in range(self.done, self.done + STEPS_BETWEEN_LOOKS):
            if self.clock.over(number, self.validation_seconds):
                break
            progress = self.clock.at(number, self.validation_seconds)
            self.rate = float(pace_at(progress, self.request.rate).rate)
            step = programs.exact if self.is_exact(number, progress) else programs.sharp
            inputs = (programs.judges, programs.tiles, key, jnp.float32(self.rate))
            self.state, report = step(self.state, *inputs)
            seen.append(report)
        self.reports.extend(jax.device_get(seen))
        return not all_skipped([report.length for report in self.reports])


def _psnr(pictures: list[Pixels], originals: list[Pixels]) -> float:
    """The mean peak signal-to-noise ratio of pixels in decibels."""
    errors = [np.mean(np.square(a - b)) for a, b in zip(pictures, originals, strict=True)]
    return float(np.mean(-10.0 * np.log10(errors)))


def _decisive(request: EnlargerRequest) -> Record:
    """The options without which a checkpoint does not go on."""
    names = ("size", "batch", "exact_share", "sharp_every", "feature_weight", "kept_pixels")
    return {name: getattr(request, name) for name in names} | form_record(request.enlarger)


def _check_same(request: EnlargerRequest, before: Record, is_checkpoint: bool) -> None:
    """Refuse to go on from a checkpoint with other options.

    Raises:
        InputError: names what differs.
    """
    for name, value in _decisive(request).items() if is_checkpoint else ():
        if before.get(name) != value:
            raise InputError(
                f"{request.resume}: was trained with other {name} ({before.get(name)}, not "
                f"{value}); give the same ones, or go on from its weight file"
            )


def train_enlarger(
    request: EnlargerRequest, started: float, tell: Tell = lambda line: None
) -> Ending:
    """Train a network that enlarges, and write its weight file, a report and a preview.

    Args:
        request: what to train, and with what.
        started: the program's start on `time.monotonic`, from which the deadline counts.
        tell: is given each line of progress.

    Raises:
        InputError: an option or a file cannot be used.
    """
    request.check()
    if not request.steps and not request.deadline:
        request = replace(request, steps=USUAL_STEPS)
    with jax.default_device(find_devices(request.device)[0]):
        training = _EnlargerTraining(request, started, tell)
        return train_to_files(training, request, training.photographs)
