"""Coarse to fine, step by step: each level of the pyramid from the solution of the one before.

`level_steps` goes through the levels of anything that can be solved; `solve_levels` does so for one
picture and says after each step how the whole is getting on (`Progress`). `style_transfer` and a
run from files to files are plain loops over it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import jax
from jaxtyping import PyTree

from stylejax.losses.weights import LossTerms
from stylejax.solvers.state import SolverState
from stylejax.solvers.steps import Pace, Step
from stylejax.transfer.history import History, extend_history, start_history
from stylejax.transfer.problem import Problem
from stylejax.transfer.pyramid import Level
from stylejax.types import Pixels


class Solvable(Protocol):
    """What can be solved step by step and looked at: a `Problem`, or the lanes of a sweep."""

    def steps(
        self, iterations: int, state: SolverState | None = None, *, pace: Pace
    ) -> Iterator[Step]:
        """The steps of the solve, from a saved state on where there is one (`Solver.steps`)."""
        ...

    def image(self, state: SolverState) -> PyTree:
        """The solution that a state stands for."""
        ...


AnySolvable = TypeVar("AnySolvable", bound=Solvable)


def level_steps(
    levels: Sequence[Level],
    prepare: Callable[[int, PyTree], AnySolvable],
    *,
    pace: Pace,
    first: int = 1,
    restore: Callable[[AnySolvable], SolverState] | None = None,
) -> Iterator[tuple[int, AnySolvable, Step]]:
    """Solve level after level: yields each step with its level's number and problem.

    Ends after the last level, or where a solve has failed. Of several lanes, one that has failed
    goes on at the next level from its last good picture: what becomes of it is not to depend on
    what becomes of others.

    Args:
        levels: coarsest first.
        prepare: from a level's number, counted from 1, and the solution of the level before (None
            at the first one) to what is to be solved.
        pace: as for `Solver.steps`.
        first: the number of the level to begin with.
        restore: gives the state to go on from at that level, where it had begun before.
    """
    solution = None
    for number in range(first, len(levels) + 1):
        problem = prepare(number, solution)
        state = None if restore is None else restore(problem)
        step = None
        for step in problem.steps(levels[number - 1].iterations, state, pace=pace):
            yield number, problem, step
        # The evaluated start is a step, so there is one in any case.
        assert step is not None
        if step.failed.ndim == 0 and step.failed:
            return
        solution, restore = problem.image(step.state), None


@dataclass(frozen=True)
class Progress:
    """How far a solve is: what a callback is given.

    Until the callback returns, `picture` and `terms` can be asked for; later their memory has gone
    to the solver's next step. What they return may be kept.

    Attributes:
        iteration: iterations so far, of all levels.
        iterations: how many there will be, unless the solve ends before.
        level: the number of the level that is being solved, from 1.
        levels: how many there are.
        history: loss and terms of all iterations so far.
        seconds: since the solve began, compiling included.
        seconds_an_iteration: at this level.
        seconds_left: about how long it will take from here on, without compiling.
        done: whether this was the last step of all.
        problem: what is solved at this level.
        step: the solver's own step.
    """

    iteration: int
    iterations: int
    level: int
    levels: int
    history: History
    seconds: float
    seconds_an_iteration: float
    seconds_left: float
    done: bool
    problem: Problem
    step: Step
    _finish: Callable[[Pixels], Pixels]

    @property
    def loss(self) -> float:
        """The loss of the picture so far."""
        return float(self.step.value)

    @property
    def terms(self) -> LossTerms:
        """The terms of that loss, on the host."""
        return jax.device_get(self.step.state.aux)

    def picture(self) -> Pixels:
        """The picture so far, fetched from the device: of full size and in its final colors."""
        return self._finish(self.problem.image(self.step.state))


class Suspended(NamedTuple):
    """Where a solve goes on: the level, the history so far, and how to get the level's state."""

    level: int = 1
    history: History = {}
    restore: Callable[[Problem], SolverState] | None = None


def _later(levels: Sequence[Level], number: int) -> float:
    """The iterations of the finer levels, in iterations of this level's size."""
    level, *finer = levels[number - 1 :]
    # An iteration costs as much as there are pixels.
    return sum((of.iterations * (of.scale / level.scale) ** 2 for of in finer), 0.0)


def solve_levels(
    levels: Sequence[Level],
    prepare: Callable[[int, Pixels | None], Problem],
    finish: Callable[[Pixels], Pixels],
    *,
    pace: Pace,
    every: int = 0,
    suspended: Suspended | None = None,
) -> Iterator[Progress]:
    """Solve for one picture: yields the progress at each level's start and after each chunk.

    Args:
        levels: coarsest first.
        prepare: makes a level's problem (`level_steps`).
        finish: makes the final picture of a level's.
        pace: how many iterations come next.
        every: where it is not 0, a chunk ends at each multiple of this many iterations.
        suspended: where to go on.
    """
    number_before, history, restore = suspended or Suspended()
    began, solving, first, level_before = time.monotonic(), 0.0, 0, 0

    def until_due(step: Step) -> int:
        done = int(history["iteration"][-1])
        # A chunk ends where somebody waits for the picture.
        return min(pace(step), every - done % every) if every else pace(step)

    steps = level_steps(levels, prepare, pace=until_due, first=number_before, restore=restore)
    for number, problem, step in steps:
        if number == level_before:
            solving += step.seconds
        else:
            level_before, solving, first = number, 0.0, int(step.iteration)
        history = (
            extend_history(history, step.trace, number) if history else start_history(step.state)
        )
        rate = solving / max(int(step.iteration) - first, 1)
        left = levels[number - 1].iterations - int(step.iteration) + _later(levels, number)
        yield Progress(
            iteration=int(history["iteration"][-1]),
            iterations=sum(level.iterations for level in levels),
            level=number,
            levels=len(levels),
            history=history,
            seconds=time.monotonic() - began,
            seconds_an_iteration=rate,
            seconds_left=rate * left,
            done=step.done and (number == len(levels) or bool(step.failed)),
            problem=problem,
            step=step,
            _finish=finish,
        )
