"""A line search for the strong Wolfe conditions that evaluates in a single place.

Along x + t d the search keeps `low`, the best step so far that decreased enough, and `high`, the
other end of the bracket (infinite until one is found). Every trial narrows the bracket or moves
`low`; bracketing and zooming are thus the same loop, so a compiled solver holds one copy of
the objective here, and under `jax.vmap` no lane pays for another lane's branch.
Source: Nocedal and Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6; the notation
phi(t) = f(x + t d) is theirs.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

# c1 and c2 of the Wolfe conditions, as Nocedal and Wright give them for quasi-Newton methods
# (section 3.1).
SUFFICIENT_DECREASE = 1e-4
CURVATURE = 0.9
LARGEST_EXPANSION = 10.0
SMALLEST_EXPANSION = 1.1
"""Bounds of the next trial over the last one, until the bracket is found."""
BRACKET_GUARD = 0.1
"""Share of the bracket at each end into which interpolation may not put a trial."""
# A guard against searches that rounding leads astray: the best point so far is taken then.
MOST_EVALUATIONS = 20

ValueAndGrad = Callable[[PyTree], tuple[tuple[Float[Array, ""], PyTree], PyTree]]


class Point(NamedTuple):
    """phi and its derivative at one step length."""

    step: Float[Array, ""]
    value: Float[Array, ""]
    slope: Float[Array, ""]


class SearchResult(NamedTuple):
    """The step that was taken, everything known there, and what it cost.

    Where `failed`, no step met both conditions: the result is the best one that decreased
    sufficiently, or the start itself (`step` 0).
    """

    step: Float[Array, ""]
    params: PyTree
    value: Float[Array, ""]
    aux: PyTree
    grad: PyTree
    evaluations: Int[Array, ""]
    failed: Bool[Array, ""]


class Search(NamedTuple):
    """A search under way; `advance` takes it one evaluation further.

    `aux` and `grad` belong to `low`; `width` is that of the bracket before the last trial.
    """

    start: Point
    trial: Float[Array, ""]
    low: Point
    high: Point
    width: Float[Array, ""]
    aux: PyTree
    grad: PyTree
    evaluations: Int[Array, ""]
    done: Bool[Array, ""]


def tree_vdot(left: PyTree, right: PyTree) -> Float[Array, ""]:
    """Inner product of two pytrees of arrays."""
    return jax.tree.reduce(jnp.add, jax.tree.map(jnp.vdot, left, right))


def tree_where(condition: Bool[Array, ""], yes: PyTree, no: PyTree) -> PyTree:
    """`jnp.where` over the leaves of two pytrees."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def _interpolate(low: Point, high: Point) -> Float[Array, ""]:
    """Minimizer of the cubic through both points and slopes (equation 3.59), kept inside."""
    span = high.step - low.step
    d1 = low.slope + high.slope - 3.0 * (low.value - high.value) / (low.step - high.step)
    root = jnp.sqrt(jnp.square(d1) - low.slope * high.slope)
    d2 = jnp.sign(span) * root
    cubic = high.step - span * (high.slope + d2 - d1) / (high.slope - low.slope + 2.0 * d2)
    middle = low.step + 0.5 * span
    guard = BRACKET_GUARD * jnp.abs(span)
    inside = jnp.abs(cubic - middle) <= 0.5 * jnp.abs(span) - guard
    end = jnp.where(jnp.abs(cubic - low.step) < jnp.abs(cubic - high.step), low.step, high.step)
    nearest = end + jnp.sign(middle - end) * guard
    return jnp.where(jnp.isfinite(cubic), jnp.where(inside, cubic, nearest), middle)


def _extrapolate(low: Point, before: Point) -> Float[Array, ""]:
    """Where to look next while phi still falls: the cubic's minimizer ahead, or the furthest."""
    d1 = before.slope + low.slope - 3.0 * (before.value - low.value) / (before.step - low.step)
    d2 = jnp.sqrt(jnp.square(d1) - before.slope * low.slope)
    span = low.step - before.step
    cubic = low.step - span * (low.slope + d2 - d1) / (low.slope - before.slope + 2.0 * d2)
    nearest, furthest = SMALLEST_EXPANSION * low.step, LARGEST_EXPANSION * low.step
    ahead = jnp.isfinite(cubic) & (cubic > low.step)
    return jnp.where(ahead, jnp.clip(cubic, nearest, furthest), furthest)


def _next_trial(search: Search, low: Point, high: Point, trial: Point) -> Float[Array, ""]:
    """Choose the next step length from the bracket after `trial` has been worked in."""
    span = jnp.abs(high.step - low.step)
    middle = 0.5 * (low.step + high.step)
    # A bracket that two trials did not shrink to two thirds is halved instead.
    slow = span > 0.66 * search.width
    zoomed = jnp.where(slow | ~jnp.isfinite(high.value), middle, _interpolate(low, high))
    return jnp.where(jnp.isfinite(high.step), zoomed, _extrapolate(trial, search.low))


def begin_search(
    value: Float[Array, ""],
    aux: PyTree,
    grad: PyTree,
    direction: PyTree,
    initial_step: Float[Array, ""],
) -> Search:
    """A search that has not evaluated yet; arguments as in `strong_wolfe`."""
    zero, infinity = jnp.zeros_like(value), jnp.full_like(value, jnp.inf)
    start = Point(zero, value, tree_vdot(grad, direction))
    return Search(
        start=start,
        trial=jnp.asarray(initial_step, value.dtype),
        low=start,
        high=Point(infinity, infinity, zero),
        width=infinity,
        aux=aux,
        grad=grad,
        evaluations=jnp.zeros((), jnp.int32),
        # Along a direction that does not fall there is nothing to find.
        done=~(start.slope < 0.0),
    )


def _step_to(params: PyTree, direction: PyTree, step: Float[Array, ""]) -> PyTree:
    return jax.tree.map(lambda x, d: x + step * d, params, direction)


def advance_search(
    search: Search,
    value_and_grad: ValueAndGrad,
    params: PyTree,
    direction: PyTree,
    *,
    max_evaluations: int = MOST_EVALUATIONS,
) -> Search:
    """Evaluate the trial and work it in: the states of algorithms 3.5 and 3.6 in one."""
    (value, aux), grad = value_and_grad(_step_to(params, direction, search.trial))
    trial = Point(search.trial, value, tree_vdot(grad, direction))
    start = search.start
    bound = start.value + SUFFICIENT_DECREASE * trial.step * start.slope
    # Written so that a value or slope that is not a number counts as too high.
    lowered = (trial.value <= bound) & (trial.value < search.low.value)
    lowered = lowered & jnp.isfinite(trial.value) & jnp.isfinite(trial.slope)
    flat = jnp.abs(trial.slope) <= -CURVATURE * start.slope
    passed = trial.slope * (search.high.step - search.low.step) >= 0.0

    low = tree_where(lowered, trial, search.low)
    too_high = trial._replace(value=jnp.where(jnp.isfinite(trial.value), trial.value, jnp.inf))
    high = tree_where(lowered, tree_where(passed, search.low, search.high), too_high)
    evaluations = search.evaluations + 1
    # Float32 tells no two steps apart that are closer than this.
    collapsed = jnp.abs(high.step - low.step) <= 1e-7 * jnp.maximum(high.step, low.step)
    collapsed = collapsed & jnp.isfinite(high.step)
    exhausted = collapsed | (evaluations >= max_evaluations)
    return Search(
        start=start,
        trial=_next_trial(search, low, high, trial),
        low=low,
        high=high,
        width=jnp.abs(search.high.step - search.low.step),
        aux=tree_where(lowered, aux, search.aux),
        grad=tree_where(lowered, grad, search.grad),
        evaluations=evaluations,
        done=search.done | (lowered & flat) | exhausted,
    )


def search_result(search: Search, params: PyTree, direction: PyTree) -> SearchResult:
    """What a search has found so far; arguments as in `strong_wolfe`."""
    low = search.low
    moved = low.step > 0.0
    flat = jnp.abs(low.slope) <= -CURVATURE * search.start.slope
    return SearchResult(
        step=low.step,
        # Not x + 0 d: a direction that overflowed would make it not a number.
        params=tree_where(moved, _step_to(params, direction, low.step), params),
        value=low.value,
        aux=search.aux,
        grad=search.grad,
        evaluations=search.evaluations,
        failed=~(flat & moved),
    )


def strong_wolfe(
    value_and_grad: ValueAndGrad,
    params: PyTree,
    direction: PyTree,
    value: Float[Array, ""],
    aux: PyTree,
    grad: PyTree,
    initial_step: Float[Array, ""],
    *,
    max_evaluations: int = MOST_EVALUATIONS,
) -> SearchResult:
    """Find t with phi(t) <= phi(0) + 1e-4 t phi'(0) and |phi'(t)| <= 0.9 |phi'(0)|.

    The whole search at once, for use on its own; the solver takes it one evaluation at a time.

    Args:
        value_and_grad: maps params to ((value, aux), grad), as `jax.value_and_grad(has_aux=True)`.
        params: the start x, a pytree of arrays.
        direction: d, a pytree like `params`, along which the function falls.
        value: f(x); with `aux` and `grad` known there, x is not evaluated again.
        aux: what `value_and_grad` returns besides the value at x.
        grad: the gradient at x.
        initial_step: the first t to try, above 0.
        max_evaluations: after this many the search gives up and returns the best step.
    """
    further = lambda search: advance_search(
        search, value_and_grad, params, direction, max_evaluations=max_evaluations
    )
    search = jax.lax.while_loop(
        lambda search: ~search.done,
        further,
        begin_search(value, aux, grad, direction, initial_step),
    )
    return search_result(search, params, direction)
