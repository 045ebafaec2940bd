"""The one loop: a solve in chunks of iterations, with a look at it from outside after each.

Everything that solves, a single picture, the lanes of a sweep or a benchmark, is a plain `for` over
these steps. When a solve is over, how its counters are read and how long the next chunk is are
written here and nowhere else. How iterations are split into chunks does not change a bit of the
result.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, PyTree

from stylejax.solvers.state import CHUNK, SolverState, Trace, is_over

Fetch = Callable[[PyTree], PyTree]
"""Brings a pytree's arrays to the host."""


Program = Callable[..., Any]
"""What jax.jit returns, a compiled program, or one read from a file."""


class Programs(NamedTuple):
    """`init` and `advance` of a solver, compiled ahead or when first called."""

    init: Program
    advance: Program


@dataclass(frozen=True)
class Step:
    """Where a solve stands after a chunk of iterations, or at its start.

    The counters are on the host: NumPy scalars, or arrays of lanes. `state` and what it holds are
    on the device until the next step is asked for, which takes over their memory: fetch by then
    what is to be kept.

    Attributes:
        state: the solver's whole state, on the device.
        iteration: iterations so far.
        evaluations: evaluations so far.
        value: the function's value, infinite where none was finite yet.
        failed: whether a value or gradient was not finite.
        converged: whether nothing lowers the value any further.
        taken: the iterations of this chunk; 0 at the start.
        seconds: that the chunk took.
        done: whether this is the last step.
    """

    state: SolverState
    iteration: Int[np.ndarray, "*lanes"]
    evaluations: Int[np.ndarray, "*lanes"]
    value: Float[np.ndarray, "*lanes"]
    failed: Bool[np.ndarray, "*lanes"]
    converged: Bool[np.ndarray, "*lanes"]
    taken: Int[np.ndarray, "*lanes"]
    seconds: float
    done: bool
    _rows: Trace
    _fetch: Fetch

    @cached_property
    def trace(self) -> Trace:
        """What each iteration of this chunk ended with, on the host.

        Of several lanes, whose axis comes first, the rows up to the most that one has taken: those
        of a lane beyond its own `taken` mean nothing.
        """
        used = (*[slice(None)] * self.taken.ndim, slice(int(self.taken.max())))
        return jax.tree.map(lambda leaf: leaf[used], self._fetch(self._rows))

    def params(self) -> PyTree:
        """The params so far, on the host."""
        return self._fetch(self.state.params)


Pace = Callable[[Step], int]
"""From a step to the iterations of the next chunk, which is cut to what it may be, 1 at least."""


def longest_chunks(step: Step) -> int:
    """As few looks from outside as can be."""
    return sys.maxsize


def chunks_of_about(seconds: float) -> Pace:
    """Chunks that take about this long, judged by the last one; the first is a single iteration."""

    def pace(step: Step) -> int:
        return int(seconds * np.max(step.taken) / step.seconds)

    return pace


def take_steps(
    advance: Program,
    state: SolverState,
    iterations: int,
    args: tuple,
    *,
    pace: Pace = longest_chunks,
    fetch: Fetch = jax.device_get,
    most: int = CHUNK,
) -> Iterator[Step]:
    """Take a solve, or lanes of solves, to a number of iterations or to an earlier end.

    The first step is the state as given, evaluated if it was not yet.

    Args:
        advance: `Solver.advance` or that of lanes, compiled ahead or not.
        state: from `Solver.init`, or one that was saved; its memory is taken over.
        iterations: the count at which the solve is over, those before `state` included.
        args: what the function takes besides its params.
        pace: how long the next chunk is.
        fetch: brings arrays to the host.
        most: iterations of a chunk, as `advance` can take them.
    """
    # A chunk of 0 iterations evaluates the start, and does no more.
    chunk, before = 0, None
    while True:
        began = time.perf_counter()
        state, rows = advance(state, np.int32(chunk), *args)
        # This waits for the chunk to end, so the seconds below are its own.
        counters: SolverState = fetch(state._replace(params=None, aux=None, inner=None))
        iteration = np.asarray(counters.iteration)
        going = ~is_over(counters) & (iteration < iterations)
        step = Step(
            state=state,
            iteration=iteration,
            evaluations=np.asarray(counters.evaluations),
            value=np.asarray(counters.value),
            failed=np.asarray(counters.failed),
            converged=np.asarray(counters.converged),
            taken=np.asarray(iteration - (iteration if before is None else before)),
            seconds=time.perf_counter() - began,
            done=not going.any(),
            _rows=rows,
            _fetch=fetch,
        )
        yield step
        if step.done:
            return
        before = iteration
        # All lanes that are not over have taken as many.
        behind = iterations - int(iteration[going].min())
        chunk = min(max(pace(step), 1), most, behind)
