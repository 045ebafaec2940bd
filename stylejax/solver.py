"""Minimise any function of a pytree step by step, on the device; knows nothing of pictures.

A function is `fun(params, *args) -> (value, aux)`: what it needs beside `params` travels as
arguments, so new arguments of the same shapes compile nothing anew. A `Method` is two
pure functions, `init` and `step`; `Solver` runs them in compiled chunks of several steps, or whole
(`solve`, for use under `jax.vmap`). jaxopt is touched in this module only.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jaxopt
import optax
from jaxopt._src.base import IterativeLineSearch
from jaxtyping import Array, Bool, Float, Int

from stylejax.linesearch import strong_wolfe, vdot

Function = Callable[..., tuple[Float[Array, ""], Any]]

CHUNK = 16
"""Most steps between two looks at the state from outside."""


class SolverState(NamedTuple):
    """The solve so far; everything needed to go on, so saving it suspends the solve exactly.

    `value`, `aux` and `gradient_norm` belong to `params`; `evaluations` counts
    value-and-gradient evaluations since the start; `inner` is the method's own. Where `failed`, the
    method could not go on (a value that is not finite, or no direction that falls) and
    `params` is the last good point.
    """

    params: Any
    value: Float[Array, ""]
    aux: Any
    gradient_norm: Float[Array, ""]
    iteration: Int[Array, ""]
    evaluations: Int[Array, ""]
    failed: Bool[Array, ""]
    inner: Any


class Trace(NamedTuple):
    """What each step ended with: arrays with a leading axis of steps."""

    value: Float[Array, " steps"]
    aux: Any
    gradient_norm: Float[Array, " steps"]
    evaluations: Int[Array, " steps"]


class Method(NamedTuple):
    """An optimiser as two pure functions.

    `init(fun, params, args)` evaluates once and returns the first state; `step(fun, state, args)`
    returns the next one.
    """

    init: Callable[[Function, Any, tuple], SolverState]
    step: Callable[[Function, SolverState, tuple], SolverState]


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
        inner=inner,
    )
    # Types as firm as those of every later state: a weak one would have `advance` compiled twice.
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), state)


def _keep_finite(new: SolverState, old: SolverState) -> SolverState:
    """The new state, or the old one as failed where the new one holds numbers not finite."""
    finite = jnp.isfinite(new.value) & jnp.isfinite(new.gradient_norm)
    kept = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, old)
    return kept._replace(failed=~finite, evaluations=new.evaluations)


class _StrongWolfe(IterativeLineSearch):
    """Gives `strong_wolfe` the interface that `jaxopt.LBFGS(linesearch=...)` calls."""

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
        """Search along the direction; returns the step and what jaxopt reads of its state."""
        # jaxopt does not hand on the start's aux: the caller restores it where no step was taken.
        evaluate = lambda point: self.value_and_grad(point, *fun_args)
        shapes = jax.eval_shape(evaluate, params)[0][1]
        aux = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        found = strong_wolfe(evaluate, params, descent_direction, value, aux, grad, init_stepsize)
        return found.step, _SearchState(
            params=found.params,
            value=found.value,
            grad=found.grad,
            aux=found.aux,
            failed=found.failed,
            iter_num=found.evaluations,
            num_grad_eval=found.evaluations,
            num_fun_eval=found.evaluations,
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
    iter_num: Array
    num_grad_eval: Array
    num_fun_eval: Array


def _jaxopt_lbfgs(fun: Function, history_size: int) -> jaxopt.LBFGS:
    return jaxopt.LBFGS(
        fun=fun,
        has_aux=True,
        linesearch=_StrongWolfe(jax.value_and_grad(fun, has_aux=True)),  # pyright: ignore
        linesearch_init="current",
        history_size=history_size,
        implicit_diff=False,
        jit=False,
        unroll=False,
    )


def lbfgs(history_size: int = 10) -> Method:
    """L-BFGS by jaxopt (Nocedal and Wright, algorithm 7.5) with our line search.

    The first trial step is 1 over the gradient's norm, later ones 1. Where a search
    fails, the best point that decreased is kept, the pair and the history are dropped, and
    the next step is one of steepest descent; two such failures in a row end the solve.
    """

    def init(fun: Function, params: Any, args: tuple) -> SolverState:
        inner: Any = _jaxopt_lbfgs(fun, history_size).init_state(params, *args)
        first = _first_state(params, inner.value, inner.aux, inner.grad, inner)
        step = 1.0 / jnp.maximum(first.gradient_norm, jnp.finfo(inner.value.dtype).tiny)
        return first._replace(inner=inner._replace(stepsize=step))

    def step(fun: Function, state: SolverState, args: tuple) -> SolverState:
        inner: Any
        params, inner = _jaxopt_lbfgs(fun, history_size).update(state.params, state.inner, *args)
        stalled = inner.stepsize == 0.0
        last = state.inner.iter_num % history_size
        # jaxopt keeps any pair; only s.y > 0 makes the next direction one of descent.
        restart = inner.failed_linesearch | ~(inner.rho_history[last] > 0.0)
        aux = jax.tree.map(lambda new, old: jnp.where(stalled, old, new), inner.aux, state.aux)
        norm = jnp.sqrt(vdot(inner.grad, inner.grad))
        steepest = 1.0 / jnp.maximum(norm, jnp.finfo(norm.dtype).tiny)
        inner = inner._replace(
            # A pair whose rho is 0 takes no part in the two-loop product.
            rho_history=jnp.where(restart, 0.0, inner.rho_history),
            gamma=jnp.where(restart, 1.0, inner.gamma),
            stepsize=jnp.where(restart, steepest, 1.0),
            aux=aux,
        )
        was_steepest = jnp.all(state.inner.rho_history == 0.0)
        return SolverState(
            params=params,
            value=inner.value,
            aux=aux,
            gradient_norm=norm,
            iteration=state.iteration + 1,
            evaluations=state.evaluations + inner.num_fun_eval - state.inner.num_fun_eval,
            failed=stalled & was_steepest,
            inner=inner,
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
        """`advance(state, steps, *args)`: up to `steps` <= CHUNK further steps, and their trace.

        Stops early where the state fails; rows of the trace from there on are not meaningful. The
        state given is donated. How steps are split into calls does not change a bit of the result.
        """
        run = lambda state, steps, *args: self._steps(state, steps, CHUNK, args)
        return jax.jit(run, donate_argnums=0)

    def solve(self, params: Any, iterations: int, *args: Any) -> tuple[SolverState, Trace]:
        """The whole solve as one pure function, to be composed with `jax.jit` and `jax.vmap`."""
        state = self.method.init(self.fun, params, args)
        return self._steps(state, jnp.asarray(iterations), iterations, args)

    def _steps(
        self, state: SolverState, steps: Int[Array, ""], capacity: int, args: tuple
    ) -> tuple[SolverState, Trace]:
        row = lambda state: Trace(state.value, state.aux, state.gradient_norm, state.evaluations)
        empty = jax.tree.map(
            lambda leaf: jnp.zeros((capacity, *leaf.shape), leaf.dtype), row(state)
        )

        def going(carry: tuple[Array, SolverState, Trace]) -> Bool[Array, ""]:
            done, state, _ = carry
            return (done < steps) & ~state.failed

        def body(carry: tuple[Array, SolverState, Trace]) -> tuple[Array, SolverState, Trace]:
            done, state, trace = carry
            state = self.method.step(self.fun, state, args)
            trace = jax.tree.map(lambda rows, x: rows.at[done].set(x), trace, row(state))
            return done + 1, state, trace

        _, state, trace = jax.lax.while_loop(going, body, (jnp.zeros((), jnp.int32), state, empty))
        return state, trace
