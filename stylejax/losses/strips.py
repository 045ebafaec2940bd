"""A large picture in strips of rows, one after the other, for the memory of one of them.

Each strip is cut out with a halo of rows that reaches as far as the deepest layer sees, so that its
own rows of every feature map are those of the whole picture, and only these count. Sums over
positions (Gram matrices, means, squared distances) are added up strip by strip. For the gradient
each strip is run forward again, so no strip's feature maps are held while another is at work. It is
exact but for the order of additions.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PyTree

from stylejax.networks.layers import Layer


class Cut(NamedTuple):
    """How many rows a layer's map has, of the whole picture and of one cut, and its stride."""

    height: int
    rows: int
    stride: int


class Strips(NamedTuple):
    """How pictures are cut; structure only, all in pixels.

    `rows` of a strip's own (0 for all), and `halo` rows on either side of them: both multiples of
    `stride`, the deepest layer's.
    """

    rows: int = 0
    halo: int = 0
    stride: int = 1

    def cut(self, height: int, stride: int) -> Cut:
        """The cut of a layer of some stride (1: of the picture itself).

        It has the rows of a strip and two halos, and a few more so that the last cut can both begin
        at a multiple of the stride and end with the picture; or all rows where there are no more.
        """
        length = self.rows + 2 * self.halo
        length += (height - length) % self.stride
        length = length if 0 < self.rows and length < height else height
        return Cut(-(-height // stride), -(-length // stride), stride)

    def count(self, height: int) -> int:
        """How many strips a picture of this height is cut into."""
        return 1 if self.cut(height, 1).rows == height else -(-height // self.rows)


def make_strips(rows: int, receptive_field: int, stride: int) -> Strips:
    """Strips of about this many rows, for layers with this receptive field."""
    up = lambda pixels: -(-pixels // stride) * stride
    return Strips(up(rows), up(receptive_field // 2 + stride), stride)


def layer_strips(rows: int, layers: Collection[Layer]) -> Strips:
    """Strips of about this many rows for a network that is looked at in these layers."""
    field = max(layer.receptive_field for layer in layers)
    return make_strips(rows, field, max(layer.stride for layer in layers))


Rows = Float[Array, "_ _ _"] | Float[np.ndarray, "_ _ _"]


class Strip(NamedTuple):
    """One of them, in pixels: where its cut starts, its first row, and the first after it."""

    start: Int[Array, "*strips"]
    first: Int[Array, "*strips"]
    end: Int[Array, "*strips"]

    def cut(self, rows: Rows, cut: Cut) -> Float[Array, "_ _ _"]:
        """The strip's cut of a picture, or of a map."""
        return lax.dynamic_slice_in_dim(rows, self.start // cut.stride, cut.rows)

    def is_own(self, cut: Cut) -> Bool[Array, " rows"]:
        """Which rows of a cut are the strip's own."""
        row = self.start // cut.stride + jnp.arange(cut.rows)
        # The last strip ends with the picture, which may be no multiple of the stride.
        return (row >= self.first // cut.stride) & (row < -(-self.end // cut.stride))

    def own(self, rows: Float[Array, "_ _ _"], cut: Cut) -> Float[Array, "_ _ _"]:
        """A cut with 0 outside of the strip's own rows."""
        return jnp.where(self.is_own(cut)[:, None, None], rows, 0.0)


def list_strips(cuts: Strips, height: int) -> Strip:
    """The strips of a picture, as arrays with a leading axis."""
    count = cuts.count(height)
    # Where a cut reaches both ends of the picture there is no other: all rows are its own.
    rows = cuts.rows if count > 1 else height
    first = jnp.arange(count) * rows
    # Cuts at either end are moved into the picture: all of them have one shape.
    start = jnp.clip(first - cuts.halo, 0, height - cuts.cut(height, 1).rows)
    return Strip(start, first, jnp.minimum(first + rows, height))


def scan_strips(
    function: Callable[[Strip], tuple[PyTree, PyTree]], each: Strip
) -> tuple[PyTree, PyTree]:
    """Run a function on all strips: the sum of its first result, and all of its second ones."""
    summed, _ = jax.eval_shape(function, jax.tree.map(lambda leaf: leaf[0], each))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), summed)

    def step(total: PyTree, strip: Strip) -> tuple[PyTree, PyTree]:
        # Run forward again for the gradient: the maps of one strip are held at a time.
        summed, kept = jax.checkpoint(function)(strip)
        return jax.tree.map(jnp.add, total, summed), kept

    return lax.scan(step, zeros, each)


def join_strips(
    each: Strip, maps: Float[Array, "strips rows width channels"], cut: Cut
) -> Float[Array, "height width channels"]:
    """A layer's map of the whole picture from the cuts of all strips."""
    own = jax.vmap(lambda strip: strip.is_own(cut))(each)
    # Their own rows, one strip after the other, are just those of the whole map.
    (at,) = jnp.nonzero(own.ravel(), size=cut.height)
    return maps.reshape(-1, *maps.shape[2:])[at]
