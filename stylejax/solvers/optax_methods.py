"""Adam and L-BFGS by optax as methods of our solver, to compare with or to pattern others on."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from stylejax.solvers.line_search import tree_vdot
from stylejax.solvers.state import (
    Function,
    Method,
    SolverState,
    first_state,
    keep_finite,
    unevaluated,
)


def _move_and_evaluate(
    fun: Function,
    state: SolverState,
    args: tuple,
    move: Callable[[PyTree, PyTree], tuple[PyTree, PyTree, Int[Array, ""]]],
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
    return keep_finite(new, state)


def optax_method(transform: optax.GradientTransformation) -> Method:
    """Any optimizer of optax: one evaluation a step, and those of its line search if it has one.

    Its learning rate is a constant of the compiled program, unless it is kept in its own state
    (`optax.inject_hyperparams`).
    """
    transform = optax.with_extra_args_support(transform)

    def init(fun: Function, params: PyTree, args: tuple) -> SolverState:
        inner = (transform.init(params), jax.tree.map(jnp.zeros_like, params))
        return first_state(params, *unevaluated(fun, params, args), inner)

    def step(fun: Function, state: SolverState, args: tuple) -> SolverState:
        value_fn = lambda params: fun(params, *args)[0]

        def move(own: PyTree, grad: PyTree) -> tuple[PyTree, PyTree, Int[Array, ""]]:
            # What a line search of optax asks for; others are not given it.
            known = {"value": state.value, "grad": grad, "value_fn": value_fn}
            updates, own = transform.update(grad, own, state.params, **known)
            searched = optax.tree.get(own, "num_linesearch_steps", jnp.zeros((), jnp.int32))
            return optax.apply_updates(state.params, updates), own, searched

        # optax's search keeps value and gradient but not aux, so its last point is evaluated again.
        return _move_and_evaluate(fun, state, args, move)

    return Method(init, step)


def optax_lbfgs(history_size: int = 10) -> Method:
    """`optax.lbfgs` with its own zoom line search: slower to compile, for comparison."""
    return optax_method(optax.lbfgs(memory_size=history_size))


def adam(learning_rate: float | Float[Array, ""] = 0.02) -> Method:
    """`optax.adam` with a constant learning rate, in units of `params`; one evaluation a step."""
    # Where we leave the paper (0.999): its average of squares reaches back 1,000 steps, more than a
    # solve has, and 0.99 reaches back 100.
    transform = optax.scale_by_adam(b1=0.9, b2=0.99)

    def init(fun: Function, params: PyTree, args: tuple) -> SolverState:
        value, aux = unevaluated(fun, params, args)
        # The rate travels in the state, so another one recompiles nothing.
        own = (transform.init(params), jnp.asarray(learning_rate, value.dtype))
        return first_state(params, value, aux, (own, jax.tree.map(jnp.zeros_like, params)))

    def step(fun: Function, state: SolverState, args: tuple) -> SolverState:
        def move(own: PyTree, grad: PyTree) -> tuple[PyTree, PyTree, Int[Array, ""]]:
            moments, rate = own
            updates, moments = transform.update(grad, moments)
            params = jax.tree.map(lambda x, u: x - rate * u, state.params, updates)
            return params, (moments, rate), jnp.zeros((), jnp.int32)

        return _move_and_evaluate(fun, state, args, move)

    return Method(init, step)
