"""Training of a painting network from files to files, within a time."""

import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from stylejax.devices.memory import find_devices
from stylejax.errors import InputError
from stylejax.feedforward.network import Painter
from stylejax.feedforward.training import (
    Pace,
    StepReport,
    Validation,
    grown_parameters,
    initial_state,
    pace_at,
)
from stylejax.images.contact_sheet import draw_contact_sheet
from stylejax.images.write import write_picture
from stylejax.runs.metadata import Record
from stylejax.runs.painter_file import read_state, write_checkpoint, write_painter
from stylejax.runs.style_material import prepare_programs, read_material
from stylejax.runs.style_request import StyleRequest
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


class _Training:
    """One run: its state and everything that is written of it."""

    def __init__(self, request: StyleRequest, started: float, tell: Tell):
        self.request, self.started, self.tell = request, started, tell
        self.material = read_material(request)
        record, base = self.material.record, self.material.base
        self.painter = Painter(len(record["styles"]), record["width"], request.precision)
        photographs = self.material.photographs
        self.earlier, begin = 0, 0.0
        if request.resume is None:
            key = jax.random.key(request.seed)
            begin_with = partial(initial_state, self.painter)
            if base is None:
                self.state = jax.jit(begin_with)(key)
            else:
                grown = grown_parameters(base.parameters, len(request.paintings))
                self.state = begin_with(key, grown)
        else:
            self.state, record = read_state(request.resume, self.painter)
            _check_same(request.resume, record, self.material.record, int(self.state.steps) > 0)
            self.earlier = record.get("steps", 0) - int(self.state.steps)
            begin = record.get("progress", 0.0)
            if int(self.state.steps) == 0:
                begin = 0.0
        # Not before all files are known to be of use: what is wrong is one line then.
        tell(
            f"{photographs.read} photographs ({photographs.refused} could not be read) in "
            f"{len(photographs.tiles)} tiles, {self.seconds():.0f} s"
        )
        self.programs = prepare_programs(request, self.material, self.painter, self.state)
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
        steps = int(self.state.steps)
        progress = self.clock.at(steps, self.validation_seconds)
        return self.material.record | {"steps": steps + self.earlier, "progress": progress}

    def validated(self) -> None:
        """Judge the averaged network, and draw what it paints."""
        if self.programs.validate is None:
            return
        begin, programs = time.monotonic(), self.programs
        seen: Validation = jax.device_get(
            programs.validate(self.state.average, programs.aims, programs.validation)
        )
        names = self.request.style_names
        scores = {name: float(row.mean()) for name, row in zip(names, seen.styles, strict=True)}
        identity = -10.0 * float(np.log10(seen.identity.mean()))
        self.history.append({"steps": int(self.state.steps), **scores, "identity PSNR": identity})
        told = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
        self.tell(f"validation: objective {told}; identity {identity:.1f} dB")
        rows = [self.material.validation, *seen.painted]
        labels = ["photograph", "identity", *names]
        sheet = draw_contact_sheet([list(row) for row in rows], labels, [""] * rows[0].shape[0])
        write_picture(self.request.output.with_suffix(PREVIEW), sheet)
        self.validation_seconds = time.monotonic() - begin

    def saved(self) -> None:
        """Write the weight file, and the checkpoint where there is to be one."""
        record = self.record()
        write_painter(self.request.output, self.state.average, record)
        if self.request.checkpoint is not None:
            write_checkpoint(self.request.checkpoint, self.state, record)

    def line(self, seconds: float) -> None:
        """Tell what the steps since the last line have seen."""
        reports, self.reports = self.reports, []
        rows = np.concatenate([report.rows for report in reports])
        losses = {
            part: np.concatenate([getattr(report.judgments, part) for report in reports])
            for part in ("content", "style", "pixels")
        }
        parts = []
        for row, name in enumerate(("identity", *self.material.record["styles"])):
            mine = rows == row
            if mine.any():
                other = losses["style" if row else "pixels"][mine].mean()
                parts.append(f"{name} {losses['content'][mine].mean():.2f}+{other:.2f}")
        length = np.mean([report.length for report in reports])
        self.tell(
            f"{self.seconds():.0f} s, step {self.done}, {seconds / len(reports):.4f} s each, rate "
            f"{self.rate:.1e}, gradient {length:.1f}, {int(self.state.skipped)} skipped: "
            + ", ".join(parts)
        )

    def shares(self) -> jax.Array:
        """How often each row is trained; those of a network that is kept are not."""
        new = len(self.request.paintings)
        kept = self.painter.styles - new
        identity = 0.0 if kept else self.request.identity_share
        return jnp.asarray([identity, *[0.0] * kept, *[1.0] * new])

    def look(self) -> bool:
        """Run some steps; false where the last ones were all without a finite gradient."""
        request, programs = self.request, self.programs
        shares = self.shares()
        key, steps, seen = jax.random.key(request.seed), int(self.state.steps), []
        for number in range(steps, steps + STEPS_BETWEEN_LOOKS):
            if self.clock.over(number, self.validation_seconds):
                break
            progress = self.clock.at(number, self.validation_seconds)
            ramp = self.earlier == 0 and self.material.base is None
            pace = pace_at(progress, request.rate, ramp=ramp)
            self.rate = float(pace.rate)
            inputs = (programs.aims, programs.tiles, key, shares, Pace(*map(jnp.float32, pace)))
            self.state, report = programs.step(self.state, *inputs)
            seen.append(report)
        self.reports.extend(jax.device_get(seen))
        return not all_skipped([report.length for report in self.reports])


def _check_same(path: Path, before: Record, now: Record, is_checkpoint: bool) -> None:
    """Refuse to go on with other styles, or from a checkpoint with other options.

    Raises:
        InputError: names what differs.
    """
    decisive = ("paintings_sha256", "encoder_sha256", "size", "style_size", "batch", "weights")
    # Names may be others where the paintings are the same.
    same = before.get("paintings_sha256") == now["paintings_sha256"]
    for name in (*(() if same else ("styles",)), *(decisive if is_checkpoint else ())):
        if before.get(name) != now[name]:
            raise InputError(
                f"{path}: was trained with other {name} ({before.get(name)}, not {now[name]}); "
                "give the same ones" + (", or go on from its weight file" if is_checkpoint else "")
            )


def train_styles(request: StyleRequest, started: float, tell: Tell = lambda line: None) -> Ending:
    """Train a painting network, and write its weight file, a report and a preview.

    Args:
        request: what to train, and with what.
        started: the program's start on `time.monotonic`, from which the deadline counts.
        tell: is given each line of progress.

    Raises:
        InputError: an option or a file cannot be used.
    """
    request.check()
    with jax.default_device(find_devices(request.device)[0]):
        training = _Training(request, started, tell)
        return train_to_files(training, request, training.material.photographs.read)
