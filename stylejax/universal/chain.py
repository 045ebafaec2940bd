"""From a picture and styles to the restyled picture, as pure functions of arrays.

Level by level, from the deepest: the picture is encoded up to the level, its features are given the
style's statistics and decoded, and what comes out is the next level's picture; at the end its
pixels are given the style's colors (Li et al. (2017), figure 2: coarse to fine).

What the decoders lose of a picture is added back where it is not to be transformed, and in part
where `detail` says so. So nothing that is transformed nowhere changes, whatever the decoders lose.

Pictures are height x width x 3 in [0, 1]. Feature maps are in units of the decoders' deviations.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from stylejax.networks.features import feature_extractor
from stylejax.transfer.parameterization import bounded
from stylejax.types import Image, OtherImage, Scalar, Variables
from stylejax.universal.decoders import LEVELS, STRIDES, run_block
from stylejax.universal.options import LEVEL_NAMES, Mixture, Solver, Transform
from stylejax.universal.statistics import Statistics, Sums, add_rows, feature_statistics
from stylejax.universal.transforms import barycenter, linear_map

PIXELS = LEVEL_NAMES[-1]

Style = Mapping[str, Statistics]
"""The statistics of one style at each level, or of several with a leading axis; in the encoder's
own units, so that they do not depend on the decoders."""
Map = Float[Array, "height width channels"]
Scale = Float[Array, " channels"] | Float[np.ndarray, " channels"]
Shares = Float[Array, "styles _ _"]


class Networks(NamedTuple):
    """The numbers of the encoder and of the decoders: pytrees."""

    encoder: Variables
    decoders: Variables
    deviations: Variables


class Controls(NamedTuple):
    """What may be changed, swept and differentiated without compiling anew.

    `alphas` is how far the features go at each level, `detail` how much of what the decoders lose
    of the picture comes back even where all of it is transformed. `shares` says at each level how
    much of each style a position takes, styles x height x width, or styles x 1 x 1 for the same
    everywhere; they sum to 1 or less, and the rest of a position stays as it is. `regions` weighs
    the positions for the content's statistics: those of each style, or one for all. `blend` mixes
    the barycenter.
    """

    alphas: Float[Array, "4"]
    shares: Mapping[str, Shares]
    regions: Mapping[str, Shares]
    blend: Float[Array, " styles"]
    ridge: Float[Array, ""]
    detail: Float[Array, ""]


class Structure(NamedTuple):
    """What is fixed when the program is compiled."""

    levels: tuple[str, ...] = LEVEL_NAMES
    """The levels to transform, from the deepest; others are left out."""
    transform: Transform = "transport"
    mixture: Mixture = "maps"
    solver: Solver = "products"
    residuals: bool = True
    """Whether to add back what the decoders lose: not needed where `detail` is 0 and the shares sum
    to 1. It takes a second run of the decoders."""


class LevelMap(NamedTuple):
    """The affine maps of a level: x -> linear (x - own) + mean, for each style."""

    linear: Float[Array, "styles channels channels"]
    own: Float[Array, "regions channels"]
    mean: Float[Array, "styles channels"]


_extract = feature_extractor(LEVELS)
_extract_one = {level: feature_extractor((level,)) for level in LEVELS}


def encoded(level: str, networks: Networks, picture: OtherImage) -> Map:
    """The features of a level in units of deviations; of the last level, the picture itself."""
    if level == PIXELS:
        return jnp.asarray(picture)
    maps = _extract_one[level](networks.encoder, jnp.asarray(picture))
    return maps[level] / networks.deviations[level]


def decoded(level: str, networks: Networks, features: Map, like: OtherImage) -> OtherImage:
    """The picture of a level's features in units of deviations; it has the size of another one."""
    x = features[None]
    for name in LEVELS[LEVELS.index(level) :]:
        finer = STRIDES[name] // 2
        rows, columns = (-(-length // finer) for length in like.shape[:2])
        x = run_block(name, networks.decoders[name], x)
        x = x[:, :rows, :columns]
    return x[0]


def picture_style(
    encoder: Variables, picture: OtherImage, weights: Mapping[str, Float[Array, "_ _"]]
) -> dict[str, Statistics]:
    """The statistics of a style picture at each level; `weights` of its positions, likewise."""
    picture = jnp.asarray(picture)
    maps = {**_extract(encoder, picture), PIXELS: picture}
    return {level: feature_statistics(maps[level], weights[level]) for level in LEVEL_NAMES}


def _in_deviations(statistics: Statistics, deviations: Scale) -> Statistics:
    scaled = statistics.covariance / deviations[:, None] / deviations
    return statistics._replace(mean=statistics.mean / deviations, covariance=scaled)


def level_map(
    level: str,
    networks: Networks,
    content: Statistics,
    styles: Style,
    controls: Controls,
    structure: Structure,
) -> LevelMap:
    """The maps of a level from the content's statistics there (with an axis of regions)."""
    own = styles[level]
    if level != PIXELS:
        own = _in_deviations(own, networks.deviations[level])
    given: Variables = {"ridge": controls.ridge, "solver": structure.solver}
    if structure.mixture == "barycenter":
        middle = barycenter(own, controls.blend, **given)
        # Each style's share of a position takes the same middle.
        count = len(controls.blend)
        own = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), middle)
    make = partial(linear_map, transform=structure.transform, **given)
    if len(content.mean) == 1:
        content = jax.tree.map(lambda leaf: leaf[0], content)
        linear = jax.vmap(partial(make, content))(own)
        return LevelMap(linear, content.mean[None], own.mean)
    return LevelMap(jax.vmap(make)(content, own), content.mean, own.mean)


def _moved(x: Map, maps: LevelMap, shares: Shares) -> Map:
    """The sum over styles of share times mapped features."""
    dot = partial(jnp.matmul, precision=lax.Precision.HIGHEST)
    if shares.shape[1:] == (1, 1) and len(maps.own) == 1:
        weights = shares[:, 0, 0]
        linear = jnp.tensordot(weights, maps.linear, axes=1)
        return dot(x - maps.own[0], linear.T) + weights @ maps.mean
    each = [
        shares[number][..., None]
        * (dot(x - maps.own[number % len(maps.own)], linear.T) + maps.mean[number])
        for number, linear in enumerate(maps.linear)
    ]
    return sum(each[1:], each[0])


def apply_level(level: str, x: Map, maps: LevelMap, shares: Shares, alpha: Scalar) -> Map:
    """The features of a level, transformed as far as alpha and the shares go."""
    moved = _moved(x, maps, shares)
    total = jnp.sum(shares, axis=0)[..., None]
    if level == PIXELS:
        # Colors out of range are bent back smoothly; a clipped picture shows flat patches.
        moved = total * bounded(moved / jnp.maximum(total, 1e-6))
    return x + alpha * (moved - total * x)


def _enlarged(share: Float[Array, "_ _"], stride: int, like: OtherImage) -> Float[Array, "_ _ 1"]:
    if share.shape == (1, 1):
        return share[..., None]
    share = jnp.repeat(jnp.repeat(share, stride, axis=0), stride, axis=1)
    return share[: like.shape[0], : like.shape[1], None]


def level_features(
    level: str, networks: Networks, picture: OtherImage, regions: Shares
) -> tuple[Map, Statistics]:
    """The picture's features at a level, and their statistics with a leading axis of regions."""
    features = encoded(level, networks, picture)
    return features, jax.vmap(feature_statistics, in_axes=(None, 0))(features, regions)


def add_strip(level: str, networks: Networks, sums: Sums, picture: Image, regions: Shares) -> Sums:
    """The sums of a level with a strip of the picture added; all have a leading axis of regions."""
    features = encoded(level, networks, picture)
    return jax.vmap(add_rows, in_axes=(0, None, 0))(sums, features, regions)


def level_result(
    level: str,
    networks: Networks,
    picture: Image,
    features: Float[Array, "_ _ channels"],
    maps: LevelMap,
    controls: Controls,
    structure: Structure,
) -> Image:
    """The picture with its features of a level transformed by given maps.

    Args:
        level: one of `LEVEL_NAMES`.
        networks: see there.
        picture: the last level's result.
        features: its own, of `encoded`.
        maps: of `level_map`.
        controls: see there.
        structure: see there.
    """
    alpha, shares = controls.alphas[LEVEL_NAMES.index(level)], controls.shares[level]
    changed = apply_level(level, features, maps, shares, alpha)
    if level == PIXELS:
        return jnp.clip(changed, 0.0, 1.0)
    found = decoded(level, networks, changed, picture)
    if not structure.residuals:
        return found
    lost = picture - decoded(level, networks, features, picture)
    changed_share = (1.0 - controls.detail) * jnp.sum(shares, axis=0)
    kept = _enlarged(1.0 - changed_share, STRIDES[level], found)
    return jnp.clip(found + kept * lost, 0.0, 1.0)


def restyled(
    networks: Networks,
    picture: Image,
    styles: Style,
    controls: Controls,
    structure: Structure = Structure(),  # noqa: B008
) -> Image:
    """The picture with the styles' statistics.

    Args:
        networks: encoder and decoders.
        picture: height x width x 3 in [0, 1].
        styles: statistics with a leading axis of styles.
        controls: see there.
        structure: see there.

    Returns:
        height x width x 3 in [0, 1].
    """
    x = jnp.asarray(picture)
    for level in structure.levels:
        features, own = level_features(level, networks, x, controls.regions[level])
        maps = level_map(level, networks, own, styles, controls, structure)
        x = level_result(level, networks, x, features, maps, controls, structure)
    return x
