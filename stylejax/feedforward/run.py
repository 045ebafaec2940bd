"""A photograph painted from array to array, by a program that serves all of about its size."""

from functools import partial
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from stylejax.feedforward.geometry import Length
from stylejax.feedforward.network import Painter, Parameters, paint
from stylejax.feedforward.normalization import AllStatistics, Mixture, Statistics
from stylejax.images.arrays import PictureLike, as_pixels
from stylejax.options import Kernels
from stylejax.types import Image, Pixels

_FINE, _COARSE, _LARGE = 64, 128, 1024
"""Sides are rounded up to multiples of the first, and above the third to those of the second."""


class Painting(NamedTuple):
    """A painted picture, and the statistics that another one can be painted with."""

    image: Pixels
    statistics: dict[str, Statistics]


def bucket(length: int) -> int:
    """The side of the array that a picture's side is padded to."""
    grain = _FINE if length <= _LARGE else _COARSE
    return -(-length // grain) * grain


def kernels_for(platform: str) -> Kernels:
    """The form of the convolutions that is faster on a kind of device."""
    return "fast" if platform == "cpu" else "plain"


@partial(jax.jit, static_argnums=0)
def _program(
    painter: Painter,
    parameters: Parameters,
    picture: Array,
    mixture: Array,
    size: tuple[Length, Length],
    held: AllStatistics | None,
) -> tuple[Image, dict[str, Statistics]]:
    return paint(painter, parameters, picture, mixture, size, held)


def paint_photograph(
    photograph: PictureLike,
    painter: Painter,
    parameters: Parameters,
    mixture: Mixture,
    held: AllStatistics | None = None,
) -> Painting:
    """Paint a photograph of any size; sizes of one `bucket` share one compiled program.

    Args:
        photograph: height x width x 3 in [0, 1], or another `as_picture`.
        painter: the network.
        parameters: its numbers.
        mixture: weights of its rows (`style_mixture`), or such weights pixel by pixel
            (`masked_mixture`).
        held: statistics to use in place of the photograph's own.

    Returns:
        The picture, of the photograph's size, and the photograph's own statistics.

    Raises:
        InputError: what is given is no picture.
    """
    photograph = as_pixels(photograph, "photograph")
    height, width = photograph.shape[:2]
    padding = ((0, bucket(height) - height), (0, bucket(width) - width), (0, 0))
    mixture = jnp.asarray(mixture)
    if mixture.ndim == 3:
        mixture = jnp.pad(mixture, padding)
    picture = jnp.asarray(np.pad(photograph, padding))
    image, seen = _program(painter, parameters, picture, mixture, (height, width), held)
    return Painting(cast(Pixels, np.asarray(image)[:height, :width]), seen)
