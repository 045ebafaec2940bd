"""Where the positions of the painting network's maps lie in the picture, in pixels.

The picture is reflected once, into a frame as wide as the network looks, and from there on no
convolution pads: nothing at the border is made up. A map's position p lies at pixel
`start + stride * p`. Sizes may be traced numbers, so that a picture in the upper left corner of a
larger array (a bucket, for which a program exists already) comes out as it does alone.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from stylejax.feedforward.convolutions import Layer

STRIDE = 4
"""Of the innermost maps; the framed picture's sides are chosen for it."""
BEFORE, AFTER = 55, 52
"""Pixels of the frame above and below. What is lost at each convolution adds up to these, and
the first makes a position of every map lie on the picture's first pixel."""

Length = int | Int[Array, ""]


class Grid(NamedTuple):
    """The positions of a map along both axes: they start at the same pixel and are as dense."""

    start: int = -BEFORE
    stride: int = 1

    def after(self, layer: Layer) -> "Grid":
        """The positions after a convolution, which does not pad."""
        stride = self.stride // 2 if layer.enlarges else self.stride
        return Grid(self.start + stride * (layer.window // 2), stride * layer.step)

    def pixels(self, count: int, first: Length = 0) -> Int[Array, " count"]:
        """The pixels of some positions from the first on; some are outside the picture."""
        return self.start + self.stride * (first + jnp.arange(count))

    def own(self, count: int, length: Length, first: Length = 0) -> Float[Array, " count"]:
        """1 where a position is on a picture of this length, 0 in the frame."""
        pixels = self.pixels(count, first)
        return ((pixels >= 0) & (pixels < length)).astype(jnp.float32)


def reflected(pixels: Int[Array, " count"], length: Length) -> Int[Array, " count"]:
    """The pixels that stand in for those outside, by reflection, as often as it takes."""
    # A picture of one pixel has no neighbor to be reflected: it is repeated.
    period = jnp.maximum(2 * (length - 1), 1)
    along = jnp.mod(pixels, period)
    return jnp.minimum(jnp.minimum(along, period - along), length - 1)


def framed_pixels(length: int) -> Int[Array, " framed"]:
    """All pixels that the network is given for an axis of `length`, the frame's among them."""
    whole = -(-length // STRIDE) * STRIDE
    return jnp.arange(-BEFORE, whole + AFTER)
