"""What a training of a network that enlarges runs, and how one goes on from another factor."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from stylejax.feedforward.training import TrainingState, state_from
from stylejax.networks.features import feature_extractor, folded_variables
from stylejax.runs.enlarger_request import EnlargerRequest
from stylejax.runs.photographs import Photographs
from stylejax.superresolution.start import fitted_tail
from stylejax.superresolution.training import (
    FEATURE_LAYERS,
    Judges,
    exact_crops,
    reduced_crops,
    training_step,
    typical_units,
)
from stylejax.weights.read import Weights

TILE = 3
"""Sides of the tiles of photographs over those of the large crops."""
SAMPLE = 16
"""Crops that typical units are the mean of."""
FITTED = 128
"""Crops that the last convolution is fitted to."""


class Programs(NamedTuple):
    """What a training runs, compiled, and what it runs them on."""

    exact: Any
    sharp: Any
    judges: Judges
    tiles: jax.Array


def fitted_state(
    request: EnlargerRequest, state: TrainingState, photographs: Photographs
) -> TrainingState:
    """The state with the last convolution fitted to a body that learned another factor."""
    key = jax.random.key(request.seed)
    large = request.factor * request.size
    crops = exact_crops(key, jnp.asarray(photographs.tiles), FITTED, large)
    small = reduced_crops(key, crops, request.factor)
    return state_from(fitted_tail(request.enlarger, state.parameters, small, crops))


def prepare_programs(
    request: EnlargerRequest, weights: Weights, photographs: Photographs, state: TrainingState
) -> Programs:
    """Compile the steps; the weights are the encoder's."""
    key = jax.random.key(request.seed)
    extract = feature_extractor(weights, FEATURE_LAYERS, precision=request.precision)
    variables = folded_variables(weights, FEATURE_LAYERS)
    large, tiles = request.factor * request.size, jnp.asarray(photographs.tiles)
    crops = exact_crops(key, tiles, SAMPLE, large)
    units = jax.jit(partial(typical_units, extract))(variables, crops)
    kept = 0.0 if request.preset == "johnson" else request.kept_pixels
    judges = Judges(variables, units, jnp.float32(request.feature_weight), jnp.float32(kept))

    def step(exact: bool) -> Any:
        pure = training_step(
            extract, request.enlarger, batch=request.batch, small=request.size, exact=exact
        )
        inputs = (state, judges, tiles, key, jnp.float32(0.0))
        return jax.jit(pure, donate_argnums=0).lower(*inputs).compile()

    return Programs(step(True), step(False), judges, tiles)
