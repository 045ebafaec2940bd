"""Mean and covariance of feature maps, in one piece or row by row.

Feature maps are height x width x channels, in any unit; statistics are means over positions.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from stylejax.types import FeatureMap

SMALLEST = 1e-12
"""What a sum of weights or a ridge is at least: a map that is one color has no eigenvalue."""
_ROWS_AT_ONCE = 8
"""Rows whose sums are made together: accelerators would start too many small programs."""

exact_product = partial(jnp.matmul, precision=lax.Precision.HIGHEST)
"""In full float32: the products of reduced precision that accelerators use spoil the roots."""


class Statistics(NamedTuple):
    """Mean and covariance of the channels over positions, and of how many positions.

    With weights that sum to 1, `positions` is 1 over the sum of their squares (Kish's effective
    sample size).
    """

    mean: Float[Array, "*styles channels"]
    covariance: Float[Array, "*styles channels channels"]
    positions: Float[Array, "*styles"]


class Sums(NamedTuple):
    """What the rows of a feature map come to that were seen so far; see `add_rows`.

    The sums of their weights and of the weights' squares, the mean, and the weighted sum of the
    products of what is centered.
    """

    weight: Float[Array, "*regions"]
    squares: Float[Array, "*regions"]
    mean: Float[Array, "*regions channels"]
    products: Float[Array, "*regions channels channels"]


def no_sums(channels: int) -> Sums:
    """Of no rows."""
    zero = jnp.zeros((), jnp.float32)
    return Sums(zero, zero, jnp.zeros(channels), jnp.zeros((channels, channels)))


def _row_sums(row: Float[Array, "width channels"], weights: Float[Array, " width"]) -> Sums:
    weight = jnp.sum(weights)
    mean = exact_product(weights, row) / jnp.maximum(weight, SMALLEST)
    centered = row - mean
    products = exact_product((weights[:, None] * centered).T, centered)
    return Sums(weight, jnp.sum(weights**2), mean, products)


def _joined(one: Sums, other: Sums) -> Sums:
    """Of both together (Chan, Golub, LeVeque, 1979): sums of squares would lose digits."""
    weight = one.weight + other.weight
    share = other.weight / jnp.maximum(weight, SMALLEST)
    apart = other.mean - one.mean
    between = one.weight * share * apart[:, None] * apart
    mean, squares = one.mean + share * apart, one.squares + other.squares
    return Sums(weight, squares, mean, one.products + (other.products + between))


def add_rows(sums: Sums, feature_map: FeatureMap, weights: Float[Array, "height width"]) -> Sums:
    """The sums with the rows of a map added, one after the other.

    One sum over all positions has an error of 1e-5 in float32, which the roots enlarge until it
    shows. Row by row, a map in parts comes to the very bits of the whole; rows of weight 0 change
    nothing, if they are finite.
    """

    def in_blocks(each: Array) -> Array:
        lacking = -len(each) % _ROWS_AT_ONCE
        padded = jnp.pad(each, ((0, lacking), *[(0, 0)] * (each.ndim - 1)))
        return padded.reshape(-1, _ROWS_AT_ONCE, *each.shape[1:])

    def add(sums: Sums, block: tuple[Array, Array]) -> tuple[Sums, None]:
        rows = jax.vmap(_row_sums)(*block)
        for number in range(_ROWS_AT_ONCE):
            sums = _joined(sums, jax.tree.map(lambda leaf, n=number: leaf[n], rows))
        return sums, None

    return lax.scan(add, sums, (in_blocks(feature_map), in_blocks(weights)))[0]


def from_sums(sums: Sums) -> Statistics:
    """The statistics of all rows that were added; of none, mean and covariance are 0."""
    weight = jnp.maximum(sums.weight, SMALLEST)
    positions = sums.weight**2 / jnp.maximum(sums.squares, SMALLEST)
    return Statistics(sums.mean, sums.products / weight[..., None, None], positions)


def feature_statistics(
    feature_map: FeatureMap, weights: Float[Array, "height width"] | None = None
) -> Statistics:
    """Mean and covariance of a feature map, of a region where weights are given.

    Args:
        feature_map: height x width x channels.
        weights: of the positions, not negative; they are divided by their sum. Positions that pad
            the map get 0. All 0 counts as no position: mean and covariance are 0.
    """
    height, width, channels = feature_map.shape
    weights = jnp.ones((height, width)) if weights is None else weights
    return from_sums(add_rows(no_sums(channels), feature_map, weights))
