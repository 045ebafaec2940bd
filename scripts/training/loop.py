"""The training itself: stages of steps, each one's result measured and kept where it is better."""

import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from stylejax.errors import InputError
from training.bench import Bench, learning_crops, ready, say
from training.checkpoint import (
    Progress,
    Run,
    checkpoint_path,
    read_checkpoint,
    write_checkpoint,
)
from training.distillation import Numbers, Student, begin, restored
from training.judging import fallen, measured, unexplained, with_statistics
from training.options import Options
from training.programs import everywhere
from training.schedule import (
    Costs,
    Late,
    Stage,
    kept_share,
    learning_rate,
    stage_seconds,
    stages,
)
from training.weight_file import fits

SAVE_SECONDS = 120.0
REPORT_SECONDS = 20.0
STATISTICS_COST = 0.6
"""Of what measuring a crop costs: it passes forward through the student alone (0.48 operations)."""


class Stopped(Exception):
    """The process was asked to end; the checkpoint has been written."""


def _line(explained: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in explained.items())


def first_run(bench: Bench, student: Student) -> Run:
    """A run before its first step; a student out of a file gets the heads that fit it best."""
    programs = bench.programs
    needed = [programs.moments, programs.draw, programs.held_out]
    if jax.default_backend() == "cpu":
        # Where compiling takes the processors from measuring, nothing is won by both at once, and
        # measuring would look too slow for what is planned by it.
        needed += [programs.statistics, programs.step]
    for program in needed:
        ready(program, bench.deadline)
    began = time.monotonic()
    try:
        fitted, deviations, explained = measured(bench, student)
    except Late:
        raise InputError(
            "--deadline is over before the start is measured: give it more time"
        ) from None
    say(f"start: explained variance {_line(explained)}")
    if bench.options.start is not None:
        student = student._replace(heads=fitted.heads)
    progress = Progress(figures={"start": explained}, measuring=time.monotonic() - began)
    return Run(everywhere(begin(student)), student.batch_stats, student, deviations, progress)


def _save(bench: Bench, run: Run) -> None:
    write_checkpoint(checkpoint_path(bench.options.out), bench.settings, run)


def _costs(bench: Bench, run: Run) -> Costs:
    options, measuring = bench.options, run.progress.measuring
    share = STATISTICS_COST * options.statistics * options.batch
    return Costs(measuring, measuring * share / (options.sample + options.held_out))


class _Watch:
    """The pace of a stage: how far it is, and whether it must end, by its steps or by the clock."""

    def __init__(self, stage: Stage, run: Run, seconds: float) -> None:
        self.stage, self.seconds, self.share = stage, max(seconds, 0.0), run.progress.share
        self.began = self.before = time.monotonic()
        self.longest = 0.0

    def place(self, steps: int) -> float:
        """The share of the stage's schedule that is behind it after so many steps."""
        if self.stage.steps is not None:
            return steps / self.stage.steps if self.stage.steps else 1.0
        passed = (time.monotonic() - self.began) / self.seconds if self.seconds else 1.0
        return min(1.0, self.share + (1.0 - self.share) * passed)

    def over(self) -> bool:
        """Whether another step would come too late."""
        now = time.monotonic()
        last, self.before = now - self.before, now
        # The longest of late: one step that took unusually long is soon forgotten.
        self.longest = max(last, 0.8 * self.longest)
        return now + self.longest > self.began + self.seconds


def _finite(errors: Mapping[str, Any]) -> dict[str, float]:
    found = {tap: float(error) for tap, error in errors.items()}
    if not np.isfinite(list(found.values())).all():
        raise FloatingPointError
    return found


def _numbers(bench: Bench, stage: Stage, progress: Progress) -> Numbers:
    options = bench.options
    return Numbers(
        rate=np.float32(learning_rate(stage.learning_rate, progress.share)),
        keep=np.float32(kept_share(options.averaging, progress.stage_steps)),
        weights=np.asarray(options.tap_weights, np.float32),
        settled=np.bool_(stage.settled),
    )


def _steps(bench: Bench, stage: Stage, run: Run) -> Run:
    """Train until the stage is over."""
    program = ready(bench.programs.step, bench.deadline)
    watch = _Watch(stage, run, stage_seconds(stage, bench.deadline.left(), _costs(bench, run)))
    statistics, deviations = everywhere((run.statistics, run.deviations))
    options, progress = bench.options, run.progress
    saved = reported = time.monotonic()
    running: dict[str, float] = {}
    before: Any = None
    while not watch.over():
        progress = progress._replace(share=watch.place(progress.stage_steps))
        if progress.share >= 1.0:
            break
        crops = learning_crops(bench, sum(progress.steps.values()), vary=True)
        known = (statistics, bench.teacher, deviations, crops)
        state, errors = program(run.state, *known, _numbers(bench, stage, progress))
        progress = progress._replace(
            stage_steps=progress.stage_steps + 1,
            steps={**progress.steps, stage.name: progress.stage_steps + 1},
            pictures=progress.pictures + options.batch,
        )
        run = run._replace(state=state, progress=progress)
        # A step behind, so that the device need not wait for the host.
        if before is not None:
            known = _finite(before)
            running = {tap: 0.95 * running.get(tap, e) + 0.05 * e for tap, e in known.items()}
        before, now = errors, time.monotonic()
        if running and now - reported > REPORT_SECONDS:
            speed = progress.stage_steps
            values = " ".join(f"{tap} {error:.3f}" for tap, error in running.items())
            say(f"{stage.name}: step {speed}, {100 * progress.share:.0f} %, errors {values}")
            reported = now
        stopping = bench.stop()
        if stopping or now - saved > SAVE_SECONDS:
            _finite(errors)
            _save(bench, run)
            saved = now
        if stopping:
            raise Stopped
    if before is not None:
        _finite(before)
    return run


def run_stage(bench: Bench, stage: Stage, run: Run) -> Run:
    """Train a stage; where its numbers are not finite any more, go back to those last saved."""
    _save(bench, run)
    try:
        return _steps(bench, stage, run)
    except FloatingPointError:
        say(f"{stage.name}: numbers are not finite any more; going on with those last saved")
        template = run.kept
        return read_checkpoint(checkpoint_path(bench.options.out), bench.settings, template)


def judged(bench: Bench, stage: Stage, run: Run) -> Run:
    """Measure what a stage has led to, and keep it where it is the best so far.

    The average of the stage's students is what counts; its statistics are measured anew first,
    unless it has learnt on them. What cannot be measured before the deadline is dropped.
    """
    if not run.progress.stage_steps:
        say(f"{stage.name}: left out, there was no time for a step")
        return run
    try:
        return _judged(bench, stage, run)
    except Late:
        say(f"{stage.name}: no time to measure what it has led to, so it is dropped")
        return run


def _judged(bench: Bench, stage: Stage, run: Run) -> Run:
    progress = run.progress
    average = restored(jax.device_get(run.state.average), run.kept)
    student = average._replace(batch_stats=run.statistics)
    if not stage.settled:
        student = with_statistics(bench, student)
    run = run._replace(state=everywhere(begin(student)), statistics=student.batch_stats)
    if not fits(student):
        say(f"{stage.name}: numbers are not finite in float16, taken back")
        return run
    found, _, explained = measured(bench, student, run.deviations)
    progress = progress._replace(figures={**progress.figures, stage.name: explained})
    worse = _worse(bench.options, progress, explained)
    say(f"{stage.name}: explained variance {_line(explained)}: {worse or 'better, kept'}")
    if worse:
        return run._replace(progress=progress)
    return run._replace(kept=found, progress=progress._replace(kept=stage.name))


def _worse(options: Options, progress: Progress, explained: Mapping[str, float]) -> str:
    """Why a stage is taken back; nothing where it is not."""
    best, weights = progress.figures[progress.kept], options.tap_weights
    # Not so that a number which is none counts as better.
    if not unexplained(explained, weights) < unexplained(best, weights):
        return f"no better than {progress.kept}, taken back"
    lost = fallen(progress.figures["start"], explained, options.largest_loss)
    if lost and options.start is not None:
        return f"{lost[0]} lost more than {options.largest_loss}, taken back"
    return ""


def train(bench: Bench, run: Run) -> Run:
    """Run the stages that are left, each from what the one before it has led to.

    Raises:
        Stopped: the process was asked to end.
    """
    for index, stage in enumerate(stages(bench.options)):
        if index >= run.progress.stage and stage.steps != 0:
            run = judged(bench, stage, run_stage(bench, stage, run))
            progress = run.progress._replace(stage=index + 1, stage_steps=0, share=0.0)
            run = run._replace(progress=progress)
    return run
