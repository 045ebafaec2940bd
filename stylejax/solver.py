"""Minimise any function of a pytree step by step, on the device; knows nothing of pictures.

A function is `fun(params, *args) -> (value, aux)`: what it needs beside `params` travels as
arguments, so new arguments of the same shapes compile nothing anew. A `Method` is two
pure functions, `init` and `step`; `Solver` runs them in compiled chunks of several iterations, or
whole (`solve`, for use under `jax.vmap`). jaxopt is touched in this module only.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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

from stylejax.linesearch import Search, advance, begin, result, vdot, where

Function = Callable[..., tuple[Float[Array, ""], Any]]

CHUNK = 16
"""Most iterations between two looks at the state from outside."""


class SolverState(NamedTuple):
    """The solve so far; everything needed to go on, so saving it suspends the solve exactly.

    `value`, `aux` and `gradient_norm` belong to `params`; `evaluations` counts
    value-and-gradient evaluations since the start; `inner` is the method's own. Where `failed`, a
    value or gradient was not finite and `params` is the last good point; where `converged`, not
    even steepest descent lowers the value any further in this precision.
    """

    params: Any
    value: Float[Array, ""]
    aux: Any
    gradient_norm: Float[Array, ""]
    iteration: Int[Array, ""]
    evaluations: Int[Array, ""]
    failed: Bool[Array, ""]
    converged: Bool[Array, ""]
    inner: Any


def ended(state: SolverState) -> bool:
    """Whether there is no going on from a state, however many iterations are left."""
    return bool(state.failed) or bool(state.converged)


class Trace(NamedTuple):
    """What each iteration ended with: arrays with a leading axis of iterations."""

    value: Float[Array, " iterations"]
    aux: Any
    gradient_norm: Float[Array, " iterations"]
    evaluations: Int[Array, " iterations"]


class Method(NamedTuple):
    """An optimiser as two pure functions.

    `init(fun, params, args)` evaluates once and returns the first state; `step(fun, state, args)`
    returns the next one, which need not have ended an iteration: `state.iteration` counts those.
    """

    init: Callable[[Function, Any, tuple], SolverState]
    step: Callable[[Function, SolverState, tuple], SolverState]


def _firm(tree: Any) -> Any:
    """The tree with weak types made strong, as in every later state: else all compiles twice."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), tree)


def _first_state(params: Any, value: Any, aux: Any, grad: Any, inner: Any) -> SolverState:
    norm = jnp.sqrt(vdot(grad, grad))
    state = SolverState(
        params=params,
        value=value,
        aux=aux,
        gradient_norm=norm,
        iteration=jnp.zeros((), jnp.int32),
        evaluations=jnp.ones((), jnp.int32),
        failed=~(jnp.isfinite(value) & jnp.isfinite(norm)),
        converged=norm == 0.0,
        inner=inner,
    )
    return _firm(state)


def _keep_finite(new: SolverState, old: SolverState) -> SolverState:
    """The new state, or the old one as failed where the new one holds numbers not finite."""
    finite = jnp.isfinite(new.value) & jnp.isfinite(new.gradient_norm)
    kept = where(finite, new, old)
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
        fresh = begin(value, aux, grad, descent_direction, init_stepsize)
        evaluate = lambda point: self.value_and_grad(point, *fun_args)
        search = advance(where(search.done, fresh, search), evaluate, params, descent_direction)
        found = result(search, params, descent_direction)
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


def _kept(finished: Bool[Array, ""], new: Any, old: Any, slot: Int[Array, ""]) -> Any:
    """The new state of jaxopt where the search has finished, else its old one.

    The histories differ in one slot only: selecting that one keeps the update in place.
    """
    restore = lambda after, before: jax.tree.map(
        lambda a, b: a.at[slot].set(jnp.where(finished, a[slot], b[slot])), after, before
    )
    light = {name: None for name in ("s_history", "y_history")}
    kept = where(finished, new._replace(**light), old._replace(**light))
    return kept._replace(
        s_history=restore(new.s_history, old.s_history),
        y_history=restore(new.y_history, old.y_history),
    )


def _steepest_step(gradient_norm: Float[Array, ""]) -> Float[Array, ""]:
    """The first trial along the negative gradient: a step of length 1."""
    return 1.0 / jnp.maximum(gradient_norm, jnp.finfo(gradient_norm.dtype).tiny)


def lbfgs(history_size: int = 10) -> Method:
    """L-BFGS by jaxopt (Nocedal and Wright, algorithm 7.5) with our line search.

    One step is one evaluation. The first trial of an iteration is 1 over the gradient's norm in
    the first iteration, later 1. Where a search fails, the best point that decreased is
    kept, the pair and the history are dropped, and the next iteration is one of steepest
    descent; where that lowers nothing either, the solve has converged.
    """

    def init(fun: Function, params: Any, args: tuple) -> SolverState:
        inner: Any = _jaxopt_lbfgs(fun, history_size).init_state(params, *args)
        value, aux, grad = inner.value, inner.aux, inner.grad
        first = _first_state(params, value, aux, grad, None)
        step = _steepest_step(first.gradient_norm)
        none = begin(first.value, first.aux, grad, grad, step)._replace(done=jnp.ones((), bool))
        inner = inner._replace(value=first.value, stepsize=step, aux=None)
        return first._replace(inner=_firm(LbfgsState(inner, none)))

    def step(fun: Function, state: SolverState, args: tuple) -> SolverState:
        old, search = state.inner
        new: Any
        params, new = _jaxopt_lbfgs(fun, history_size).update(
            state.params, old, *args, search=search, aux=state.aux
        )
        aux, search = new.aux
        finished, slot = search.done, old.iter_num % history_size
        # jaxopt keeps any pair; only s.y > 0 makes the next direction one of descent.
        restart = new.failed_linesearch | ~(new.rho_history[slot] > 0.0)
        was_steepest = jnp.all(old.rho_history == 0.0)
        new = new._replace(
            # A pair whose rho is 0 takes no part in the two-loop product.
            rho_history=jnp.where(restart, 0.0, new.rho_history),
            gamma=jnp.where(restart, 1.0, new.gamma),
            stepsize=jnp.where(restart, _steepest_step(new.error), 1.0),
            aux=None,
        )
        params, value, aux, norm = where(
            finished,
            (params, new.value, aux, new.error),
            (state.params, state.value, state.aux, state.gradient_norm),
        )
        return SolverState(
            params=params,
            value=value,
            aux=aux,
            gradient_norm=norm,
            iteration=state.iteration + finished,
            evaluations=state.evaluations + 1,
            failed=state.failed,
            converged=finished & was_steepest & (search.low.step == 0.0),
            inner=LbfgsState(_kept(finished, new, old, slot), search),
        )

    return Method(init, step)


def optax_lbfgs(history_size: int = 10) -> Method:
    """`optax.lbfgs` with its own zoom line search: slower to compile, for comparison."""
    transform = optax.lbfgs(memory_size=history_size)

    def init(fun: Function, params: Any, args: tuple) -> SolverState:
        (value, aux), grad = jax.value_and_grad(fun, has_aux=True)(params, *args)
        inner = optax.tree.set(transform.init(params), value=value, grad=grad)
        return _first_state(params, value, aux, grad, inner)

    def step(fun: Function, state: SolverState, args: tuple) -> SolverState:
        value_fn = lambda params: fun(params, *args)[0]
        grad = optax.tree.get(state.inner, "grad")
        updates, inner = transform.update(
            grad, state.inner, state.params, value=state.value, grad=grad, value_fn=value_fn
        )
        params: Any = optax.apply_updates(state.params, updates)
        # optax's search keeps value and gradient but not aux: one more forward pass.
        value, aux = fun(params, *args)
        grad = optax.tree.get(inner, "grad")
        searched = optax.tree.get(inner, "num_linesearch_steps")
        new = SolverState(
            params=params,
            value=value,
            aux=aux,
            gradient_norm=jnp.sqrt(vdot(grad, grad)),
            iteration=state.iteration + 1,
            evaluations=state.evaluations + searched + 1,
            failed=state.failed,
            converged=state.converged,
            inner=inner,
        )
        return _keep_finite(new, state)

    return Method(init, step)


def adam(learning_rate: float | Float[Array, ""] = 0.02) -> Method:
    """`optax.adam` with a constant learning rate, in units of `params`; one evaluation a step."""
    transform = optax.scale_by_adam(b1=0.9, b2=0.99)

    def init(fun: Function, params: Any, args: tuple) -> SolverState:
        (value, aux), grad = jax.value_and_grad(fun, has_aux=True)(params, *args)
        # The rate travels in the state, so another one compiles nothing anew.
        inner = (transform.init(params), grad, jnp.asarray(learning_rate, value.dtype))
        return _first_state(params, value, aux, grad, inner)

    def step(fun: Function, state: SolverState, args: tuple) -> SolverState:
        moments, grad, rate = state.inner
        updates, moments = transform.update(grad, moments)
        params: Any = jax.tree.map(lambda x, u: x - rate * u, state.params, updates)
        (value, aux), grad = jax.value_and_grad(fun, has_aux=True)(params, *args)
        new = SolverState(
            params=params,
            value=value,
            aux=aux,
            gradient_norm=jnp.sqrt(vdot(grad, grad)),
            iteration=state.iteration + 1,
            evaluations=state.evaluations + 1,
            failed=state.failed,
            converged=state.converged,
            inner=(moments, grad, rate),
        )
        return _keep_finite(new, state)

    return Method(init, step)


@dataclass(frozen=True)
class Solver:
    """A method applied to a function.

    `init` and `advance` are compiled on their first call and reused while shapes stay the same.
    """

    fun: Function
    method: Method = field(default_factory=lbfgs)

    @cached_property
    def init(self) -> Any:
        """`init(params, *args)`: the state before the first step; evaluates once."""
        return jax.jit(lambda params, *args: self.method.init(self.fun, params, args))

    @cached_property
    def advance(self) -> Any:
        """`advance(state, iterations, *args)`: up to CHUNK further iterations, and their trace.

        Stops early where the state has failed or converged; rows of the trace from there on are not
        meaningful. The state given is donated. How iterations are split into calls does not change
        a bit of the result.
        """
        run = lambda state, iterations, *args: self._iterate(state, iterations, CHUNK, args)
        return jax.jit(run, donate_argnums=0)

    def lower(self, params: Any, *args: Any) -> tuple[Any, Any]:
        """`init` and `advance`, lowered for arguments like these but neither compiled nor run."""
        state = jax.eval_shape(self.init, params, *args)
        return self.init.lower(params, *args), self.advance.lower(state, np.int32(1), *args)

    def compile(self, params: Any, *args: Any) -> tuple[Any, Any]:
        """`init` and `advance`, compiled side by side for arguments like these but not run."""
        programs = self.lower(params, *args)
        with ThreadPoolExecutor(len(programs)) as pool:
            init, advance = pool.map(lambda program: program.compile(), programs)
        return init, advance

    def solve(self, params: Any, iterations: int, *args: Any) -> tuple[SolverState, Trace]:
        """The whole solve as one pure function, to be composed with `jax.jit` and `jax.vmap`."""
        state = self.method.init(self.fun, params, args)
        return self._iterate(state, jnp.asarray(iterations), iterations, args)

    def _iterate(
        self, state: SolverState, iterations: Int[Array, ""], capacity: int, args: tuple
    ) -> tuple[SolverState, Trace]:
        row = lambda state: Trace(state.value, state.aux, state.gradient_norm, state.evaluations)
        empty = jax.tree.map(
            lambda leaf: jnp.zeros((capacity, *leaf.shape), leaf.dtype), row(state)
        )

        first = state.iteration

        def going(carry: tuple[SolverState, Trace]) -> Bool[Array, ""]:
            state, _ = carry
            return (state.iteration - first < iterations) & ~(state.failed | state.converged)

        def body(carry: tuple[SolverState, Trace]) -> tuple[SolverState, Trace]:
            state, trace = carry
            current = state.iteration - first
            state = self.method.step(self.fun, state, args)
            # Until the iteration has ended its row is written over.
            return state, jax.tree.map(lambda rows, x: rows.at[current].set(x), trace, row(state))

        return jax.lax.while_loop(going, body, (state, empty))
