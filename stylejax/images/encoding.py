"""Pictures as bytes in memory, for those who look at them: a browser, a notebook.

Pixels are height x width x 3 in [0, 1], sRGB; what is encoded holds 8 bits a channel and no
metadata (`write.py` makes the files that are kept).
"""

import io

import numpy as np
from PIL import Image

from stylejax.images.scaling import fitted_size
from stylejax.types import OtherPixels

_PREVIEW_QUALITY = 85


def _image(pixels: OtherPixels, longest: int | None) -> Image.Image:
    """The picture in 8 bits, made smaller where its longer side has more pixels."""
    image = Image.fromarray(np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8))
    if longest is None or max(image.size) <= longest:
        return image
    height, width = fitted_size(image.height, image.width, longest)
    return image.resize((width, height), Image.Resampling.BOX)


def encode_jpeg(pixels: OtherPixels, longest: int | None = None) -> bytes:
    """A picture as JPEG, its longer side at most `longest` pixels."""
    content = io.BytesIO()
    _image(pixels, longest).save(content, "JPEG", quality=_PREVIEW_QUALITY)
    return content.getvalue()


def encode_png(pixels: OtherPixels, longest: int | None = None) -> bytes:
    """A picture as PNG, likewise."""
    content = io.BytesIO()
    _image(pixels, longest).save(content, "PNG", compress_level=3)
    return content.getvalue()
