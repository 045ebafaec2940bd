"""Minimize any function of a pytree step by step, on the device; knows nothing of pictures.

A function is `fun(params, *args) -> (value, aux)`: what it needs besides `params` travels as
arguments, so new arguments of the same shapes recompile nothing. A `Method` is two
pure functions, `init` and `step`; `Solver` runs them in compiled chunks of several iterations, or
whole (`solve`, for use under `jax.vmap`). The start is evaluated by the first step, inside the loop
like every other point, so that the compiled loop holds the function's only copy.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Sharding
from jaxtyping import Array, Bool, Int, PyTree

from stylejax.solvers.compile_options import CompilerOptions, known_options
from stylejax.solvers.methods import made_later
from stylejax.solvers.state import CHUNK, UNLIMITED, Function, Method, SolverState, Trace, is_over
from stylejax.solvers.steps import Pace, Programs, Step, longest_chunks, take_steps


@dataclass(frozen=True)
class Solver:
    """A method applied to a function, with at most `budget` evaluations.

    `init` and `advance` are compiled on their first call and reused while shapes stay the same. The
    budget travels in the state, so that another one leaves `advance` as it is. `compiler_options`
    are XLA's for `advance`, as far as it knows them; with such it cannot be called inside of
    another `jax.jit` (`iterate` can). `placement` says where the state and the traces lie on
    several devices: a pytree of shardings like the state, and one sharding for all of the trace.
    """

    fun: Function
    method: Method = field(default_factory=lambda: made_later("lbfgs"))
    budget: int = UNLIMITED
    compiler_options: CompilerOptions = field(default_factory=dict)
    placement: tuple[PyTree[Sharding], Sharding] | None = None

    @cached_property
    def init(self) -> jax.stages.Wrapped:
        """`init(params, *args)`: the state before the first step; nothing is evaluated."""
        of_state = None if self.placement is None else self.placement[0]
        begin = lambda params, *args: self.begin(params, args)
        return jax.jit(begin, out_shardings=of_state)

    @cached_property
    def advance(self) -> jax.stages.Wrapped:
        """`advance(state, iterations, *args)`: up to CHUNK further iterations, and their trace.

        A fresh state is evaluated first; with 0 iterations that is all. Stops early where the
        state has `has_ended`; rows of the trace from there on are not meaningful. The
        state given is donated. How iterations are split into calls does not change a bit of the
        result.
        """
        run = lambda state, iterations, *args: self.iterate(state, iterations, CHUNK, args)
        placement, options = self.placement, known_options(self.compiler_options)
        return jax.jit(run, donate_argnums=0, out_shardings=placement, compiler_options=options)

    def shapes(self, params: PyTree, *args: PyTree) -> SolverState:
        """A state's shapes, types and places, for arguments like these."""
        state = jax.eval_shape(self.init, params, *args)
        if self.placement is None:
            return state
        placed = lambda leaf, at: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=at)
        return jax.tree.map(placed, state, self.placement[0])

    def lower(self, params: PyTree, *args: PyTree) -> tuple[jax.stages.Lowered, jax.stages.Lowered]:
        """`init` and `advance`, lowered for arguments like these but neither compiled nor run."""
        state = self.shapes(params, *args)
        return self.init.lower(params, *args), self.advance.lower(state, np.int32(1), *args)

    def compile(self, params: PyTree, *args: PyTree) -> Programs:
        """`init` and `advance`, compiled for arguments like these but not run."""
        init, advance = self.lower(params, *args)
        return Programs(init.compile(), advance.compile())

    def steps(
        self,
        start: PyTree,
        iterations: int,
        *args: PyTree,
        pace: Pace = longest_chunks,
        programs: Programs | None = None,
    ) -> Iterator[Step]:
        """Solve chunk by chunk: yields the evaluated start and then the end of each chunk.

        To end early, leave the loop; to suspend a solve, save `Step.state`.

        Args:
            start: the params to begin with, or the `SolverState` to go on from, whose memory is
                taken over.
            iterations: the count to end at, those that such a state has behind it included.
            *args: what the function takes besides its params.
            pace: from a step to the iterations of the next chunk.
            programs: those that `compile` has made; unless given they are compiled when called.
        """
        programs = programs or Programs(self.init, self.advance)
        state = start if isinstance(start, SolverState) else programs.init(start, *args)
        return take_steps(programs.advance, state, iterations, args, pace=pace)

    def solve(self, params: PyTree, iterations: int, *args: PyTree) -> tuple[SolverState, Trace]:
        """The whole solve as one pure function, to be composed with `jax.jit` and `jax.vmap`."""
        state = self.begin(params, args)
        return self.iterate(state, jnp.asarray(iterations), iterations, args)

    def begin(self, params: PyTree, args: tuple) -> SolverState:
        """`init` as a pure function that nothing is compiled for."""
        # An argument of the loop, not a constant in it: another budget recompiles nothing.
        budget = jnp.full((), self.budget, jnp.int32)
        return self.method.init(self.fun, params, args)._replace(budget=budget)

    def iterate(
        self, state: SolverState, iterations: Int[Array, ""], capacity: int, args: tuple
    ) -> tuple[SolverState, Trace]:
        """`advance` as a pure function; the trace has `capacity` rows, the most iterations."""
        row = lambda state: Trace(state.value, state.aux, state.gradient_norm, state.evaluations)
        empty = jax.tree.map(
            lambda leaf: jnp.zeros((capacity, *leaf.shape), leaf.dtype), row(state)
        )

        first = state.iteration

        def going(carry: tuple[SolverState, Trace]) -> Bool[Array, ""]:
            state, _ = carry
            left = (state.iteration - first < iterations) | (state.evaluations == 0)
            return left & ~is_over(state)

        def body(carry: tuple[SolverState, Trace]) -> tuple[SolverState, Trace]:
            state, trace = carry
            current = state.iteration - first
            state = self.method.step(self.fun, state, args)
            # Until the iteration has ended its row is written over.
            return state, jax.tree.map(lambda rows, x: rows.at[current].set(x), trace, row(state))

        return jax.lax.while_loop(going, body, (state, empty))
