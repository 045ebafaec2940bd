"""Each thing in its place: what the matches of a photograph and its paintings ask of a picture.

Two things, both fixed before the solve (`Placement`). The statistics of a painting are re-weighted
by how often each of its positions was matched, so that they ask for nothing that has no place in
the photograph; and each position has features of its own to resemble, those of its match. How much
of either is asked for are weights (`LossWeights`), which are traced like all others.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stylejax.losses._look import Against, Aim
from stylejax.losses._reader import Beside, Seen
from stylejax.losses.matching import (
    PositionWeights,
    enlarged,
    nearest_positions,
    position_keys,
    searched_positions,
    unit_vectors,
    use_weights,
)
from stylejax.losses.moments import Moments
from stylejax.losses.targets import Placement, Regions, Targets
from stylejax.losses.weights import LossWeights, Number
from stylejax.networks.layers import Layer
from stylejax.types import FeatureMap, Features, Scalar

_STRIDES = (2, 8)
"""Of the layers that are matched: the finest have too many positions, the coarsest too few."""
_MATCHED_LAYERS = 2
_BLEND_BONUS = 0.05
"""Of several blended paintings the similarity counts, and this times the logarithm of the share:
cosines of matches differ by about as much from painting to painting."""
_MASK_BONUS = 0.1
"""Likewise of a style picture's mask, whose black positions are not to be matched."""
_BLACK = 1e-6
_FLOOR = 1e-3
"""Of the root mean square of a painting's features: below it they have hardly a direction."""


class Found(NamedTuple):
    """A painting's matched features by layer, their similarity, and how often positions were used.

    `used` are weights of the positions of the finest matched layer.
    """

    features: Mapping[str, FeatureMap]
    similarity: Mapping[str, Float[Array, "_ _"]]
    used: PositionWeights


def matched_layers(layers: Mapping[str, Layer]) -> tuple[str, ...]:
    """Which of the style layers are matched, finest first: the two deepest of medium stride."""
    shallow, deep = _STRIDES
    medium = [name for name, layer in layers.items() if shallow <= layer.stride <= deep]
    deepest = sorted(medium or layers, key=lambda n: (layers[n].stride, layers[n].receptive_field))
    return tuple(deepest[-_MATCHED_LAYERS:])


def match_painting(
    names: Sequence[str],
    content: Features,
    style: Features,
    share: Float[Array, "_ _"] | None = None,
    allowed: Float[Array, "_ _"] | None = None,
) -> Found:
    """Match each position of a photograph with one of a painting, at each layer.

    All layers are searched by the same keys, so that they agree; a coarser layer's positions by
    the mean of the keys that they cover.

    Args:
        names: of the matched layers, finest first.
        content: their maps of the photograph.
        style: their maps of the painting.
        share: how much each position of the photograph counts, on the finest layer's grid.
        allowed: 0 where positions of the painting are not to be matched, likewise.
    """
    queries = position_keys([content[name] for name in names])
    keys = position_keys([style[name] for name in names])
    (height, width), size = style[names[0]].shape[:2], keys.shape[-1]
    at = searched_positions(height * width)
    keys, bonus = keys.reshape(-1, size)[at], None
    if allowed is not None:
        bonus = _MASK_BONUS * jnp.log(allowed.reshape(-1)[at] / jnp.max(allowed) + _BLACK)
    features, similarity, used = {}, {}, None
    for name in names:
        rows, columns, channels = content[name].shape
        wanted = unit_vectors(enlarged(queries, rows, columns)).reshape(-1, size)
        index, found = nearest_positions(wanted, keys, bonus)
        flat = enlarged(style[name], height, width).reshape(-1, channels)
        features[name] = flat[at][index].reshape(rows, columns, channels)
        similarity[name] = found.reshape(rows, columns)
        if used is None:
            counted = jnp.ones(len(index)) if share is None else share.reshape(-1)
            used = use_weights(jnp.asarray(at)[index], counted, height, width)
    assert used is not None
    return Found(features, similarity, used)


def find_placement(
    names: Sequence[str],
    content: Seen,
    styles: Sequence[Seen],
    regions: Regions | None,
    of_styles: Sequence[Beside],
    weighted: Callable[[int, PositionWeights], Mapping[str, Moments]],
) -> Placement | None:
    """The matches of a content picture with each style picture; None where no layer is matched.

    Args:
        names: of the matched layers, finest first.
        content: what was seen of the content picture, the matched layers' maps among it.
        styles: likewise.
        regions: where each style goes, where they do not all go everywhere.
        of_styles: the masks of the style pictures on each layer's grid, empty where there is none.
        weighted: the moments of a style picture, by its number, with its positions weighted.
    """
    if not names:
        return None
    match = jax.jit(partial(match_painting, names))
    found, moments = [], []
    for number, (style, allowed) in enumerate(zip(styles, of_styles, strict=True)):
        share = regions.weights[names[0]][..., number] if regions else None
        inside = allowed[names[0]][..., 0] if allowed else None
        found.append(match(content.maps, style.maps, share, inside))
        moments.append(weighted(number, found[-1].used))
    stacked = lambda each: jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
    return Placement(
        stacked([each.features for each in found]),
        stacked([each.similarity for each in found]),
        # The moments have an axis of one region already.
        jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *moments),
    )


def compared_with(targets: Targets, weights: LossWeights) -> Against:
    """What each position of a picture is compared with."""
    root = lambda mask: jnp.sqrt(1.0 + (weights.keep_weight - 1.0) * mask)
    emphasis = {name: root(mask) for name, mask in (targets.keep or {}).items()}
    aims, placement = {}, targets.placement
    if placement is not None:
        for name in placement.features:
            style = targets.style[name]
            aims[name] = layer_aim(placement, style, name, weights.style_blend, targets.regions)
    return Against(targets.content, emphasis, aims)


def mean_mismatch(sums: Mapping[str, Scalar], grids: Mapping[str, tuple[int, int]]) -> Scalar:
    """The mean over positions and layers of what `matched_distance` has summed up."""
    means = [total / math.prod(grids[name]) for name, total in sums.items()]
    return jnp.mean(jnp.stack(means))


def placed_moments(targets: Targets, name: str, share: Number) -> Moments:
    """A layer's moments of all paintings, a share of which is that of the matched positions."""
    if targets.placement is None:
        return targets.style[name]
    mix = lambda everywhere, used: (1.0 - share) * everywhere + share * used
    return jax.tree.map(mix, targets.style[name], targets.placement.moments[name])


def _chosen(
    placement: Placement, name: str, blend: Float[Array, " styles"], regions: Regions | None
) -> Float[Array, "styles height width"]:
    """How much each painting's match counts at each position."""
    similarity = placement.similarity[name]
    if regions is not None:
        weights = jnp.moveaxis(regions.weights[name], -1, 0)
        inside = weights / jnp.max(weights, axis=(1, 2), keepdims=True)
        heaviest = jax.nn.one_hot(jnp.argmax(inside, axis=0), len(inside), axis=0)
        return heaviest * inside * (len(blend) * blend)[:, None, None]
    shares = jnp.log(blend)[:, None, None]
    return jax.nn.one_hot(
        jnp.argmax(similarity + _BLEND_BONUS * shares, axis=0), len(blend), axis=0
    )


def layer_aim(
    placement: Placement,
    style: Moments,
    name: str,
    blend: Float[Array, " styles"],
    regions: Regions | None = None,
) -> Aim:
    """What a layer's features are to resemble, position by position.

    Of several blended paintings each position has the best match of all, heavier paintings before
    lighter ones: the mean of unlike matches would be gray. Of regions each has its own painting's.

    Args:
        placement: the matches.
        style: the layer's moments of all paintings.
        name: the layer's.
        blend: the paintings' weights, with a sum of 1.
        regions: where each painting goes, where they do not all go everywhere.
    """
    mixed = jax.tree.map(lambda each: jnp.tensordot(blend, each, axes=1), style)
    directions = unit_vectors(placement.features[name] - mixed.mean)
    if len(blend) > 1 or regions is not None:
        chosen = _chosen(placement, name, blend, regions)
        directions = jnp.einsum("shw,shwc->hwc", chosen, directions)
    else:
        directions = directions[0]
    floor = _FLOOR * jnp.sqrt(jnp.trace(mixed.gram))
    return Aim(directions, mixed.mean, floor)
