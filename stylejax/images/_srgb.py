"""The color profile that pictures are read to and written with: sRGB."""

import io
import struct
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageCms


@cache
def srgb_profile() -> bytes:
    """The ICC profile of sRGB, the same bytes at any time."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Bytes 24 to 36 are the time of creation: a constant, so that equal pictures are equal files.
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


def convert_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert L, RGB or CMYK by its profile; a missing or unusable profile means plain sRGB."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
            return ImageCms.ImageCmsTransform(
                source,
                target,
                image.mode,
                "RGB",
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            ).apply(image)
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            pass
    return image.convert("RGB")


@lru_cache(maxsize=16)
def is_srgb(profile: bytes) -> bool:
    """Whether a profile of RGB is that of sRGB, to a gray level of 8 bits."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    grid = np.concatenate([grid.reshape(-1, 3), np.arange(256)[:, None].repeat(3, 1)])
    colors = Image.fromarray(grid.astype(np.uint8)[None])
    moved = np.asarray(convert_to_srgb(colors, profile), np.int16) - np.asarray(colors, np.int16)
    return bool(np.abs(moved).max() <= 1)
