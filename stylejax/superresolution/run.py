"""A picture of any size enlarged from array to array, by one compiled program for all sizes.

Each pixel depends on those near it alone, so that a picture is worked on in square tiles, each with
the frame that the network looks at around it. Memory does not grow with the picture but for the
result, and what comes out does not depend on the tiles but for the order of additions.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from stylejax.feedforward.geometry import reflected
from stylejax.superresolution.form import Enlarger
from stylejax.superresolution.network import Parameters, enlarge_framed
from stylejax.types import OtherImage, OtherPixels, Scalar

SMALL_TILE, LARGE_TILE = 128, 256
"""Sides of the tiles; the larger ones, of which less is frame, are for pictures they fit into."""


def tile_side(height: int, width: int, asked: int = 0) -> int:
    """The side of the tiles for a picture: as asked, or by its size."""
    return asked or (LARGE_TILE if min(height, width) >= LARGE_TILE else SMALL_TILE)


@partial(jax.jit, static_argnums=0)
def _program(
    enlarger: Enlarger, parameters: Parameters, framed: OtherImage, sharpness: Scalar
) -> OtherImage:
    return enlarge_framed(enlarger, parameters, framed, sharpness)


def enlarge_picture(
    picture: OtherPixels,
    enlarger: Enlarger,
    parameters: Parameters,
    sharpness: float,
    tile: int = 0,
) -> OtherPixels:
    """Enlarge a picture tile by tile.

    Args:
        picture: height x width x 3 in [0, 1].
        enlarger: the network's form.
        parameters: its numbers.
        sharpness: from 0, the smallest error of pixels, to 1, that of features.
        tile: side of the tiles in pixels of the small picture; 0 chooses.

    Returns:
        The enlarged picture in [0, 1].
    """
    (height, width), factor, frame = picture.shape[:2], enlarger.factor, enlarger.frame
    side = tile_side(height, width, tile)
    result = np.empty((factor * height, factor * width, 3), np.float32)
    strength = np.float32(sharpness)
    for top in range(0, height, side):
        rows = np.asarray(reflected(jnp.arange(top - frame, top + side + frame), height))
        for left in range(0, width, side):
            columns = np.asarray(reflected(jnp.arange(left - frame, left + side + frame), width))
            framed = np.ascontiguousarray(picture[rows][:, columns])
            made = np.asarray(_program(enlarger, parameters, framed, strength))
            place = result[factor * top :, factor * left :][: factor * side, : factor * side]
            np.clip(made[: place.shape[0], : place.shape[1]], 0.0, 1.0, out=place)
    return result
