"""What is asked of decoders in a step of their training.

Half of a batch is to be given back as it is, from each of the three taps. The other half enters at
a tap with its features transformed as a transfer does; the decoded picture, encoded again, must
have the statistics of the transformed features at this tap and at all others, and resemble them.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from stylejax.universal.decoders import LEVELS, run_block
from training.decoder_features import (
    Batch,
    Frozen,
    encode,
    encoded_again,
    in_deviations,
    in_pixels,
    statistics,
    taken,
    transformed,
)

DEEP, MIDDLE, SHALLOW = LEVELS

_LEAST_PIXELS, _LEAST_FEATURES = 1e-4, 0.05
"""Added to squared errors before their logarithm."""
_LEAST_DISTANCE = 0.02
"""Of a photograph from a style, as a share of the style's own squares, or of the channels' number
where that is more: windows of one color have no squares, and any error would be infinitely far."""

Parameters = Mapping[str, Any]


class Weights(NamedTuple):
    """How much the logarithm of each error counts."""

    pixels: tuple[float, float, float] = (0.3, 0.3, 0.1)
    """From the deepest tap to the shallowest."""
    features: float = 0.1
    style: float = 0.5
    kept: float = 0.1


class Batches(NamedTuple):
    """Windows to give back and windows to transform, and how.

    `plain` is windows x height x width x 3; `content` is groups x windows x height x width x 3, a
    group all of one photograph. `pair` is the number of each group's pair in the bank; `deepest` is
    1 where a group enters at the deepest tap, 0 where at the next. (At the shallowest all enter.)
    """

    plain: Any
    content: Any
    pair: Any
    deepest: Any


def _square_error(a: Array, b: Array) -> Array:
    return jnp.mean(jnp.square(a - b))


def _log_error(a: Batch, b: Batch, least: float) -> Array:
    """The mean over a batch of the logarithm of the squared error.

    So a decibel counts the same in an even picture as in one of great contrast.
    """
    return jnp.mean(jnp.log(jnp.mean(jnp.square(a - b), axis=(1, 2, 3)) + least))


class Ways(NamedTuple):
    """Pictures that the chain gives: from each tap, deepest first; styled; and those entered last.

    `features` are the errors of what the chain predicts of the plain windows' features.
    """

    plain: list[Array]
    styled: Array
    polished: Array
    features: list[Array]


def _ways(parameters: Parameters, whole: Any, asked: Any, deepest: Array) -> Ways:
    """All ways through the chain; each block runs once, on everything that enters it."""
    block = lambda name, *parts: jnp.split(
        run_block(name, parameters[name], jnp.concatenate(parts)),
        np.cumsum([len(part) for part in parts])[:-1],
    )
    from_deep, middle = block(DEEP, whole[DEEP], asked[DEEP])
    middle = jnp.where(deepest[:, None, None, None], middle, asked[MIDDLE])
    from_middle, then_deep, shallow = block(MIDDLE, whole[MIDDLE], from_deep, middle)
    parts = then_deep, from_middle, whole[SHALLOW], shallow, asked[SHALLOW]
    *plain, styled, polished = block(SHALLOW, *parts)
    predicted = ((from_deep, MIDDLE), (then_deep, SHALLOW), (from_middle, SHALLOW))
    errors = [_log_error(x, whole[name], _LEAST_FEATURES) for x, name in predicted]
    return Ways(plain, styled, polished, errors)


def _style_errors(maps: Any, asked: Any, content: Any) -> dict[str, Array]:
    """Distances of a group's covariances and means to those asked for.

    1 is as far as the photograph.
    """

    def share(ours: Array, theirs: Array, before: Array) -> Array:
        square = lambda x: jnp.sum(jnp.square(x))
        least = _LEAST_DISTANCE * jnp.maximum(square(theirs), theirs.shape[-1])
        far = jnp.maximum(square(before - theirs), least)
        return square(ours - theirs) / far

    errors = {}
    for name, x in maps.items():
        given = zip(*(statistics(each[name])[:2] for each in (content, asked)), strict=True)
        shares = [
            share(ours, theirs, before)
            for ours, (before, theirs) in zip(statistics(x)[:2], given, strict=True)
        ]
        errors[name] = sum(shares) / 2.0
    return errors


def loss(
    parameters: Parameters, frozen: Frozen, batch: Batches, weights: Weights
) -> tuple[Array, dict[str, Array]]:
    """The sum of all errors, and each of them by name."""
    of_groups = batch.content.reshape(-1, *batch.content.shape[2:])
    pictures = jnp.concatenate([batch.plain, of_groups]).astype(jnp.float32) / 255.0
    maps = jax.lax.stop_gradient(in_deviations(encode(frozen.encoder, pictures), frozen.deviations))
    count, (groups, windows) = len(batch.plain), batch.content.shape[:2]
    grouped = partial(jax.tree.map, lambda x: x.reshape(groups, windows, *x.shape[1:]))
    flat = partial(jax.tree.map, lambda x: x.reshape(groups * windows, *x.shape[2:]))
    whole = {name: x[:count] for name, x in maps.items()}
    content = grouped({name: x[count:] for name, x in maps.items()})
    asked = jax.vmap(transformed)(content, taken(frozen.pairs, batch.pair))
    ways = _ways(parameters, whole, flat(asked), jnp.repeat(batch.deepest, windows))
    pixels = [_log_error(picture, in_pixels(whole), _LEAST_PIXELS) for picture in ways.plain]
    again = partial(encoded_again, frozen.encoder, frozen.deviations)
    styled, polished = grouped(again(ways.styled)), grouped(again(ways.polished, (SHALLOW,)))
    style = jax.vmap(_style_errors)
    errors = {f"style {name}": x for name, x in style(styled, asked, content).items()}
    errors |= {f"polished {name}": x for name, x in style(polished, asked, content).items()}
    square = jax.vmap(_square_error)
    kept = {
        "kept": jnp.where(
            batch.deepest, square(styled[DEEP], asked[DEEP]), square(styled[MIDDLE], asked[MIDDLE])
        ),
        "kept last": square(polished[SHALLOW], asked[SHALLOW]),
    }
    total = jnp.dot(jnp.stack(pixels), jnp.asarray(weights.pixels))
    total += weights.features * sum(ways.features)
    # The logarithm keeps a picture that is far off from drowning the rest.
    bounded = lambda errors: sum(jnp.mean(jnp.log1p(error)) for error in errors.values())
    total += weights.style * bounded(errors) + weights.kept * bounded(kept)
    decibels = {
        f"pixels {name}": -10.0 * x / jnp.log(10.0) for name, x in zip(LEVELS, pixels, strict=True)
    }
    named = {"features": sum(ways.features), "total": total}
    return total, decibels | jax.tree.map(jnp.mean, errors | kept) | named
