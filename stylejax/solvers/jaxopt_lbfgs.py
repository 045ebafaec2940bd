"""L-BFGS: jaxopt's two-loop recursion and history, with the line search of `line_search.py`.

jaxopt, which is no longer maintained, is touched in this module only, and by one private name: the
class that its line searches derive from. It keeps every pair of step and gradient's change, and
searches along whatever direction comes out; where a pair is of no use, we drop the history.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jaxopt
from jaxopt._src.base import IterativeLineSearch
from jaxtyping import Array, Bool, Float, Int, PyTree

from stylejax.solvers.line_search import (
    Search,
    advance_search,
    begin_search,
    search_result,
    tree_vdot,
    tree_where,
)
from stylejax.solvers.state import (
    Function,
    Method,
    SolverState,
    first_state,
    keep_finite,
    unevaluated,
)


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
        init_stepsize: Float[Array, ""],
        params: PyTree,
        value: Float[Array, ""],
        grad: PyTree,
        descent_direction: PyTree,
        fun_args: tuple,
        fun_kwargs: dict[str, PyTree],
    ) -> tuple[Float[Array, ""], "_SearchState"]:
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

    def init_state(self, *args: PyTree, **kwargs: PyTree) -> PyTree:
        """Part of jaxopt's abstract class, never called."""
        raise NotImplementedError("jaxopt.LBFGS only calls run")

    update = optimality_fun = init_state


class _SearchState(NamedTuple):
    params: PyTree
    value: Array
    grad: PyTree
    aux: PyTree
    failed: Array
    iter_num: int
    num_grad_eval: int
    num_fun_eval: int


class LbfgsState(NamedTuple):
    """The inner state of `lbfgs`: jaxopt's own, at the start of the iteration, and the search."""

    jaxopt: PyTree
    search: Search


def _jaxopt_lbfgs(fun: Function, history_size: int) -> jaxopt.LBFGS:
    return jaxopt.LBFGS(
        fun=fun,
        has_aux=True,
        linesearch=_OneTrial(jax.value_and_grad(fun, has_aux=True)),  # pyright: ignore
        # The trial that `_restarted` has put into the state.
        linesearch_init="current",
        history_size=history_size,
        implicit_diff=False,
        jit=False,
        # Without implicit differentiation "auto" would unroll loops.
        unroll=False,
    )


def _kept(
    finished: Bool[Array, ""],
    new: PyTree,
    old: PyTree,
    pair: tuple[PyTree, PyTree],
    slot: Int[Array, ""],
) -> PyTree:
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


def _restarted(
    new: PyTree, pair: tuple[PyTree, PyTree], slot: Int[Array, ""], lower_bound: float
) -> PyTree:
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

    def init(fun: Function, params: PyTree, args: tuple) -> SolverState:
        value, aux = unevaluated(fun, params, args)
        # As if coming from a plain at infinity, with its gradient of 0 for a direction: the first
        # trial is then the start itself, and any finite value there ends the search.
        plain = lambda params: (value, aux)
        inner: PyTree = _jaxopt_lbfgs(plain, history_size).init_state(params)
        over = begin_search(value, aux, inner.grad, inner.grad, inner.stepsize)
        return first_state(params, value, aux, LbfgsState(inner._replace(aux=None), over))

    def step(fun: Function, state: SolverState, args: tuple) -> SolverState:
        old, search = state.inner
        new: PyTree
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
        kept = keep_finite(after, state._replace(inner=None))
        return kept._replace(inner=LbfgsState(_kept(finished, new, old, pair, slot), search))

    return Method(init, step)
