"""Pictures made larger or smaller, on the host.

A picture is height x width x 3, float32 in [0, 1]; alpha and masks are height x width.
"""

import math

import numpy as np
from jaxtyping import Float, Num
from PIL import Image

from stylejax.images.arrays import as_floats

# How much larger than what is kept a picture may be scaled before it is cropped.
_OVERHANG = 4
_LANCZOS_REACH = 3
"""In pixels of the smaller picture, to either side."""


def fitted_size(height: int | float, width: int | float, longest: int) -> tuple[int, int]:
    """Return the (height, width) in pixels of the same aspect whose longer side is `longest`."""
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resize(
    pixels: Num[np.ndarray, "_ _ *channels"], height: int, width: int
) -> Float[np.ndarray, "{height} {width} *channels"]:
    """Resample pixels or alpha to height x width by the Lanczos filter.

    Both are in [0, 1], or uint8 or uint16.
    """
    pixels = np.asarray(as_floats(pixels, "pixels", bounded=False))
    layers = pixels.reshape(*pixels.shape[:2], -1)
    resized = [
        Image.fromarray(np.ascontiguousarray(layers[..., index], np.float32)).resize(
            (width, height), Image.Resampling.LANCZOS
        )
        for index in range(layers.shape[2])
    ]
    # The filter has negative lobes: it overshoots along edges.
    stacked = np.clip(np.stack([np.asarray(layer) for layer in resized], axis=-1), 0, 1)
    return stacked.reshape(height, width, *pixels.shape[2:])


def cover_and_crop(
    pixels: Num[np.ndarray, "_ _ *channels"], height: int, width: int
) -> Float[np.ndarray, "{height} {width} *channels"]:
    """Scale pixels or alpha to cover height x width and cut off what hangs over, centered."""
    rows, columns = pixels.shape[:2]
    scale = max(height / rows, width / columns)
    if rows * columns * scale * scale > _OVERHANG * height * width:
        # A ribbon, scaled, would be far larger than what is kept of it.
        kept = math.ceil(height / scale), math.ceil(width / scale)
        pixels = _middle(pixels, min(rows, kept[0]), min(columns, kept[1]))
        rows, columns = pixels.shape[:2]
        scale = max(height / rows, width / columns)
    scaled = (max(height, round(rows * scale)), max(width, round(columns * scale)))
    return _middle(resize(pixels, *scaled), height, width)


def enlarged_tile(
    pixels: Float[np.ndarray, "_ _ 3"], height: int, width: int
) -> Float[np.ndarray, "{height} {width} 3"]:
    """A picture that tiles made a whole number of times as large, as a tile.

    One of another shape is as it would be otherwise (`cover_and_crop`).
    """
    rows, columns = pixels.shape[:2]
    factor = max(1, height // rows)
    if (rows * factor, columns * factor) != (height, width):
        return cover_and_crop(pixels, height, width)
    margin = _LANCZOS_REACH
    around = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="wrap")
    larger = resize(around, *(factor * side for side in around.shape[:2]))
    return _middle(larger, height, width)


def _middle(
    pixels: Num[np.ndarray, "_ _ *channels"], height: int, width: int
) -> Num[np.ndarray, "_ _ *channels"]:
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]
