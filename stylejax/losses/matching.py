"""Which position of a painting each position of a photograph is most like, and what to make of it.

Statistics of a whole picture do not say where anything goes: they stay the same when positions
change places. Matches do. Positions are compared by keys, the features of two layers side by side,
each centered by its own picture's mean and of unit length, so that the product of two keys is their
centered cosine: by squared distances busy positions, of large features, would outweigh calm ones.
The matches of a photograph are found once; all that a solve sees of them are fixed targets.
Sources: Kolkin, Salavon, Shakhnarovich, Style Transfer by Relaxed Optimal Transport and
Self-Similarity (2019), equation 5 (cosine); Kolkin et al., Neural Neighbor Style Transfer (2022),
arXiv 2203.13215, section 3 (centered features, matched once for a scale).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from stylejax.types import FeatureMap, Scalar

Keys = Float[Array, "positions keys"]

MOST_POSITIONS = 16384
"""Of a painting that has more positions, so many are searched: the cost stays linear in the
photograph. They are all the positions of a square painting of 512 px at stride 4."""
_ROWS = 1024
"""Positions of the photograph that are compared with all of the painting at a time."""
_SMALLEST = 1e-12


class Matches(NamedTuple):
    """For each of some positions the most similar one of another picture, and the similarity."""

    nearest: Int[Array, " positions"]
    similarity: Float[Array, " positions"]


def unit_vectors(
    vectors: Float[Array, "*positions channels"], floor: Scalar | float = 0.0
) -> Float[Array, "*positions channels"]:
    """Scaled to x / sqrt(|x|^2 + floor^2): of unit length far above the floor, and smooth at 0."""
    squares = jnp.sum(jnp.square(vectors), axis=-1, keepdims=True)
    # Not 0 / 0, nor an infinite slope, where a picture is even.
    return vectors * lax.rsqrt(squares + jnp.square(floor) + _SMALLEST)


def enlarged(
    feature_map: Float[Array, "_ _ channels"], height: int, width: int
) -> Float[Array, "{height} {width} channels"]:
    """A feature map brought to another grid: bilinear; means of what a coarser position covers."""
    shape = (height, width, feature_map.shape[-1])
    return jax.image.resize(feature_map, shape, "linear")


def position_keys(
    maps: Sequence[Float[Array, "_ _ _"]],
) -> Float[Array, "height width keys"]:
    """The keys of a picture's positions, of unit length, on the grid of the first map.

    The product of two of them is the mean of the maps' centered cosines.

    Args:
        maps: the picture's feature maps, finest first.
    """
    height, width = maps[0].shape[:2]
    centered = [each - jnp.mean(each, axis=(0, 1)) for each in maps]
    parts = [unit_vectors(enlarged(each, height, width)) for each in centered]
    return jnp.concatenate(parts, axis=-1) / math.sqrt(len(parts))


def nearest_positions(
    queries: Float[Array, "queries keys"],
    keys: Keys,
    bonus: Float[Array, " positions"] | None = None,
) -> Matches:
    """The key with the largest product with each query; of several the first.

    Block by block, so that no matrix of all pairs is held. In full float32 on every device: where
    two products are nearly the same, rounding would decide otherwise.

    Args:
        queries: of unit length.
        keys: likewise.
        bonus: is added to the products with each key.
    """
    rows = min(_ROWS, len(queries))
    padded = jnp.pad(queries, ((0, -len(queries) % rows), (0, 0)))

    def of_block(block: Float[Array, "rows keys"]) -> Matches:
        products = jnp.matmul(block, keys.T, precision=lax.Precision.HIGHEST)
        products = products if bonus is None else products + bonus
        largest = jnp.max(products, axis=-1)
        # In two sweeps of simple steps: by `argmax` it takes twice as long on a CPU.
        at = lax.broadcasted_iota(jnp.int32, products.shape, 1)
        is_largest = products == largest[:, None]
        return Matches(jnp.min(jnp.where(is_largest, at, len(keys) - 1), axis=-1), largest)

    found = lax.map(of_block, padded.reshape(-1, rows, queries.shape[-1]))
    return jax.tree.map(lambda each: each.reshape(-1)[: len(queries)], found)


def searched_positions(count: int) -> Int[np.ndarray, " searched"]:
    """Which of so many positions are searched: all, or a sample, the same one every time."""
    if count <= MOST_POSITIONS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MOST_POSITIONS, replace=False))


def matched_distance(
    feature_map: FeatureMap,
    directions: FeatureMap,
    center: Float[Array, " channels"],
    floor: Scalar,
) -> Scalar:
    """The sum over positions of 1 - the cosine of the features with their own direction.

    A direction of another length than 1 weighs its position by that length; so it is a sum over
    positions to which those with a direction of 0 add nothing.

    Args:
        feature_map: of the solved picture.
        directions: where each position's features are to point to, seen from `center`.
        center: the mean of the painting's features.
        floor: below which length, from the center, features have hardly a direction.
    """
    ours = unit_vectors(feature_map - center, floor)
    squares = jnp.sum(jnp.square(directions), axis=-1)
    # The slope of a root at 0 is infinite.
    lengths = jnp.where(squares > 0.0, jnp.sqrt(jnp.where(squares > 0.0, squares, 1.0)), 0.0)
    return jnp.sum(lengths - jnp.sum(ours * directions, axis=-1))
