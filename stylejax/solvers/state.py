"""What a solve is made of: its state, its trace, and a method as two pure functions."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

from stylejax.solvers.line_search import tree_where

Function = Callable[..., tuple[Float[Array, ""], PyTree]]
"""What is minimized: `fun(params, *args)` returns the value and whatever else is to be known."""

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

    params: PyTree
    value: Float[Array, ""]
    aux: PyTree
    gradient_norm: Float[Array, ""]
    iteration: Int[Array, ""]
    evaluations: Int[Array, ""]
    failed: Bool[Array, ""]
    converged: Bool[Array, ""]
    budget: Int[Array, ""]
    inner: PyTree


def is_over(state: SolverState) -> Bool[Array, "*lanes"] | np.ndarray | np.bool_:
    """Whether there is no going on from a state, however many iterations are left.

    Of one state or of each lane of many, traced, on the device or on the host.
    """
    return state.failed | state.converged | (state.evaluations >= state.budget)


def has_ended(state: SolverState) -> bool:
    """`is_over` of one state, as a plain truth value."""
    return bool(is_over(state))


class Trace(NamedTuple):
    """What each iteration ended with: arrays with a leading axis of iterations."""

    value: Float[Array, " iterations"]
    aux: PyTree[Shaped[Array, "iterations ..."]]
    gradient_norm: Float[Array, " iterations"]
    evaluations: Int[Array, " iterations"]


class Method(NamedTuple):
    """An optimizer as two pure functions.

    `init(fun, params, args)` returns a state in which nothing is evaluated yet. `step(fun, state,
    args)` returns the next one: the first step evaluates at the start and no more, a later one need
    not end an iteration (`state.iteration` counts those).
    """

    init: Callable[[Function, PyTree, tuple], SolverState]
    step: Callable[[Function, SolverState, tuple], SolverState]


def _firm(tree: PyTree) -> PyTree:
    """The tree with weak types made strong, as in every later state: else all compiles twice."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), tree)


def unevaluated(fun: Function, params: PyTree, args: tuple) -> tuple[Float[Array, ""], PyTree]:
    """Value and aux before the first evaluation: infinity, which any value is lower than, and 0."""
    shapes = jax.eval_shape(fun, params, *args)
    value, aux = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return value + jnp.inf, aux


def first_state(params: PyTree, value: Float[Array, ""], aux: PyTree, inner: PyTree) -> SolverState:
    """The state of a method's `init`: nothing is evaluated and nothing counted yet."""
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


def keep_finite(new: SolverState, old: SolverState) -> SolverState:
    """The new state, or the old one as failed where the new one holds numbers not finite."""
    finite = jnp.isfinite(new.value) & jnp.isfinite(new.gradient_norm)
    kept = tree_where(finite, new, old)
    return kept._replace(failed=~finite, evaluations=new.evaluations)
