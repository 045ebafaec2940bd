"""A whole sweep from files to a folder: every combination of a grid, as many at once as fit.

This is the rim, as `transfer.py` beside it is that of a single picture: disk and clock are touched
here, the terminal only through the observer that the caller passes.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from stylejax.devices.hosts import as_first_process_says, is_first_process, on_host
from stylejax.devices.memory import available_memory, memory_guard
from stylejax.errors import InputError, Interrupted
from stylejax.images.paths import make_folder
from stylejax.runs._sweep_folder import SweepFolder, check_sweep_folder
from stylejax.runs.checkpoint import (
    BYTES_MAY_DIFFER,
    Checkpoint,
    CheckpointClock,
    CheckpointFile,
    load_checkpoint,
    remove_checkpoint,
    restore_state,
)
from stylejax.runs.checkpoint_paths import sweep_checkpoint_path
from stylejax.runs.checks import check_inputs
from stylejax.runs.metadata import Record, record_with_options
from stylejax.runs.prepare import Prepared, ReadPictures, prepare_run, read_pictures
from stylejax.runs.request import SweepRequest
from stylejax.runs.sweep_progress import SweepProgress
from stylejax.runs.transfer import agreed_pace
from stylejax.sweep.combinations import Combination, Combinations, combination_name
from stylejax.sweep.lanes import shared_options
from stylejax.sweep.solver import BatchProgress, SuspendedBatch, SweepSolver, memory_room
from stylejax.sweep.tables import Row
from stylejax.transfer.transfer import finished_picture


class SweepObserver(NamedTuple):
    """What a sweep tells while it goes on, and what it asks (`transfer.Observer`).

    `grid` gets all combinations before the first is begun, `finished` the name of each picture
    that is there.
    """

    stage: Callable[[str], None] = lambda text: None
    log: Callable[[str], None] = lambda text: None
    progress: Callable[[SweepProgress], None] = lambda progress: None
    stop: Callable[[], bool] = lambda: False
    warn: Callable[[str], None] = lambda text: None
    grid: Callable[[Combinations], None] = lambda grid: None
    finished: Callable[[str], None] = lambda picture: None


class SweepSummary(NamedTuple):
    """How a sweep ended: `failed` names the pictures whose loss became non-finite."""

    folder: Path
    rows: tuple[Row, ...]
    kept: int
    lanes_at_once: int
    seconds_compile: float
    seconds_solve: float
    failed: tuple[str, ...]
    stopped: bool


class _Batches:
    """Solves batches with a look at the clock between steps, and suspends them in a checkpoint."""

    def __init__(
        self,
        request: SweepRequest,
        prepared: Prepared,
        read: ReadPictures,
        observer: SweepObserver,
    ) -> None:
        self.prepared, self.grid, self.observer = prepared, request.grid, observer
        options = shared_options([lane.options for lane in self.grid.lanes])
        self.resume = request.resume
        kept = options.picture.kept_color
        self.solver = SweepSolver(
            prepared.weights,
            read.pictures,
            options,
            prepared.levels,
            prepared.devices,
            lambda image: finished_picture(image, read.colors, kept),
            start=read.start,
            strip_rows=prepared.strip_rows,
            stage=observer.stage,
        )
        self.file = CheckpointFile(sweep_checkpoint_path(request.output), observer.warn)
        self.clock = CheckpointClock()
        self.work, self.to_do, self.seconds, self.solving = 0.0, 0.0, 0.0, 0.0

    def fit(self, left: int) -> None:
        """Find the size of the batches, if lanes are left.

        Of all lanes, whether finished or not: so a sweep that goes on has the batches it had.
        """
        if not left:
            self.solver.size = 0
            return
        prepared, lanes = self.prepared, len(self.grid.lanes)
        count, free = len(prepared.devices), available_memory(prepared.device)
        room = memory_room(prepared.device, count)
        needed = self.solver.fit(lanes, max(1, int(room / prepared.needed) * count), room)
        self.observer.log(
            f"{lanes} combinations, {self.solver.size} at once: {needed / 1e9:.2f} GB of "
            f"{free / 1e9:.1f} GB" + (f" on each of {count} devices" if count > 1 else "")
        )
        batches = -(-left // self.solver.size)
        self.to_do = batches * sum(level.iterations * level.scale**2 for level in prepared.levels)

    def solve(self, lanes: Sequence[Combination]) -> BatchProgress | None:
        """The end of a batch; None where the observer asked to stop."""
        making, began, progress = self.solver.making, time.monotonic(), None
        steps = self.solver.steps(
            [lane.options for lane in lanes], pace=agreed_pace, suspended=self._suspended(lanes)
        )
        try:
            for progress in steps:
                if progress.step.taken.any():
                    self._tell(lanes, progress)
                    suspend = lambda now=progress: self._suspend(now, lanes)
                    self.clock.look(suspend, progress.step.state)
                if not progress.done and as_first_process_says(self.observer.stop())[0]:
                    raise Interrupted
        except Interrupted:
            # Of a first level nothing is there yet to be kept.
            if progress is not None:
                self._suspend(progress, lanes)
            return None
        self.solving += time.monotonic() - began - (self.solver.making - making)
        return progress

    def _tell(self, lanes: Sequence[Combination], progress: BatchProgress) -> None:
        """Hand progress to the observer."""
        level = self.prepared.levels[progress.level - 1]
        self.work += int(progress.step.taken.max()) * level.scale**2
        self.seconds += progress.step.seconds
        self.observer.progress(
            SweepProgress(
                tuple(combination_name(self.grid, lane) for lane in lanes),
                progress.iterations.tolist(),
                progress.losses.tolist(),
                self.seconds * max(self.to_do / self.work - 1.0, 0.0),
            )
        )

    def _of_batch(self, lanes: Sequence[Combination]) -> Record:
        """What a checkpoint of a batch belongs to."""
        records = [record_with_options(self.prepared.settings, lane.options) for lane in lanes]
        return {"lanes": records, "size": self.solver.size}

    def _suspend(self, progress: BatchProgress, lanes: Sequence[Combination]) -> None:
        states = on_host(progress.step.state)
        if is_first_process():
            iterations, evaluations = progress.spent
            spent = {"iterations": iterations, "evaluations": evaluations}
            suspended = Checkpoint(progress.level, states, spent)
            self.file.save(self._of_batch(lanes), suspended)

    def _suspended(self, lanes: Sequence[Combination]) -> SuspendedBatch | None:
        """The batch as a killed sweep left it, where this one goes on and it was on this one."""
        if not self.resume:
            return None
        path, levels = self.file.path, len(self.prepared.levels)
        try:
            level, leaves, spent, upgrade = load_checkpoint(path, self._of_batch(lanes), levels)
        except InputError:
            # Of another batch, or none: only finished pictures are kept then.
            return None
        counted = [spent.get(name, np.zeros(0)) for name in ("iterations", "evaluations")]
        if not isinstance(leaves, list) or any(each.shape != (len(lanes),) for each in counted):
            return None
        if upgrade:
            self.observer.warn(f"{path} was written with {upgrade}: {BYTES_MAY_DIFFER}")
        return SuspendedBatch(
            level,
            np.stack(counted),
            lambda problem: restore_state(leaves, problem.shapes()),
        )


def _solve_batches(
    batches: _Batches, folder: SweepFolder, left: Sequence[Combination]
) -> tuple[list[str], bool]:
    """Solve and write what is left; the pictures that failed, and whether it was stopped."""
    try:
        batches.fit(len(left))
    except Interrupted:
        return [], True
    failed, size, before = [], batches.solver.size, (0.0, 0.0)
    for first in range(0, len(left), size or 1):
        lanes = left[first : first + size]
        solved = batches.solve(lanes)
        if solved is None:
            return failed, True
        now = batches.solver.compiling, batches.solving
        compiling, solving = (after - start for after, start in zip(now, before, strict=True))
        before = now
        timings = {
            "seconds": solving / len(lanes),
            "seconds_compile": compiling / len(lanes),
            "lanes": len(lanes),
        }
        failed += folder.write(lanes, solved, timings)
        for lane in lanes:
            batches.observer.finished(folder.path(lane).name)
    return failed, False


def run_sweep(request: SweepRequest, observer: SweepObserver | None = None) -> SweepSummary:
    """Make every picture of a grid, with a contact sheet and tables, in a folder.

    Raises:
        InputError: something in the request cannot be used; nothing has been written then.
    """
    observer = SweepObserver() if observer is None else observer
    observer.stage("preparing")
    check_sweep_folder(request.first.output, request.first.inputs)
    prepared = prepare_run(check_inputs(request.first), by_rows=False)
    if prepared.decoders is not None and len(request.styles) > 1:
        raise InputError(
            "--init universal: of several style pictures each combination would start elsewhere; "
            "name one, or leave --init out"
        )
    longest = request.first.options.picture.longest
    with memory_guard(longest, prepared.device), jax.default_device(prepared.device):
        read = read_pictures(request.first, prepared)
        batches = _Batches(request, prepared, read, observer)
        folder = SweepFolder(request.first.output, request.grid, prepared.settings, read)
        if request.first.resume:
            upgrade = folder.keep_finished()
            if upgrade:
                observer.warn(f"pictures made with {upgrade} are kept: {BYTES_MAY_DIFFER}")
        kept = len(folder.rows)
        observer.grid(request.grid)
        for picture in folder.rows:
            observer.finished(picture)
        if is_first_process():
            make_folder(folder.folder)
        failed, stopped = _solve_batches(batches, folder, folder.unfinished())
        if is_first_process():
            folder.write_tables()
            folder.write_sheet()
            if not stopped:
                remove_checkpoint(batches.file.path)
    return SweepSummary(
        folder.folder,
        tuple(folder.sorted_rows()),
        kept,
        batches.solver.size,
        batches.solver.compiling,
        batches.solving,
        tuple(failed),
        stopped,
    )
