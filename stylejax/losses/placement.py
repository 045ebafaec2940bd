"""Each thing in its place: what the matches of a photograph and its paintings ask of a picture.

Each position of the photograph is matched, once and before the solve, with one of a painting, and
has features of its own to resemble from then on, those of its match (`Placement`); and it is to be
as busy as the painting is where as much of that is calmer (`stylejax.losses.energy`). How much each
counts beside content and style is a weight (`LossWeights`), which is traced like all others.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from stylejax.losses._look import Against, Aim
from stylejax.losses._reader import Beside
from stylejax.losses.energy import energy_distance, placed_energy
from stylejax.losses.matching import (
    enlarged,
    nearest_positions,
    position_keys,
    searched_positions,
    unit_vectors,
)
from stylejax.losses.moments import Moments
from stylejax.losses.targets import Call, Placement, Regions, Targets, View, just_call
from stylejax.losses.weights import LossWeights
from stylejax.networks.layers import Layer
from stylejax.types import OtherImage, Scalar

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


def matched_layers(layers: Mapping[str, Layer]) -> tuple[str, ...]:
    """Which of the style layers are matched, finest first: the two deepest of medium stride."""
    shallow, deep = _STRIDES
    medium = [name for name, layer in layers.items() if shallow <= layer.stride <= deep]
    deepest = sorted(medium or layers, key=lambda n: (layers[n].stride, layers[n].receptive_field))
    return tuple(deepest[-_MATCHED_LAYERS:])


def match_painting(
    names: tuple[str, ...],
    content: View,
    style: View,
    allowed: Float[Array, "_ _"] | None = None,
    region: Float[Array, "_ _"] | None = None,
) -> Placement:
    """Match each position of a photograph with one of a painting, at each layer.

    All layers are searched by the same keys, so that they agree; a coarser layer's positions by
    the mean of the keys that they cover.

    Args:
        names: of the matched layers, finest first.
        content: the photograph.
        style: the painting.
        allowed: 0 where positions of the painting, on the grid of the finest layer, are not to be
            matched.
        region: how much each position of the photograph, on that grid, is the painting's to fill;
            all alike unless given.
    """
    queries, keys = (
        position_keys([each.features[name] for name in names]) for each in (content, style)
    )
    height, width, size = keys.shape
    at = searched_positions(height * width)
    keys, bonus = keys.reshape(-1, size)[at], None
    if allowed is not None:
        bonus = _MASK_BONUS * jnp.log(allowed.reshape(-1)[at] / jnp.max(allowed) + _BLACK)
    features, similarity = {}, {}
    for name in names:
        rows, columns, channels = content.features[name].shape
        wanted = unit_vectors(enlarged(queries, rows, columns)).reshape(-1, size)
        index, found = nearest_positions(wanted, keys, bonus)
        flat = enlarged(style.features[name], height, width).reshape(-1, channels)
        features[name] = flat[at][index].reshape(rows, columns, channels)
        similarity[name] = found.reshape(rows, columns)
    rows, columns, _ = content.features[names[0]].shape
    grids, inside = ((rows, columns), (height, width)), (region, allowed)
    energy, floor = placed_energy(content.image, style.image, *grids, inside)
    return Placement(features, similarity, energy, floor)


@cache
def _match_program(names: tuple[str, ...]) -> jax.stages.Wrapped:
    """`match_painting` at these layers, made once: a second picture of a size is not traced."""

    def match(*arguments: PyTree) -> Placement:
        # With the axis of paintings.
        return jax.tree.map(lambda leaf: leaf[None], match_painting(names, *arguments))

    # A program is known by its name: the layers belong to it.
    match.__name__ = "_".join(("match", *names))
    return jax.jit(match)


@jax.jit
def _join_paintings(found: list[Placement]) -> Placement:
    """The matches with several paintings in one, along their first axis."""
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *found)


def find_placement(
    names: tuple[str, ...],
    content: View,
    styles: Sequence[View],
    of_styles: Sequence[Beside],
    regions: Regions | None = None,
    call: Call = just_call,
) -> Placement | None:
    """The matches of a content picture with each style picture; None where no layer is matched.

    Args:
        names: of the matched layers, finest first.
        content: the content picture.
        styles: the style pictures.
        of_styles: the masks of the style pictures on each layer's grid, empty where there is none.
        regions: where each painting goes, where they do not all go everywhere.
        call: calls a jitted function, one for each size of picture.
    """
    if not names:
        return None
    inside = [masks[names[0]][..., 0] if masks else None for masks in of_styles]
    weights = None if regions is None else regions.weights[names[0]]
    fills = [None if weights is None else weights[..., n] for n in range(len(styles))]
    match, each_style = _match_program(names), zip(styles, inside, fills, strict=True)
    found = [call(match, content.of(names), style.of(names), *rest) for style, *rest in each_style]
    return found[0] if len(found) == 1 else call(_join_paintings, found)


def compared_with(targets: Targets, weights: LossWeights) -> Against:
    """What each position of a picture is compared with."""
    emphasis, aims, placement = {}, {}, targets.placement
    if targets.keep is not None and weights.keep_weight is not None:
        more = weights.keep_weight - 1.0
        emphasis = {name: jnp.sqrt(1.0 + more * mask) for name, mask in targets.keep.items()}
    if placement is not None and weights.placement_weight is not None:
        for name in placement.features:
            style = targets.style[name]
            aims[name] = layer_aim(placement, style, name, weights.style_blend, targets.regions)
    return Against(targets.content, emphasis, aims)


def mean_mismatch(sums: Mapping[str, Scalar], grids: Mapping[str, tuple[int, int]]) -> Scalar:
    """The mean over positions and layers of what `matched_distance` has summed up."""
    means = [total / math.prod(grids[name]) for name, total in sums.items()]
    return jnp.mean(jnp.stack(means))


def energy_mismatch(image: OtherImage, targets: Targets, blend: Float[Array, " styles"]) -> Scalar:
    """How far a picture's local energies are from those that `Placement` asks for, in the mean.

    Of several paintings each position has that of the one whose match it has.

    Raises:
        AssertionError: the targets were made without placement.
    """
    placement = targets.placement
    assert placement is not None
    energy, floor = placement.energy, jnp.dot(blend, placement.floor)
    if len(blend) == 1 and targets.regions is None:
        return energy_distance(image, energy[0], floor, jnp.ones(energy.shape[1:]))
    finest = next(n for n, found in placement.similarity.items() if found.shape == energy.shape)
    chosen = _chosen(placement, finest, blend, targets.regions)
    counts = jnp.sum(chosen, axis=0)
    asked = jnp.sum(chosen * energy, axis=0) / jnp.where(counts > 0.0, counts, 1.0)
    return energy_distance(image, asked, floor, counts)


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
