"""The color profile that pictures are read to and written with: sRGB."""

import io
import struct
from functools import cache

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
