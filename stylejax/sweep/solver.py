"""Solve combinations in batches of lanes, each batch through all levels of the pyramid.

Arrays only: pictures and options come in, states and pictures go out. `SweepSolver` holds what is
compiled for a batch of lanes and finds how many of them the device's memory has room for.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, PyTree

from stylejax.devices.hosts import on_host
from stylejax.devices.memory import Device, available_memory, release_freed_memory
from stylejax.options import Options
from stylejax.solvers.state import SolverState
from stylejax.solvers.steps import Pace, Programs, Step, longest_chunks
from stylejax.sweep.lanes import LaneSolver, batch_size, lane_weights, over_lanes, program_bytes
from stylejax.transfer.levels import level_steps
from stylejax.transfer.parameterization import latent_from_image
from stylejax.transfer.pictures import Pictures, level_pictures
from stylejax.transfer.problem import Problem, level_problem, load_objective
from stylejax.transfer.pyramid import Level, check_tile
from stylejax.transfer.start import level_start
from stylejax.types import OtherPixels, Pixels
from stylejax.weights.read import Weights

MEMORY_SHARE = 0.8
"""Of the memory that is free, what a batch may take."""

Spent = Int[np.ndarray, "2 lanes"]
"""Iterations and evaluations of each lane in the levels before."""


def memory_room(device: Device, count: int) -> float:
    """Bytes that a batch may take on each of this many devices of a kind."""
    # All devices of a CPU share one memory.
    return MEMORY_SHARE * available_memory(device) / (count if device.platform == "cpu" else 1)


class _Level(NamedTuple):
    """A level of the pyramid, compiled for a batch; `shared` are variables and targets."""

    problem: Problem
    pictures: Pictures
    solver: LaneSolver
    programs: Programs
    shared: tuple[PyTree, PyTree]


class LaneProblem(NamedTuple):
    """One level's problem for a batch of lanes: `Problem` with an axis of them.

    `problem` is that of a single lane, from which the others differ by `start` and weights.
    """

    problem: Problem
    solver: LaneSolver
    start: PyTree
    arguments: tuple[PyTree, PyTree, PyTree]
    programs: Programs

    def shapes(self) -> SolverState:
        """Shapes, types and places of the lanes' states."""
        return self.solver.shapes(self.start, *self.arguments)

    def steps(
        self, iterations: int, state: SolverState | None = None, *, pace: Pace = longest_chunks
    ) -> Iterator[Step]:
        """Solve all lanes step by step, from the start or from saved states on."""
        begin = self.start if state is None else state
        return self.solver.steps(
            begin, iterations, *self.arguments, pace=pace, programs=self.programs
        )

    def image(self, state: SolverState) -> list[Pixels]:
        """The picture of each lane."""
        return [self.problem.image_of(latent) for latent in on_host(state.params)]


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch of lanes is; as with `Progress`, ask for pictures before the next step.

    Attributes:
        lanes: the options of each lane.
        level: the number of the level that is being solved, from 1.
        levels: how many there are.
        done: whether this was the batch's last step.
        problem: what is solved at this level.
        step: the solver's own step, of all lanes and of those that only fill the batch.
        spent: iterations and evaluations of the levels before.
    """

    lanes: tuple[Options, ...]
    level: int
    levels: int
    done: bool
    problem: LaneProblem
    step: Step
    spent: Spent
    _finish: Callable[[Pixels], Pixels]

    @property
    def iterations(self) -> Int[np.ndarray, " lanes"]:
        """Of each lane, in all levels so far."""
        return (self.spent[0] + self.step.iteration)[: len(self.lanes)]

    @property
    def evaluations(self) -> Int[np.ndarray, " lanes"]:
        """Of each lane, in all levels so far."""
        return (self.spent[1] + self.step.evaluations)[: len(self.lanes)]

    @property
    def losses(self) -> Float[np.ndarray, " lanes"]:
        """Of each lane's picture so far."""
        return self.step.value[: len(self.lanes)]

    def pictures(self) -> list[Pixels]:
        """Each lane's picture so far: of full size and in its final colors."""
        images = self.problem.image(self.step.state)[: len(self.lanes)]
        return [self._finish(image) for image in images]


class SuspendedBatch(NamedTuple):
    """Where a batch goes on: the level, what was spent before it, and how to get its states."""

    level: int
    spent: Spent
    restore: Callable[[LaneProblem], SolverState]


class SweepSolver:
    """Solves batches of lanes; holds the network and the levels compiled for a batch.

    Attributes:
        size: lanes of a batch; set by `fit`.
        compiling: seconds that compiling has taken so far.
        making: seconds of making problems, compiling among them.
    """

    def __init__(
        self,
        weights: Weights,
        pictures: Pictures,
        options: Options,
        levels: Sequence[Level],
        devices: Sequence[Device],
        finish: Callable[[Pixels], Pixels],
        *,
        start: OtherPixels | None = None,
        strip_rows: int | None = None,
        stage: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Send the network to the devices; nothing is compiled before there is something to solve.

        Args:
            weights: the network's.
            pictures: at full size, the same for all lanes.
            options: of any lane with most placement (`shared_options`); from those of the others
                they differ in numbers only.
            levels: of the pyramid.
            devices: over which lanes are spread.
            finish: makes the final picture of a level's.
            start: the picture to start from, in place of the one that a lane's options name.
            strip_rows: of the network's strips, in place of those that the options name.
            stage: is told what is being done.
        """
        self.pictures, self.options, self.levels = pictures, options, tuple(levels)
        self.devices, self.finish, self.start, self.stage = devices, finish, start, stage
        self.network = load_objective(weights, options.loss, strip_rows=strip_rows)
        if options.loss.seamless:
            check_tile(levels, self.network.objective.reader.stride)
        self.compiling, self.making, self.size = 0.0, 0.0, 1
        self._compiled: dict[int, _Level] = {}
        self._variables: PyTree = None

    def fit(self, lanes: int, at_once: int, room: float) -> int:
        """Find how many lanes go at once, as XLA's account of the finest level allows.

        Args:
            lanes: how many there are in all; they are spread over batches as even as can be.
            at_once: the first guess.
            room: bytes that a batch may take on each device.

        Returns:
            The bytes that it takes.
        """
        count = len(self.devices)
        while True:
            self.size = batch_size(lanes, at_once, count)
            self._compiled.clear()
            needed = program_bytes(self._level(len(self.levels)).programs.advance)
            if needed <= room or self.size == count:
                return needed
            # By XLA's account so far; one lane a device fewer at least, so that this ends.
            at_once = min(self.size - count, int(self.size * room / needed))

    def _level(self, number: int) -> _Level:
        """A level's programs, compiled when first asked for."""
        if number in self._compiled:
            return self._compiled[number]
        level = self.levels[number - 1]
        self.stage(f"compiling {level.width} x {level.height}")
        began = time.monotonic()
        pictures = level_pictures(self.pictures, level)
        problem = level_problem(self.network, self.pictures, self.options, level, self.start)
        solver = over_lanes(problem, self.devices)
        variables, targets, weights = problem.arguments
        if self._variables is None:
            self._variables = solver.place(variables, apart=False)
        shared = (self._variables, solver.place(targets, apart=False))
        # Numbers do not matter yet: the program is compiled for any lanes of these shapes.
        stack = lambda leaf: np.stack([leaf] * self.size)
        starts, apart = jax.tree.map(stack, jax.device_get((problem.start, weights)))
        programs = solver.compile(
            solver.place(starts, apart=True), *shared, solver.place(apart, apart=True)
        )
        release_freed_memory()
        self.compiling += time.monotonic() - began
        self._compiled[number] = _Level(problem, pictures, solver, programs, shared)
        return self._compiled[number]

    def _problem(
        self, number: int, lanes: Sequence[Options], images: Sequence[OtherPixels] | None
    ) -> LaneProblem:
        """A level's problem for these lanes, from the pictures of the level before."""
        began = time.monotonic()
        at, level = self._level(number), self.levels[number - 1]
        self.stage(f"solving {level.width} x {level.height}")
        starts = [
            latent_from_image(
                level_start(lane, at.pictures, level, image),
                parameterization=at.problem.parameterization,
            )
            for lane, image in zip(lanes, images or [self.start] * len(lanes), strict=True)
        ]
        weights = lane_weights(lanes, level, len(at.pictures.styles))
        place = lambda tree: at.solver.place(tree, apart=True)
        self.making += time.monotonic() - began
        return LaneProblem(
            at.problem,
            at.solver,
            place(np.stack(starts)),
            (*at.shared, place(weights)),
            at.programs,
        )

    def steps(
        self,
        lanes: Sequence[Options],
        *,
        pace: Pace = longest_chunks,
        suspended: SuspendedBatch | None = None,
    ) -> Iterator[BatchProgress]:
        """Solve one batch of up to `size` lanes: yields where it is after each step."""
        # The program is for `size` lanes: the last one fills what is left, for nothing.
        filled = [*lanes, *[lanes[-1]] * (self.size - len(lanes))]
        first, spent, restore = suspended or (1, np.zeros((2, self.size), np.int32), None)
        before, last = first, None
        for number, problem, step in level_steps(
            self.levels,
            lambda number, images: self._problem(number, filled, images),
            pace=pace,
            first=first,
            restore=restore,
        ):
            if number != before and last is not None:
                spent = spent + np.stack([last.iteration, last.evaluations])
            before, last = number, step
            yield BatchProgress(
                lanes=tuple(lanes),
                level=number,
                levels=len(self.levels),
                done=step.done and number == len(self.levels),
                problem=problem,
                step=step,
                spent=spent,
                _finish=self.finish,
            )
