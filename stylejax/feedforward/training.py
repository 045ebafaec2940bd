"""Training of the painting network: its state, and one step as a pure function.

Johnson et al. (2016), section 3, with the average of the parameters over the last steps, which is
what is kept. Clocks, files and progress belong to `stylejax.runs`.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from stylejax.feedforward.crops import Tiles, random_crops
from stylejax.feedforward.network import Painter, Parameters, init_parameters, paint
from stylejax.feedforward.perceptual import (
    Aims,
    Judgment,
    count_paintings,
    painting_loss,
    relative_objective,
)
from stylejax.losses.objective import Objective
from stylejax.losses.weights import Number
from stylejax.types import Image, Scalar

AVERAGING = 0.999
"""How much of the average stays at each step, once there have been steps enough."""
LONGEST_GRADIENT = 4.0
"""A gradient longer than so many times the usual one is shortened to that."""
USUAL = 0.99
"""How much of the usual length of the gradient stays at each step."""
WARMUP = 0.03
"""Share of the training in which the rate rises to its peak."""
LOWEST_RATE = 0.01
"""Share of its peak that the rate ends with."""
RAMP = 0.2
"""Share of the training in which the style weight grows..."""
FIRST_STYLE = 0.05
"""...from this share of it: the network first learns to let the photograph through, without which
it finds textures that have nothing of it."""


class TrainingState(NamedTuple):
    """All that a step changes; `length` is the gradient's usual one, 0 before the first."""

    parameters: Parameters
    average: Parameters
    optimizer: PyTree
    length: Scalar
    steps: Int[Array, ""]
    skipped: Int[Array, ""]


class Pace(NamedTuple):
    """The place in a training's schedule: Adam's rate, and what multiplies the style weight."""

    rate: Number
    style: Number


class StepReport(NamedTuple):
    """What a step saw: the rows of its pictures' styles, their losses, the gradient's length."""

    rows: Int[Array, " batch"]
    judgments: Judgment
    length: Scalar


Step = Callable[
    [TrainingState, Aims, Tiles, PRNGKeyArray, Float[Array, " rows"], Pace],
    tuple[TrainingState, StepReport],
]
"""One step: from the state, the aims, all photographs, the run's key, the shares of the rows in the
pictures, and the pace, to the next state."""


def optimizer() -> optax.GradientTransformation:
    """Adam, before its rate."""
    return optax.scale_by_adam(b1=0.9, b2=0.99)


def initial_state(
    painter: Painter, key: PRNGKeyArray, parameters: Parameters | None = None
) -> TrainingState:
    """The state to begin with: with new parameters, or from those of a weight file on."""
    return state_from(init_parameters(painter, key) if parameters is None else parameters)


def state_from(parameters: Parameters) -> TrainingState:
    """The state to begin with from parameters, whichever network's they are."""
    begin = jax.tree.map(jnp.asarray, parameters)
    # The step may be given the state's memory to write to, so that nothing here is shared.
    average = jax.tree.map(jnp.copy, begin)
    steps, skipped = jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32)
    return TrainingState(begin, average, optimizer().init(begin), jnp.zeros(()), steps, skipped)


def pace_at(progress: float, peak: float, *, ramp: bool = True) -> Pace:
    """The pace at a share of the training: the rate rises in a line and falls as a cosine.

    Without `ramp` the style weight is whole from the start, for a network that has learned already.
    """
    rise = min(1.0, max(progress, 1e-3) / WARMUP)
    fall = 0.5 + 0.5 * math.cos(math.pi * min(1.0, progress))
    rate = peak * rise * (LOWEST_RATE + (1.0 - LOWEST_RATE) * fall)
    return Pace(rate, FIRST_STYLE ** max(0.0, 1.0 - progress / RAMP) if ramp else 1.0)


def spread_rows(
    key: PRNGKeyArray, shares: Float[Array, " rows"], batch: int
) -> Int[Array, " batch"]:
    """Rows for a batch: each as often as its share says, but for the rounding, which is random."""
    places = (jnp.arange(batch) + jax.random.uniform(key)) / batch
    ends = jnp.cumsum(shares) / jnp.sum(shares)
    return jnp.minimum(jnp.searchsorted(ends, places, side="right"), len(shares) - 1)


def grown_parameters(parameters: Parameters, styles: int) -> Parameters:
    """The parameters with as many more styles, each of which begins as the mean of those there."""

    def grown(table: Array) -> Array:
        table = jnp.asarray(table)
        return jnp.concatenate([table, jnp.repeat(table[1:].mean(0)[None], styles, axis=0)])

    # Convolutions have names of their own inside; all else is tables of styles.
    return {
        name: leaf if isinstance(leaf, Mapping) else grown(leaf)
        for name, leaf in parameters.items()
    }


def _only_new_styles(parameters: Parameters, kept: int) -> Parameters:
    """The same numbers, of which only those of the rows from `kept` on have a gradient."""
    stop = jax.lax.stop_gradient
    return {
        name: stop(leaf)
        if isinstance(leaf, Mapping)
        else jnp.concatenate([stop(leaf[:kept]), leaf[kept:]])
        for name, leaf in parameters.items()
    }


def training_step(
    objective: Objective, painter: Painter, *, batch: int, size: int, kept_rows: int = 0
) -> Step:
    """The step on batches of square crops. It draws what is random from the key and its number.

    With `kept_rows` the first so many rows of the tables, and all convolutions, stay as they are.
    """

    def loss(
        parameters: Parameters, aims: Aims, crops: Array, mixtures: Array
    ) -> tuple[Scalar, Judgment]:
        if kept_rows:
            parameters = _only_new_styles(parameters, kept_rows)
        each = lambda crop, mixture: painting_loss(
            objective, painter, parameters, aims, crop, mixture
        )
        judgments = jax.vmap(each)(crops, mixtures)
        return jnp.mean(judgments.loss), judgments

    def step(
        state: TrainingState,
        aims: Aims,
        tiles: Tiles,
        key: PRNGKeyArray,
        shares: Float[Array, " rows"],
        pace: Pace,
    ) -> tuple[TrainingState, StepReport]:
        style = pace.style * aims.weights.style_weight
        aims = aims._replace(weights=aims.weights._replace(style_weight=style))
        cut, spread = jax.random.split(jax.random.fold_in(key, state.steps))
        crops = random_crops(cut, tiles, batch, size)
        rows = spread_rows(spread, shares, batch)
        mixtures = jax.nn.one_hot(rows, len(shares))
        gradient = jax.grad(loss, has_aux=True)
        slope, judgments = gradient(state.parameters, aims, crops, mixtures)
        length = gradient_length(slope)
        report = StepReport(rows, judgments, length)
        return advanced(state, slope, length, judgments.loss, pace.rate), report

    return step


def gradient_length(slope: PyTree) -> Scalar:
    """The Euclidean length of a gradient."""
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(slope)))


def advanced(
    state: TrainingState,
    slope: PyTree,
    length: Scalar,
    losses: Float[Array, " batch"],
    rate: Number,
) -> TrainingState:
    """The next state; the same one, but for the counters, where something is not finite."""
    finite = jnp.isfinite(length) & jnp.all(jnp.isfinite(losses))
    usual = jnp.where(state.steps > 0, state.length, length)
    shorten = jnp.minimum(1.0, LONGEST_GRADIENT * usual / jnp.maximum(length, 1e-12))
    slope = jax.tree.map(lambda each: shorten * each, slope)
    updates, adam = optimizer().update(slope, state.optimizer)
    parameters = jax.tree.map(lambda old, way: old - rate * way, state.parameters, updates)
    # Over fewer steps at the start, so that it forgets where training began.
    steps = state.steps.astype(jnp.float32)
    keep = jnp.minimum(AVERAGING, (1.0 + steps) / (10.0 + steps))
    mean = lambda old, new: keep * old + (1.0 - keep) * new
    moved = TrainingState(
        parameters,
        jax.tree.map(mean, state.average, parameters),
        adam,
        USUAL * usual + (1.0 - USUAL) * shorten * length,
        state.steps + 1,
        state.skipped,
    )
    stayed = state._replace(steps=state.steps + 1, skipped=state.skipped + 1)
    return jax.tree.map(lambda new, old: jnp.where(finite, new, old), moved, stayed)


class Validation(NamedTuple):
    """The objective, style by style, and the identity's squared difference of pixels."""

    styles: Float[Array, "styles photographs"]
    identity: Float[Array, " photographs"]
    painted: Float[Array, "rows photographs height width 3"]


def validate(
    objective: Objective,
    painter: Painter,
    parameters: Parameters,
    aims: Aims,
    photographs: Float[Array, "photographs height width 3"],
) -> Validation:
    """Paint photographs in the identity and the last styles, and judge them as `transfer` would."""
    styles = count_paintings(aims)

    def of_row(mixture: Float[Array, " rows"]) -> PyTree:
        def of_photograph(photograph: Image) -> tuple[Scalar, Image]:
            painted, _ = paint(painter, parameters, photograph, mixture)
            blend = jnp.where(mixture[0] > 0.0, 1.0 / styles, mixture[-styles:])
            return relative_objective(objective, aims, photograph, painted, blend), painted

        return jax.lax.map(of_photograph, photographs)

    rows = jnp.eye(painter.styles + 1)
    losses, painted = jax.lax.map(of_row, jnp.concatenate([rows[:1], rows[-styles:]]))
    identity = jnp.mean(jnp.square(painted[0] - photographs), axis=(1, 2, 3))
    return Validation(losses[1:], identity, painted)
