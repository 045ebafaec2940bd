"""The normalization after each convolution: what is measured, what is learned, how both meet.

Conditional instance normalization (Dumoulin, Shlens, Kudlur, A Learned Representation for Artistic
Style (2017), arXiv 1610.07629): each channel gets a deviation and a mean that are mixed from those
of the styles. Only positions on the picture are measured, none in the frame around it.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stylejax.feedforward.convolutions import folded
from stylejax.feedforward.geometry import Grid, Length, reflected

EPSILON = 1e-3
"""Added to variances. A hundred times the usual: where a photograph is flat, its noise would be
made as large as anything."""
DARKEST = 1.0 / 64.0
"""Black and white are taken for this far from the ends of [0, 1], where the sigmoid never comes."""

Mixture = Float[Array, " rows"] | Float[Array, "height width rows"]
"""How much of each row of scales and shifts is used: for all of the picture, or pixel by pixel.

Row 0 is the identity's, row n that of the nth style; they conventionally sum to 1.
"""


class Statistics(NamedTuple):
    """A map's mean and variance over the picture, channel by channel."""

    mean: Float[Array, " channels"]
    variance: Float[Array, " channels"]


AllStatistics = Mapping[str, Statistics]


class Tables(NamedTuple):
    """What a normalization has learned, row by row; `keeps` is that of the colors alone.

    `keeps` says how much of the photograph's own deviation and mean a row keeps.
    """

    scales: Float[Array, "rows channels"]
    shifts: Float[Array, "rows channels"]
    keeps: Float[Array, "rows 1"] | None = None


class Place(NamedTuple):
    """Where in the picture a map's positions are, and how the styles are mixed there.

    `first` is the first row of a map that is given, where it is part of a larger one.
    """

    mixture: Mixture
    height: Length
    width: Length
    first: Length = 0

    def shares(self, x: Array, grid: Grid, fold: int = 1) -> Float[Array, "rows columns fold 1"]:
        """1 where a position of a map is on the picture, 0 in the frame."""
        rows = grid.own(fold * x.shape[0], self.height, fold * self.first)
        columns = grid.own(fold * x.shape[1], self.width)
        apart = rows.reshape(-1, 1, fold, 1), columns.reshape(1, -1, 1, fold)
        return (apart[0] * apart[1]).reshape(*x.shape[:2], fold**2, 1)

    def statistics(self, x: Array, grid: Grid, fold: int = 1) -> Statistics:
        """Mean and variance over the positions on the picture."""
        share = self.shares(x, grid, fold) / (
            jnp.sum(grid.own(fold * x.shape[0], self.height))
            * jnp.sum(grid.own(fold * x.shape[1], self.width))
        )
        parts = x.reshape(*x.shape[:2], fold**2, -1)
        mean = jnp.sum(share * parts, axis=(0, 1, 2))
        return Statistics(mean, jnp.sum(share * jnp.square(parts - mean), axis=(0, 1, 2)))

    def mixed(self, table: Float[Array, "rows channels"], x: Array, grid: Grid, fold: int) -> Array:
        """The rows of a table mixed, for the whole map or for each of its positions."""
        mixture = self.mixture
        if mixture.ndim == 3:
            rows = reflected(grid.pixels(fold * x.shape[0], fold * self.first), self.height)
            columns = reflected(grid.pixels(fold * x.shape[1]), self.width)
            mixture = mixture[rows][:, columns]
        # A GPU would round the rows to 10 bits.
        mixed = jnp.matmul(mixture, table, precision="highest")
        if fold == 1:
            return mixed
        return folded(mixed) if mixed.ndim == 3 else jnp.tile(mixed, fold**2)

    def normalized(
        self,
        x: Array,
        grid: Grid,
        fold: int,
        tables: Tables,
        statistics: Statistics,
        palette: Statistics,
    ) -> Array:
        """The map with the mixture's mean and deviation in each channel.

        `palette` has means and, in place of the variances, deviations of the photograph's colors.
        """
        scale, shift = (self.mixed(table, x, grid, fold) for table in tables[:2])
        spread = lambda each: jnp.tile(each, fold**2)
        if tables.keeps is not None:
            keep = self.mixed(jnp.broadcast_to(tables.keeps, tables.scales.shape), x, grid, fold)
            scale = scale + keep * spread(palette.variance)
            shift = shift + keep * spread(palette.mean)
        scale = scale * spread(jax.lax.rsqrt(statistics.variance + EPSILON))
        shifted = shift - spread(statistics.mean) * scale
        return (x.astype(jnp.float32) * scale + shifted).astype(x.dtype)


def palette_of(statistics: Statistics) -> Statistics:
    """Mean and, in place of the variance, deviation of a photograph's colors as logits."""
    return Statistics(statistics.mean, jnp.sqrt(statistics.variance + EPSILON))


def color_logits(picture: Array) -> Array:
    """The colors as the last map has them, before the sigmoid."""
    colors = jnp.clip(picture.astype(jnp.float32), DARKEST, 1.0 - DARKEST)
    return jax.scipy.special.logit(colors)
