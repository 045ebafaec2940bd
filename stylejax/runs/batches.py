"""Solve a grid's combinations in batches of lanes, each through all levels of the pyramid.

Disk is touched for the checkpoint alone, the terminal only through the observer.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from stylejax.devices.hosts import as_first_process_says, is_first_process, on_host
from stylejax.devices.memory import available_memory, release_freed_memory
from stylejax.errors import InputError
from stylejax.runs.checkpoint import (
    Checkpoint,
    checkpoint_path,
    load_checkpoint,
    restore_state,
    save_checkpoint,
)
from stylejax.runs.metadata import Record, record_with_options
from stylejax.runs.prepare import Prepared, read_pictures
from stylejax.runs.transfer import CheckpointClock, next_steps
from stylejax.solvers.solver import SolverState, is_over
from stylejax.sweep.combinations import Combination, Combinations, combination_name
from stylejax.sweep.lanes import LaneSolver, batch_size, lane_weights, over_lanes, program_bytes
from stylejax.transfer.parameterization import latent_from_image
from stylejax.transfer.transfer import (
    Pictures,
    Problem,
    level_pictures,
    level_problem,
    start_picture,
)
from stylejax.types import Pixels

MEMORY_SHARE = 0.8
"""Of the memory that is free, what a batch may take."""


class SweepProgress(NamedTuple):
    """How far a batch of lanes is: `iterations` and `losses` of each lane, in the order of `names`.

    `seconds_left` are those of the whole sweep.
    """

    names: tuple[str, ...]
    iterations: Sequence[int]
    losses: Sequence[float]
    seconds_left: float


class SweepObserver(NamedTuple):
    """What a sweep tells while it goes on, and what it asks (`run.Observer`)."""

    stage: Callable[[str], None] = lambda text: None
    log: Callable[[str], None] = lambda text: None
    progress: Callable[[SweepProgress], None] = lambda progress: None
    stop: Callable[[], bool] = lambda: False


class _Level(NamedTuple):
    """A level of the pyramid, compiled for a batch; `shared` are variables and targets."""

    problem: Problem
    pictures: Pictures
    solver: LaneSolver
    init: Callable[..., Any]
    advance: Callable[..., Any]
    shared: tuple[Any, Any]


class Solved(NamedTuple):
    """A batch of lanes so far; `spent` are iterations and evaluations of the levels before."""

    level: int
    states: SolverState
    spent: np.ndarray

    @property
    def iterations(self) -> np.ndarray:
        """Of each lane, in all levels so far."""
        return self.spent[0] + np.asarray(on_host(self.states.iteration))

    @property
    def evaluations(self) -> np.ndarray:
        """Of each lane, in all levels so far."""
        return self.spent[1] + np.asarray(on_host(self.states.evaluations))


class BatchSolver:
    """Solves batches of lanes; holds the compiled levels, the clocks and the checkpoint."""

    def __init__(self, prepared: Prepared, grid: Combinations, observer: SweepObserver):
        """Read the pictures; nothing is compiled before there is something to solve."""
        self.prepared, self.grid, self.observer = prepared, grid, observer
        self.read = read_pictures(prepared)
        self.checkpoint = checkpoint_path(prepared.request.output / "sweep")
        self.clock = CheckpointClock()
        self.levels: dict[int, _Level] = {}
        self.compiling, self.solving = 0.0, 0.0
        self.work, self.to_do, self.seconds = 0.0, 0.0, 0.0
        self.size = 0

    def settings(self, lane: Combination) -> Record:
        """The record of a combination's picture."""
        return record_with_options(self.prepared.settings, lane.options)

    def images(self, solved: Solved) -> list[Pixels]:
        """The picture of each lane of a batch."""
        problem = self.levels[solved.level].problem
        return [problem.image_of(latent) for latent in on_host(solved.states.params)]

    def batches_of(self, lanes: Sequence[Combination]) -> list[Sequence[Combination]]:
        """The lanes that are left, in batches of the size that fits."""
        if lanes:
            self._fit()
        batches = [lanes[n : n + self.size] for n in range(0, len(lanes), self.size or 1)]
        self.to_do = len(batches) * sum(
            level.iterations * level.scale**2 for level in self.prepared.levels
        )
        return batches

    def _fit(self) -> None:
        """Find how many lanes go at once, as XLA's account of the finest level allows.

        Of all lanes, whether finished or not: so a sweep that goes on has the batches it had.
        """
        prepared, lanes = self.prepared, len(self.grid.lanes)
        devices, free = len(prepared.devices), available_memory(prepared.device)
        # All devices of a CPU share one memory.
        room = MEMORY_SHARE * free / (devices if prepared.device.platform == "cpu" else 1)
        at_once = max(1, int(room / prepared.needed) * devices)
        while True:
            self.size = batch_size(lanes, at_once, devices)
            self.levels.clear()
            needed = program_bytes(self._level(len(prepared.levels)).advance)
            if needed <= room or self.size == devices:
                break
            at_once = min(self.size - devices, int(self.size * room / needed))
        self.observer.log(
            f"{lanes} combinations, {self.size} at once: {needed / 1e9:.2f} GB of "
            f"{free / 1e9:.1f} GB" + (f" on each of {devices} devices" if devices > 1 else "")
        )

    def _level(self, number: int) -> _Level:
        """A level's programs, compiled when first asked for."""
        if number in self.levels:
            return self.levels[number]
        prepared, first = self.prepared, self.prepared.request.options
        level = prepared.levels[number - 1]
        self.observer.stage(f"compiling {level.width} x {level.height}")
        began = time.monotonic()
        pictures = level_pictures(self.read.pictures, level)
        problem = level_problem(prepared.weights, self.read.pictures, first, level, self.read.start)
        solver = over_lanes(problem, prepared.devices)
        variables, targets, weights = problem.arguments
        shared = (solver.place(variables, apart=False), solver.place(targets, apart=False))
        stack = lambda leaf: np.stack([leaf] * self.size)
        starts, apart = jax.tree.map(stack, jax.device_get((problem.start, weights)))
        programs = solver.compile(
            solver.place(starts, apart=True), *shared, solver.place(apart, apart=True)
        )
        release_freed_memory()
        self.compiling += time.monotonic() - began
        self.levels[number] = _Level(problem, pictures, solver, *programs, shared)
        return self.levels[number]

    def _arguments(self, at: _Level, number: int, lanes: Sequence[Combination]) -> tuple[Any, ...]:
        options = [lane.options for lane in lanes]
        level = self.prepared.levels[number - 1]
        weights = lane_weights(options, level, len(at.pictures.styles))
        return (*at.shared, at.solver.place(weights, apart=True))

    def _begin(
        self,
        at: _Level,
        lanes: Sequence[Combination],
        images: Sequence[Any],
        arguments: tuple[Any, ...],
    ) -> SolverState:
        """The lanes' first states at a level, evaluated."""
        content, styles = at.pictures.content, at.pictures.styles
        starts = [
            latent_from_image(
                start_picture(lane.options, content, styles, image),
                parameterization=at.problem.parameterization,
            )
            for lane, image in zip(lanes, images, strict=True)
        ]
        fresh = at.init(at.solver.place(np.stack(starts), apart=True), *arguments)
        return at.advance(fresh, np.int32(0), *arguments)[0]

    def _restored(self, at: _Level, leaves: Any, arguments: tuple[Any, ...]) -> SolverState:
        """The lanes' states at a level as a killed sweep left them."""
        starts = np.stack([at.problem.start] * self.size)
        states = restore_state(leaves, jax.eval_shape(at.solver.init, starts, *arguments))
        return at.solver.place(states, apart=True)

    def batch(self, given: Sequence[Combination]) -> Solved | None:
        """Solve a batch through all levels; None where the observer asked to stop."""
        lanes = [*given, *[given[-1]] * (self.size - len(given))]
        suspended = self._suspended(given)
        number, spent = 1, np.zeros((2, self.size), np.int32)
        if suspended is not None:
            number, history = suspended.level, suspended.history
            spent = np.stack([history["iterations"], history["evaluations"]])
        images: Sequence[Any] = [self.read.start] * self.size
        while True:
            at = self._level(number)
            self.observer.stage(f"solving {at.pictures.content.shape[1]} x {at.problem.height}")
            arguments, began = self._arguments(at, number, lanes), time.monotonic()
            if suspended is None:
                states = self._begin(at, lanes, images, arguments)
            else:
                states, suspended = self._restored(at, suspended.state, arguments), None
            solved = self._steps(at, Solved(number, states, spent), given, arguments)
            self.solving += time.monotonic() - began
            if solved is None or number == len(self.prepared.levels):
                return solved
            spent = np.stack([solved.iterations, solved.evaluations])
            images, number = self.images(solved), number + 1

    def _steps(
        self, at: _Level, solved: Solved, lanes: Sequence[Combination], arguments: tuple[Any, ...]
    ) -> Solved | None:
        """All steps of a level, as many at once as fit between two looks."""
        level, at_once = self.prepared.levels[solved.level - 1], 1
        look = lambda states: on_host((states.iteration, is_over(states), states.value))
        iteration, ended, _ = look(solved.states)
        while (going := ~ended & (iteration < level.iterations)).any():
            behind = level.iterations - int(iteration[going].min())
            began = time.monotonic()
            steps, stop = as_first_process_says(min(at_once, behind), self.observer.stop())
            if stop:
                self._suspend(solved, lanes)
                return None
            states, _ = at.advance(solved.states, np.int32(steps), *arguments)
            solved = solved._replace(states=states)
            iteration, ended, losses = look(states)
            elapsed = time.monotonic() - began
            at_once = next_steps(steps, elapsed)
            self.work += steps * level.scale**2
            self.seconds += elapsed
            self._tell(lanes, solved.spent[0] + iteration, losses)
            self.clock.look(partial(self._suspend, solved, lanes))
        return solved

    def _tell(
        self, lanes: Sequence[Combination], iterations: np.ndarray, losses: np.ndarray
    ) -> None:
        """Hand progress to the observer."""
        self.observer.progress(
            SweepProgress(
                tuple(combination_name(self.grid, lane) for lane in lanes),
                iterations[: len(lanes)].tolist(),
                losses[: len(lanes)].tolist(),
                self.seconds * max(self.to_do / self.work - 1.0, 0.0),
            )
        )

    def _of_batch(self, lanes: Sequence[Combination]) -> Record:
        """What a checkpoint of a batch belongs to."""
        return {"lanes": [self.settings(lane) for lane in lanes], "size": self.size}

    def _suspend(self, solved: Solved, lanes: Sequence[Combination]) -> None:
        states = on_host(solved.states)
        if is_first_process():
            spent = {"iterations": solved.spent[0], "evaluations": solved.spent[1]}
            suspended = Checkpoint(solved.level, states, spent)
            save_checkpoint(self.checkpoint, self._of_batch(lanes), suspended)

    def _suspended(self, lanes: Sequence[Combination]) -> Checkpoint | None:
        """The batch as a killed sweep left it, where this one goes on and it was on this one."""
        if not self.prepared.request.resume:
            return None
        try:
            return load_checkpoint(self.checkpoint, self._of_batch(lanes))
        except InputError:
            # Of another batch, or none: only finished pictures are kept then.
            return None
