"""A whole run from files to files: read, check, solve step by step, save between steps, write.

This is the rim: disk and clock are touched here, the terminal only through the `Observer` that the
caller passes.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import jax

from stylejax.devices.hosts import as_first_process_says, is_alone, is_first_process, on_host
from stylejax.devices.memory import memory_guard, release_freed_memory
from stylejax.errors import InputError, Interrupted
from stylejax.images.files import replace_file
from stylejax.runs.checkpoint import (
    BYTES_MAY_DIFFER,
    Checkpoint,
    CheckpointClock,
    CheckpointFile,
    load_checkpoint,
    remove_checkpoint,
    restore_state,
)
from stylejax.runs.checkpoint_paths import checkpoint_path
from stylejax.runs.checks import CheckedInputs, check_request, snapshot_path
from stylejax.runs.device_check import warn_of_wrong_answers
from stylejax.runs.kept_programs import KeptPrograms
from stylejax.runs.metadata import Record, record_text
from stylejax.runs.observer import Observer
from stylejax.runs.prepare import (
    Prepared,
    ReadPictures,
    prepare_run,
    read_pictures,
)
from stylejax.runs.program_shelf import shelf_folder
from stylejax.runs.request import Request
from stylejax.runs.results import write_result
from stylejax.runs.summary import Summary
from stylejax.solvers.state import SolverState
from stylejax.solvers.steps import Step, chunks_of_about
from stylejax.transfer.history import (
    TERMS,
    history_csv,
    history_plot,
    is_history_of,
)
from stylejax.transfer.levels import Progress, Suspended, solve_levels
from stylejax.transfer.problem import Problem, level_problem
from stylejax.transfer.pyramid import Level
from stylejax.transfer.sharding import over_rows, spread_variables
from stylejax.transfer.transfer import SECONDS_BETWEEN_LOOKS, finished_picture
from stylejax.types import OtherPixels, Variables


def agreed_pace(step: Step) -> int:
    """Chunks as long as the first process's clock says, on all processes."""
    return as_first_process_says(chunks_of_about(SECONDS_BETWEEN_LOOKS)(step))[0]


class _Saver:
    """Snapshots and checkpoints between steps, and the final files."""

    def __init__(
        self,
        request: Request,
        settings: Record,
        read: ReadPictures,
        warn: Callable[[str], None],
    ) -> None:
        self.request, self.settings = request, settings
        self.read, self.clock = read, CheckpointClock()
        self.file = CheckpointFile(checkpoint_path(request.output), warn)

    def between_steps(self, progress: Progress) -> None:
        every = self.request.save_every
        if every and progress.iteration % every == 0:
            self.picture(snapshot_path(self.request.output, progress.iteration), progress)
        self.clock.look(lambda: self.checkpoint(progress), progress.step.state)

    def checkpoint(self, progress: Progress | None) -> None:
        """Save where the run is; None: before its first evaluation."""
        saved = Checkpoint(1, None, {})
        if progress is not None:
            saved = Checkpoint(progress.level, on_host(progress.step.state), progress.history)
        if is_first_process():
            self.file.save(self.settings, saved)

    def picture(self, path: Path, progress: Progress) -> None:
        """Write the picture as it is."""
        image = progress.picture()
        if not is_first_process():
            return
        history = progress.history
        result = {
            "iterations": progress.iteration,
            "evaluations": int(history["evaluations"].sum()),
        }
        result |= {name: float(history[name][-1]) for name in ("loss", *TERMS)}
        further = [name for name in history if name.startswith("term:")]
        result |= {name.removeprefix("term:"): float(history[name][-1]) for name in further}
        options = self.request.options.picture
        text = record_text(self.settings, result)
        write_result(path, image, self.read.alpha, options, text, self.request.paper)

    def end(self, progress: Progress, stopped: bool) -> None:
        self.picture(self.request.output, progress)
        if stopped:
            self.checkpoint(progress)
        if not is_first_process():
            return
        if self.request.history is not None:
            replace_file(self.request.history, history_csv(progress.history).encode())
        if self.request.plot is not None:
            replace_file(self.request.plot, history_plot(progress.history))
        if not stopped:
            remove_checkpoint(self.file.path)


class _Levels:
    """Spreads the problem of each level and has it compiled, and knows how long that took.

    `make` makes a problem from its level and the picture to start from, None where the options name
    one.
    """

    def __init__(
        self,
        make: Callable[[Level, OtherPixels | None], Problem],
        prepared: Prepared,
        saver: _Saver,
        observer: Observer,
        compiled: Callable[[Problem], Problem],
    ) -> None:
        self.make, self.prepared, self.saver, self.observer = make, prepared, saver, observer
        self.compiled = compiled
        self.making, self.resumed = 0.0, False
        self.spread: Variables | None = None

    def problem(self, number: int, image: OtherPixels | None) -> Problem:
        began, levels, devices = time.monotonic(), self.prepared.levels, self.prepared.devices
        level = levels[number - 1]
        which = f" {level.width} x {level.height}, level {number} of {len(levels)}"
        which = which if len(levels) > 1 else ""
        # Of a large picture the Fourier transform of the start takes seconds.
        self.observer.stage(f"preparing{which}")
        problem = self.make(level, self.saver.read.start if image is None else image)
        if len(devices) > 1:
            if self.spread is None:
                self.spread = spread_variables(problem.arguments[0], devices)
            problem = over_rows(problem, devices, self.spread)
        if number == 1 and not self.resumed:
            # From here on a kill at any moment leaves something to resume from.
            self.saver.checkpoint(None)
        self.observer.stage(f"compiling{which}")
        release_freed_memory()
        problem = self.compiled(problem)
        release_freed_memory()
        self.making += time.monotonic() - began
        self.observer.stage(f"solving{which}")
        return problem

    def suspended(self) -> Suspended:
        """Where the run that the request resumes has got to."""
        request = self.saver.request
        if not request.resume:
            return Suspended()
        path, levels = self.saver.file.path, len(self.prepared.levels)
        level, leaves, history, upgrade = load_checkpoint(path, self.prepared.settings, levels)
        if upgrade:
            self.observer.warn(f"{path} was written with {upgrade}: {BYTES_MAY_DIFFER}")
        if leaves is None:
            return Suspended(level, history)
        assert isinstance(leaves, list)
        self.resumed = True

        def restore(problem: Problem) -> SolverState:
            state = restore_state(leaves, problem.shapes())
            if history and not is_history_of(history, state):
                raise InputError(f"--resume: {path} has another history; run without --resume")
            return state

        return Suspended(level, history, restore)


def _solve(
    levels: _Levels, suspended: Suspended, saver: _Saver, observer: Observer
) -> tuple[Progress, float | None, float]:
    """The end of the solve, when the first iteration had ended, and the seconds of solving."""
    request = saver.request
    kept = request.options.picture.kept_color
    began, progress, first = time.monotonic(), None, None
    steps = solve_levels(
        levels.prepared.levels,
        levels.problem,
        lambda image: finished_picture(image, saver.read.colors, kept),
        pace=agreed_pace,
        every=request.save_every,
        suspended=suspended,
    )
    try:
        for progress in steps:
            if progress.step.taken > 0:
                first = time.time() if first is None else first
                observer.progress(progress)
                if not progress.step.failed:
                    saver.between_steps(progress)
            if as_first_process_says(observer.stop())[0]:
                break
    except Interrupted:
        # Between two levels: the state of the one that has ended is still there.
        if progress is None:
            raise
    assert progress is not None
    return progress, first, time.monotonic() - began - levels.making


def run_transfer(
    request: Request, observer: Observer | None = None, kept: KeptPrograms | None = None
) -> Summary:
    """Make the picture that a request asks for; seconds are counted from here on.

    Args:
        request: what is to be done.
        observer: is told how far it is.
        kept: what a run with the same options has compiled, and what this one adds to it.

    Raises:
        InputError: something in the request cannot be used; nothing has been written then.
        Interrupted: by the observer, before there was a picture.
    """
    observer = Observer() if observer is None else observer
    observer.stage("preparing")
    return run_checked(check_request(request), observer, kept)


def run_checked(
    checked: CheckedInputs,
    observer: Observer,
    kept: KeptPrograms | None = None,
    *,
    since: float | None = None,
) -> Summary:
    """Make the picture of a request that `check_request` has nothing against.

    Seconds are counted from `since` on, in those of `time.time`; from here on unless given.

    Raises:
        InputError: as in `run_transfer`.
        Interrupted: likewise.
    """
    since = time.time() if since is None else since
    kept = KeptPrograms(shelf_folder()) if kept is None else kept
    request, options = checked.request, checked.request.options
    prepared = prepare_run(checked, weights=kept.weights)
    longest, devices = options.picture.longest, prepared.devices
    with memory_guard(longest, prepared.device), jax.default_device(prepared.device):
        warn_of_wrong_answers(prepared.device, shelf_folder(), observer.warn)
        network = kept.objective(prepared.weights, options, prepared.strip_rows, devices)
        read = read_pictures(request, prepared)
        make = partial(level_problem, network, read.pictures, options)
        saver = _Saver(request, prepared.settings, read, observer.warn)
        levels = _Levels(make, prepared, saver, observer, partial(kept.compiled, network))
        suspended, waited = levels.suspended(), network.compiler.seconds_waited
        if is_alone(devices):
            left = prepared.levels[suspended.level - 1 :]
            kept.plan(network, read.pictures, options, left)
        try:
            progress, first, solving = _solve(levels, suspended, saver, observer)
        except BaseException:
            network.compiler.close(keep=False)
            raise
        stopped = not progress.done
        # Whoever asks to stop here gets what is there, as before.
        with suppress(Interrupted):
            observer.stage("writing")
        saver.end(progress, stopped)
        network.compiler.close(keep=not (stopped or progress.step.failed))
    return Summary(
        request.output,
        prepared.weights,
        prepared.device.platform,
        prepared.device.device_kind,
        len(devices),
        progress.history,
        int(progress.history["evaluations"].sum()),
        network.compiler.seconds_waited - waited,
        solving,
        bool(progress.step.failed),
        stopped,
        bool(progress.step.converged),
        None if first is None else first - since,
        time.time() - since,
    )
