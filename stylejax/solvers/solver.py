"""Minimize any function of a pytree step by step, on the device; knows nothing of pictures.

A function is `fun(params, *args) -> (value, aux)`: what it needs beside `params` travels as
arguments, so new arguments of the same shapes compile nothing anew. A `Method` is two
pure functions, `init` and `step`; `Solver` runs them in compiled chunks of several iterations, or
whole (`solve`, for use under `jax.vmap`). The start is evaluated by the first step, inside the loop
like every other point, so that the compiled loop holds the function's only copy. jaxopt is touched
in this module only.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jaxopt
import numpy as np
import optax
from jaxopt._src.base import IterativeLineSearch
from jaxtyping import Array, Bool, Float, Int

from stylejax.solvers.line_search import (
    Search,
    advance_search,
    begin_search,
    search_result,
    tree_vdot,
    tree_where,
)

Function = Callable[..., tuple[Float[Array, ""], Any]]

CHUNK = 16
"""Most iterations between two looks at the state from outside."""

UNLIMITED = 2**31 - 1
"""A budget of evaluations that no solve reaches."""


class SolverState(NamedTuple):
    """The solve so far; everything needed to go on, so saving it suspends the solve exactly.

    `value`, `aux` and `gradient_norm` belong to `params`; `evaluations` counts
    value-and-gradient evaluations since the start; `inner` is the method's own. Before the first
    evaluation `value` and `gradient_norm` are infinite and `aux` is 0. Where `failed`, a value or
    gradient was not finite and `params` is the last good point, or the start; where `converged`,
    not even steepest descent lowers the value any further in this precision. No step is begun once
    `evaluations` has reached `budget`.
    """

    params: Any
    value: Float[Array, ""]
    aux: Any
    gradient_norm: Float[Array, ""]
    iteration: Int[Array, ""]
    evaluations: Int[Array, ""]
    failed: Bool[Array, ""]
    converged: Bool[Array, ""]
    budget: Int[Array, ""]
    inner: Any


def is_over(state: SolverState) -> Any:
    """`has_ended`, traced or not, of one state or of each lane of many."""
    return state.failed | state.converged | (state.evaluations >= state.budget)


def has_ended(state: SolverState) -> bool:
    """Whether there is no going on from a state, however many iterations are left."""
    return bool(is_over(state))


class Trace(NamedTuple):
    """What each iteration ended with: arrays with a leading axis of iterations."""

    value: Float[Array, " iterations"]
    aux: Any
    gradient_norm: Float[Array, " iterations"]
    evaluations: Int[Array, " iterations"]


class Method(NamedTuple):
    """An optimizer as two pure functions.

    `init(fun, params, args)` returns a state in which nothing is evaluated yet. `step(fun, state,
    args)` returns the next one: the first step evaluates at the start and no more, a later one need
    not end an iteration (`state.iteration` counts those).
    """

    init: Callable[[Function, Any, tuple], SolverState]
    step: Callable[[Function, SolverState, tuple], SolverState]


def _firm(tree: Any) -> Any:
    """The tree with weak types made strong, as in every later state: else all compiles twice."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), tree)


def _unevaluated(fun: Function, params: Any, args: tuple) -> tuple[Float[Array, ""], Any]:
    """Value and aux before the first evaluation: infinity, which any value is lower than, and 0."""
    shapes = jax.eval_shape(fun, params, *args)
    value, aux = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return value + jnp.inf, aux


def _first_state(params: Any, value: Any, aux: Any, inner: Any) -> SolverState:
    state = SolverState(
        params=params,
        value=value,
        aux=aux,
        gradient_norm=jnp.full_like(value, jnp.inf),
        iteration=jnp.zeros((), jnp.int32),
        evaluations=jnp.zeros((), jnp.int32),
        failed=jnp.zeros((), bool),
        converged=jnp.zeros((), bool),
        budget=jnp.full((), UNLIMITED, jnp.int32),
        inner=inner,
    )
    return _firm(state)


def _keep_finite(new: SolverState, old: SolverState) -> SolverState:
    """The new state, or the old one as failed where the new one holds numbers not finite."""
    finite = jnp.isfinite(new.value) & jnp.isfinite(new.gradient_norm)
    kept = tree_where(finite, new, old)
    return kept._replace(failed=~finite, evaluations=new.evaluations)


class _OneTrial(IterativeLineSearch):
    """Our line search behind the interface that `jaxopt.LBFGS(linesearch=...)` calls.

    One call takes a search one evaluation further, not to its end: so the solver is a single loop
    over evaluations, and under `jax.vmap` no lane waits for another lane's search. The search under
    way comes in `fun_kwargs` and leaves in the state's aux, which jaxopt hands on untouched.
    """

    def __init__(self, value_and_grad: Callable) -> None:
        self.value_and_grad = value_and_grad

    def run(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        init_stepsize: Any,
        params: Any,
        value: Any = None,
        grad: Any = None,
        descent_direction: Any = None,
        fun_args: Any = (),
        fun_kwargs: Any = None,
    ) -> tuple[Any, "_SearchState"]:
        """Evaluate once along the direction; returns the step and what jaxopt reads."""
        search, aux = fun_kwargs["search"], fun_kwargs["aux"]
        fresh = begin_search(value, aux, grad, descent_direction, init_stepsize)
        evaluate = lambda point: self.value_and_grad(point, *fun_args)
        search = advance_search(
            tree_where(search.done, fresh, search), evaluate, params, descent_direction
        )
        found = search_result(search, params, descent_direction)
        return found.step, _SearchState(
            params=found.params,
            value=found.value,
            grad=found.grad,
            aux=(found.aux, search),
            failed=found.failed,
            iter_num=1,
            num_grad_eval=1,
            num_fun_eval=1,
        )

    def init_state(self, *args: Any, **kwargs: Any) -> Any:
        """Part of jaxopt's abstract class, never called."""
        raise NotImplementedError("jaxopt.LBFGS only calls run")

    update = optimality_fun = init_state


class _SearchState(NamedTuple):
    params: Any
    value: Array
    grad: Any
    aux: Any
    failed: Array
    iter_num: int
    num_grad_eval: int
    num_fun_eval: int


class LbfgsState(NamedTuple):
    """The inner state of `lbfgs`: jaxopt's own, at the start of the iteration, and the search."""

    jaxopt: Any
    search: Search


def _jaxopt_lbfgs(fun: Function, history_size: int) -> jaxopt.LBFGS:
    return jaxopt.LBFGS(
        fun=fun,
        has_aux=True,
        linesearch=_OneTrial(jax.value_and_grad(fun, has_aux=True)),  # pyright: ignore
        linesearch_init="current",
        history_size=history_size,
        implicit_diff=False,
        jit=False,
        unroll=False,
    )


def _kept(
    finished: Bool[Array, ""], new: Any, old: Any, pair: tuple[Any, Any], slot: Int[Array, ""]
) -> Any:
    """The new state of jaxopt where the search has finished, else its old one.

    The histories are the old ones with the new pair of step and change of the gradient in one slot.
    Choosing between jaxopt's new histories and the old ones would copy both at each step; so they
    are updated in place.
    """
    put = lambda history, x: history.at[slot].set(jnp.where(finished, x, history[slot]))
    light = {name: None for name in ("s_history", "y_history")}
    kept = tree_where(finished, new._replace(**light), old._replace(**light))
    return kept._replace(
        s_history=jax.tree.map(put, old.s_history, pair[0]),
        y_history=jax.tree.map(put, old.y_history, pair[1]),
    )


def _steepest_step(
    value: Float[Array, ""], gradient_norm: Float[Array, ""], lower_bound: float
) -> Float[Array, ""]:
    """The first trial along the negative gradient.

    It ends where the tangent meets the lower bound (Polyak 1969, Minimization of unsmooth
    functionals), before which no convex function reaches it. Where that is not ahead, or infinitely
    far, its length is 1.
    """
    of_length_1 = 1.0 / jnp.maximum(gradient_norm, jnp.finfo(gradient_norm.dtype).tiny)
    to_bound = (value - lower_bound) * jnp.square(of_length_1)
    return jnp.where((to_bound > 0.0) & jnp.isfinite(to_bound), to_bound, of_length_1)


def _restarted(new: Any, pair: tuple[Any, Any], slot: Int[Array, ""], lower_bound: float) -> Any:
    """The new state of jaxopt, without its history where the last pair cannot be used."""
    step, change = pair
    squared = tree_vdot(change, change)
    # Nocedal and Wright, equation 7.20, from the pair itself: jaxopt reads its new history for it.
    gamma = jnp.where(squared > 0.0, tree_vdot(change, step) / squared, 1.0)
    # jaxopt keeps any pair; only s.y > 0 makes the next direction one of descent.
    restart = new.failed_linesearch | ~(new.rho_history[slot] > 0.0)
    return new._replace(
        # A pair whose rho is 0 takes no part in the two-loop product.
        rho_history=jnp.where(restart, 0.0, new.rho_history),
        gamma=jnp.where(restart, 1.0, gamma),
        stepsize=jnp.where(restart, _steepest_step(new.value, new.error, lower_bound), 1.0),
    )


def lbfgs(history_size: int = 10, lower_bound: float = -math.inf) -> Method:
    """L-BFGS by jaxopt (Nocedal and Wright, algorithm 7.5) with our line search.

    One step is one evaluation. The first trial of an iteration is 1, or where there is no history
    the gradient scaled by its norm (`_steepest_step`). Where a search fails, the best point that
    decreased is kept, the pair and the history are dropped, and the next iteration is one of
    steepest descent; where that lowers nothing either, the solve has converged.

    Args:
        history_size: pairs that are remembered, 1 or more.
        lower_bound: a value that the function does not fall below, if one is known. A wrong one
            costs evaluations.
    """

    def init(fun: Function, params: Any, args: tuple) -> SolverState:
        value, aux = _unevaluated(fun, params, args)
        # As if coming from a plain at infinity, with its gradient of 0 for a direction: the first
        # trial is then the start itself, and any finite value there ends the search.
        plain = lambda params: (value, aux)
        inner: Any = _jaxopt_lbfgs(plain, history_size).init_state(params)
        over = begin_search(value, aux, inner.grad, inner.grad, inner.stepsize)
        return _first_state(params, value, aux, LbfgsState(inner._replace(aux=None), over))

    def step(fun: Function, state: SolverState, args: tuple) -> SolverState:
        old, search = state.inner
        new: Any
        params, new = _jaxopt_lbfgs(fun, history_size).update(
            state.params, old, *args, search=search, aux=state.aux
        )
        aux, search = new.aux
        finished, slot = search.done, old.iter_num % history_size
        was_steepest = jnp.all(old.rho_history == 0.0)
        pair = jax.tree.map(jnp.subtract, (params, new.grad), (state.params, old.grad))
        new = _restarted(new._replace(aux=None), pair, slot, lower_bound)
        params, value, aux, norm = tree_where(
            finished,
            (params, new.value, aux, new.error),
            (state.params, state.value, state.aux, state.gradient_norm),
        )
        after = SolverState(
            params=params,
            value=value,
            aux=aux,
            gradient_norm=norm,
            iteration=state.iteration + (finished & (state.evaluations > 0)),
            evaluations=state.evaluations + 1,
            failed=state.failed,
            converged=finished & ((norm == 0.0) | was_steepest & (search.low.step == 0.0)),
            budget=state.budget,
            inner=None,
        )
        # The inner state is left out: a choice between histories would copy them each step.
        kept = _keep_finite(after, state._replace(inner=None))
        return kept._replace(inner=LbfgsState(_kept(finished, new, old, pair, slot), search))

    return Method(init, step)


def _move_and_evaluate(
    fun: Function,
    state: SolverState,
    args: tuple,
    move: Callable[[Any, Any], tuple[Any, Any, Int[Array, ""]]],
) -> SolverState:
    """A step of a method that moves by the last gradient: move (not the first time), evaluate.

    `state.inner` is the method's own state and the gradient; `move(own, gradient)` returns the next
    params, own state, and the evaluations that they cost.
    """
    first = state.evaluations == 0
    own, grad = state.inner
    stay = lambda own, grad: (state.params, own, jnp.zeros((), jnp.int32))
    params, own, spent = jax.lax.cond(first, stay, move, own, grad)
    (value, aux), grad = jax.value_and_grad(fun, has_aux=True)(params, *args)
    norm = jnp.sqrt(tree_vdot(grad, grad))
    new = SolverState(
        params=params,
        value=value,
        aux=aux,
        gradient_norm=norm,
        iteration=state.iteration + ~first,
        evaluations=state.evaluations + spent + 1,
        failed=state.failed,
        converged=first & (norm == 0.0),
        budget=state.budget,
        inner=(own, grad),
    )
    return _keep_finite(new, state)


def optax_lbfgs(history_size: int = 10) -> Method:
    """`optax.lbfgs` with its own zoom line search: slower to compile, for comparison."""
    transform = optax.lbfgs(memory_size=history_size)

    def init(fun: Function, params: Any, args: tuple) -> SolverState:
        inner = (transform.init(params), jax.tree.map(jnp.zeros_like, params))
        return _first_state(params, *_unevaluated(fun, params, args), inner)

    def step(fun: Function, state: SolverState, args: tuple) -> SolverState:
        value_fn = lambda params: fun(params, *args)[0]

        def move(own: Any, grad: Any) -> tuple[Any, Any, Int[Array, ""]]:
            updates, own = transform.update(
                grad, own, state.params, value=state.value, grad=grad, value_fn=value_fn
            )
            searched = optax.tree.get(own, "num_linesearch_steps")
            return optax.apply_updates(state.params, updates), own, searched

        # optax's search keeps value and gradient but not aux, so its last point is evaluated again.
        return _move_and_evaluate(fun, state, args, move)

    return Method(init, step)


def adam(learning_rate: float | Float[Array, ""] = 0.02) -> Method:
    """`optax.adam` with a constant learning rate, in units of `params`; one evaluation a step."""
    transform = optax.scale_by_adam(b1=0.9, b2=0.99)

    def init(fun: Function, params: Any, args: tuple) -> SolverState:
        value, aux = _unevaluated(fun, params, args)
        # The rate travels in the state, so another one compiles nothing anew.
        own = (transform.init(params), jnp.asarray(learning_rate, value.dtype))
        return _first_state(params, value, aux, (own, jax.tree.map(jnp.zeros_like, params)))

    def step(fun: Function, state: SolverState, args: tuple) -> SolverState:
        def move(own: Any, grad: Any) -> tuple[Any, Any, Int[Array, ""]]:
            moments, rate = own
            updates, moments = transform.update(grad, moments)
            params = jax.tree.map(lambda x, u: x - rate * u, state.params, updates)
            return params, (moments, rate), jnp.zeros((), jnp.int32)

        return _move_and_evaluate(fun, state, args, move)

    return Method(init, step)


@dataclass(frozen=True)
class Solver:
    """A method applied to a function, with at most `budget` evaluations.

    `init` and `advance` are compiled on their first call and reused while shapes stay the same. The
    budget travels in the state, so that another one leaves `advance` as it is. `placement` says
    where the state and the traces lie on several devices: a pytree of shardings like the state, and
    one sharding for all of the trace.
    """

    fun: Function
    method: Method = field(default_factory=lbfgs)
    budget: int = UNLIMITED
    placement: tuple[Any, Any] | None = None

    @cached_property
    def init(self) -> Any:
        """`init(params, *args)`: the state before the first step; nothing is evaluated."""
        of_state = None if self.placement is None else self.placement[0]
        begin = lambda params, *args: self.begin(params, args)
        return jax.jit(begin, out_shardings=of_state)

    @cached_property
    def advance(self) -> Any:
        """`advance(state, iterations, *args)`: up to CHUNK further iterations, and their trace.

        A fresh state is evaluated first; with 0 iterations that is all. Stops early where the
        state has `has_ended`; rows of the trace from there on are not meaningful. The
        state given is donated. How iterations are split into calls does not change a bit of the
        result.
        """
        run = lambda state, iterations, *args: self.iterate(state, iterations, CHUNK, args)
        return jax.jit(run, donate_argnums=0, out_shardings=self.placement)

    def lower(self, params: Any, *args: Any) -> tuple[Any, Any]:
        """`init` and `advance`, lowered for arguments like these but neither compiled nor run."""
        state = jax.eval_shape(self.init, params, *args)
        if self.placement is not None:
            placed = lambda leaf, at: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=at)
            state = jax.tree.map(placed, state, self.placement[0])
        return self.init.lower(params, *args), self.advance.lower(state, np.int32(1), *args)

    def compile(self, params: Any, *args: Any) -> tuple[Any, Any]:
        """`init` and `advance`, compiled for arguments like these but not run."""
        init, advance = self.lower(params, *args)
        return init.compile(), advance.compile()

    def solve(self, params: Any, iterations: int, *args: Any) -> tuple[SolverState, Trace]:
        """The whole solve as one pure function, to be composed with `jax.jit` and `jax.vmap`."""
        state = self.begin(params, args)
        return self.iterate(state, jnp.asarray(iterations), iterations, args)

    def begin(self, params: Any, args: tuple) -> SolverState:
        """`init` as a pure function that nothing is compiled for."""
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
