"""A whole run from files to files: read, check, solve in steps, save between them, write.

This is the rim: disk and clock are touched here, the terminal only through the `Observer` that the
caller passes.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from stylejax.devices.hosts import as_first_process_says, is_first_process, on_host
from stylejax.devices.memory import release_freed_memory
from stylejax.images.color import colors_after
from stylejax.images.files import replace_file
from stylejax.images.scaling import cover_and_crop
from stylejax.images.write import write_picture
from stylejax.options import PictureOptions
from stylejax.runs.checkpoint import (
    Checkpoint,
    checkpoint_path,
    load_checkpoint,
    remove_checkpoint,
    restore_state,
    save_checkpoint,
)
from stylejax.runs.metadata import record_text
from stylejax.runs.prepare import (
    Prepared,
    ReadPictures,
    check_outputs,
    prepare,
    read_pictures,
    snapshot_path,
)
from stylejax.runs.request import Request
from stylejax.solvers.solver import CHUNK, SolverState, has_ended
from stylejax.transfer.history import (
    TERMS,
    History,
    extend_history,
    history_csv,
    history_plot,
    start_history,
)
from stylejax.transfer.pyramid import Level
from stylejax.transfer.sharding import over_rows
from stylejax.transfer.transfer import Problem, level_problem
from stylejax.types import OtherPixels
from stylejax.weights.read import Weights

SECONDS_BETWEEN_LOOKS = 0.7
SECONDS_BETWEEN_CHECKPOINTS = 5.0
CHECKPOINT_SHARE = 0.05
"""Largest share of the time that checkpoints may take."""


class Observer(NamedTuple):
    """What a run tells while it goes on, and what it asks.

    `stage` gets a word on what is being done; `progress`, after each look at the solver, the
    history, the seconds an iteration takes and about how many seconds are left; `stop` is asked
    between looks whether to end early.
    """

    stage: Callable[[str], None] = lambda text: None
    progress: Callable[[History, float, float], None] = lambda history, rate, left: None
    stop: Callable[[], bool] = lambda: False


class Summary(NamedTuple):
    """How a run ended.

    `failed`: the loss became non-finite; `stopped`: `Observer.stop` said so; `converged`: nothing
    lowered the loss any further.
    """

    output: Path
    weights: Weights
    device: str
    device_kind: str
    devices: int
    history: History
    evaluations: int
    seconds_compile: float
    seconds_solve: float
    failed: bool
    stopped: bool
    converged: bool


def next_steps(steps: int, seconds: float) -> int:
    """Iterations until the next look at a solver, of which some took so many seconds."""
    return max(1, min(CHUNK, int(SECONDS_BETWEEN_LOOKS * steps / seconds)))


class CheckpointClock:
    """Says when to save: some seconds apart, and taking no more than a share of the time."""

    def __init__(self) -> None:
        """Start counting."""
        self.due = time.monotonic() + SECONDS_BETWEEN_CHECKPOINTS

    def look(self, save: Callable[[], None]) -> None:
        """Save where it is time to; the first process's clock counts for all."""
        began = time.monotonic()
        (due,) = as_first_process_says(began >= self.due)
        if due:
            save()
            pause = (time.monotonic() - began) / CHECKPOINT_SHARE
            self.due = time.monotonic() + max(pause, SECONDS_BETWEEN_CHECKPOINTS)


def write_result(
    path: Path, image: OtherPixels, read: ReadPictures, options: PictureOptions, description: str
) -> None:
    """Write a solved picture; that of a coarser level is enlarged.

    Raises:
        InputError: the file cannot be written.
    """
    image = cover_and_crop(image, *read.colors.shape[:2])
    write_picture(
        path,
        colors_after(options.preserve_color, image, read.colors),
        read.alpha,
        bits=options.bits,
        quality=options.quality,
        description=description,
    )


class _Saver:
    """Snapshots and checkpoints between steps, and the final files."""

    def __init__(self, prepared: Prepared, read: ReadPictures) -> None:
        self.request, self.settings = prepared.request, prepared.settings
        self.read, self.clock = read, CheckpointClock()

    def between_steps(self, problem: Problem, solved: Checkpoint) -> None:
        every, iteration = self.request.save_every, int(solved.history["iteration"][-1])
        if every and iteration % every == 0:
            self.picture(snapshot_path(self.request.output, iteration), problem, solved)
        self.clock.look(lambda: self.checkpoint(solved))

    def checkpoint(self, solved: Checkpoint) -> None:
        solved = solved._replace(state=on_host(solved.state))
        if is_first_process():
            save_checkpoint(checkpoint_path(self.request.output), self.settings, solved)

    def picture(self, path: Path, problem: Problem, solved: Checkpoint) -> None:
        """Write the picture as it is."""
        assert isinstance(solved.state, SolverState)
        image = problem.image(solved.state)
        if not is_first_process():
            return
        history = solved.history
        result = {"iterations": int(history["iteration"][-1])}
        result["evaluations"] = int(history["evaluations"].sum())
        result |= {name: float(history[name][-1]) for name in ("loss", *TERMS)}
        options = self.request.options.picture
        write_result(path, image, self.read, options, record_text(self.settings, result))

    def end(self, problem: Problem, solved: Checkpoint, stopped: bool) -> None:
        self.picture(self.request.output, problem, solved)
        if stopped:
            self.checkpoint(solved)
        if not is_first_process():
            return
        if self.request.history is not None:
            replace_file(self.request.history, history_csv(solved.history).encode())
        if self.request.plot is not None:
            replace_file(self.request.plot, history_plot(solved.history))
        if not stopped:
            remove_checkpoint(checkpoint_path(self.request.output))


def _begin(
    init: Callable[..., Any],
    advance: Callable[..., Any],
    problem: Problem,
    suspended: Checkpoint,
) -> Checkpoint:
    """A level's first state, evaluated, or the suspended one."""
    if suspended.state is None:
        fresh = init(problem.start, *problem.arguments)
        state, _ = advance(fresh, np.int32(0), *problem.arguments)
        history = suspended.history or start_history(state)
        return suspended._replace(state=state, history=history)
    assert isinstance(suspended.state, list)
    template = jax.eval_shape(problem.solver.init, problem.start, *problem.arguments)
    state = restore_state(suspended.state, template)
    if problem.solver.placement is not None:
        state = jax.device_put(state, problem.solver.placement[0])
    return suspended._replace(state=state)


def _solve(
    advance: Callable[..., Any],
    problem: Problem,
    levels: tuple[Level, ...],
    solved: Checkpoint,
    saver: _Saver,
    observer: Observer,
) -> Checkpoint:
    """Take all steps of a level, as many at once as fit between two looks."""
    state, history = solved.state, solved.history
    assert isinstance(state, SolverState)
    level, *finer = levels[solved.level - 1 :]
    # In iterations of this level's size.
    later = sum(of.iterations * (of.scale / level.scale) ** 2 for of in finer)
    every, at_once, first, seconds = saver.request.save_every, 1, int(state.iteration), 0.0
    while int(state.iteration) < level.iterations and not has_ended(state):
        before, began = int(state.iteration), time.monotonic()
        done = int(history["iteration"][-1])
        to_snapshot = every - done % every if every else CHUNK
        steps = min(at_once, level.iterations - before, to_snapshot)
        steps, stop = as_first_process_says(steps, observer.stop())
        if stop:
            break
        state, trace = advance(state, np.int32(steps), *problem.arguments)
        taken = int(state.iteration) - before
        elapsed = time.monotonic() - began
        seconds += elapsed
        at_once = next_steps(steps, elapsed)
        history = extend_history(history, trace, taken, solved.level)
        rate = seconds / max(int(state.iteration) - first, 1)
        left = level.iterations - int(state.iteration) + later
        observer.progress(history, rate, rate * left)
        solved = solved._replace(state=state, history=history)
        if not state.failed:
            saver.between_steps(problem, solved)
    return solved


class _Outcome(NamedTuple):
    problem: Problem
    solved: Checkpoint
    seconds_compile: float
    seconds_solve: float


def _solve_levels(
    prepared: Prepared,
    read: ReadPictures,
    suspended: Checkpoint,
    saver: _Saver,
    observer: Observer,
) -> _Outcome:
    """Solve level after level, each from the solution of the one before."""
    levels, options, start = prepared.levels, prepared.request.options, read.start
    solved, compiling, solving = suspended, 0.0, 0.0
    while True:
        level = levels[solved.level - 1]
        problem = level_problem(prepared.weights, read.pictures, options, level, start)
        if len(prepared.devices) > 1:
            problem = over_rows(problem, prepared.devices)
        if solved.level == 1 and solved.state is None:
            # From here on a kill at any moment leaves something to resume from.
            saver.checkpoint(solved)
        which = f"{level.width} x {level.height}, level {solved.level} of {len(levels)}"
        observer.stage("compiling" if len(levels) == 1 else f"compiling {which}")
        began = time.monotonic()
        release_freed_memory()
        init, advance = problem.solver.compile(problem.start, *problem.arguments)
        release_freed_memory()
        compiling += time.monotonic() - began
        observer.stage("solving" if len(levels) == 1 else f"solving {which}")
        began = time.monotonic()
        solved = _begin(init, advance, problem, solved)
        solved = _solve(advance, problem, levels, solved, saver, observer)
        solving += time.monotonic() - began
        assert isinstance(solved.state, SolverState)
        (stop,) = as_first_process_says(observer.stop())
        if solved.level == len(levels) or solved.state.failed or stop:
            return _Outcome(problem, solved, compiling, solving)
        start = problem.image(solved.state)
        solved = Checkpoint(solved.level + 1, None, solved.history)


def run_transfer(request: Request, observer: Observer | None = None) -> Summary:
    """Make the picture that a request asks for.

    Raises:
        InputError: something in the request cannot be used; nothing has been written then.
    """
    observer = Observer() if observer is None else observer
    observer.stage("preparing")
    check_outputs(request)
    prepared = prepare(request)
    checkpoint = checkpoint_path(request.output)
    with jax.default_device(prepared.device):
        read = read_pictures(prepared)
        saver = _Saver(prepared, read)
        suspended = Checkpoint(1, None, {})
        if request.resume:
            suspended = load_checkpoint(checkpoint, prepared.settings)
        problem, solved, compiling, solving = _solve_levels(
            prepared, read, suspended, saver, observer
        )
        state, history = solved.state, solved.history
        assert isinstance(state, SolverState)
        finished = has_ended(state) or int(state.iteration) == prepared.levels[-1].iterations
        failed = bool(state.failed)
        stopped = not failed and not (finished and solved.level == len(prepared.levels))
        saver.end(problem, solved, stopped)
    return Summary(
        request.output,
        prepared.weights,
        prepared.device.platform,
        prepared.device.device_kind,
        len(prepared.devices),
        history,
        int(history["evaluations"].sum()),
        compiling,
        solving,
        failed,
        stopped,
        bool(state.converged),
    )
