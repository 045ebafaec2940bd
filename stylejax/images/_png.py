"""The parts of PNG that Pillow lacks: color of 16 bits, transparent grays, metadata undecoded."""

import io
import os
import struct
import zlib

import numpy as np
from jaxtyping import UInt16
from PIL import ImageFile

from stylejax.images._layers import (
    Layers,
    deep_samples,
    made_layers,
    raw_samples,
    scaled,
    to_srgb,
)

# The first eight bytes of every PNG (PNG specification, section 5.2).
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What EXIF begins with in a JPEG, and in Pillow, but not in the chunk eXIf.
_EXIF_PREFIX = b"Exif\0\0"
# Colors; gray or colors with alpha (section 11.2.2).
_RGB, _GRAY_ALPHA, _RGB_ALPHA = 2, 4, 6
# Where bits per sample and type of color stand.
_DEPTH_AT, _COLOR_TYPE_AT = 24, 25
# Each byte less the one above it (PNG specification, section 9.2).
_FILTER_UP = 2


def encode_png16(
    samples: UInt16[np.ndarray, "height width channels"],
    profile: bytes,
    exif: bytes,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """Encode RGB or RGBA samples in [0, 65535] with an ICC profile and, unless empty, EXIF.

    `dpi` are dots per inch along width and height.
    """
    height, width, channels = samples.shape
    color_type = _RGB if channels == 3 else _RGB_ALPHA
    rows = np.ascontiguousarray(samples, ">u2").view(np.uint8).reshape(height, -1)
    # Each row as its difference from the one above compresses nearly as well as a choice by row.
    scanlines = np.full((height, 1 + rows.shape[1]), _FILTER_UP, np.uint8)
    scanlines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=scanlines[1:, 1:])
    chunks = [
        _chunk(b"IHDR", struct.pack(">2I5B", width, height, 16, color_type, 0, 0, 0)),
        _chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(profile)),
        _chunk(b"pHYs", _dots_a_meter(dpi)) if dpi else b"",
        _chunk(b"eXIf", exif.removeprefix(_EXIF_PREFIX)) if exif else b"",
        _chunk(b"IDAT", zlib.compress(scanlines.tobytes())),
        _chunk(b"IEND", b""),
    ]
    return _SIGNATURE + b"".join(chunks)


def find_exif(file: io.BufferedReader | io.BytesIO) -> bytes | None:
    """Return the EXIF of an open PNG, even from behind the pixels; the position is kept."""
    position = file.tell()
    file.seek(len(_SIGNATURE))
    exif = None
    while exif is None and len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"eXIf":
            exif = _EXIF_PREFIX + file.read(length)
        file.seek(length + 4, os.SEEK_CUR)  # The data and their checksum.
    file.seek(position)
    return exif


def mend_transparency(content: bytes, image: ImageFile.ImageFile) -> None:
    """Bring the gray that is transparent to 8 bits, as Pillow brings the samples of 2 and 4."""
    gray, top = image.info.get("transparency"), 2 ** content[_DEPTH_AT] - 1
    if image.mode == "L" and isinstance(gray, int) and gray <= top < 255:
        image.info["transparency"] = gray * 255 // top


def decode_png16(content: bytes, image: ImageFile.ImageFile) -> Layers | None:
    """A PNG of 16-bit color in full; None where it is of another kind."""
    depth, color_type = content[_DEPTH_AT], content[_COLOR_TYPE_AT]
    if depth != 16 or color_type not in (_RGB, _GRAY_ALPHA, _RGB_ALPHA):
        return None
    profile = image.info.get("icc_profile")
    if color_type == _GRAY_ALPHA:
        # Two samples of two bytes each, taken for four of one.
        samples = scaled(raw_samples(content, "PNG", "RGBA").view(">u2"), 65535)
        return made_layers(to_srgb(samples[..., :1], "gray", profile), samples[..., 1])
    deep = deep_samples(content, "PNG", "RGB" if color_type == _RGB else "RGBA", "B")
    colors = to_srgb(scaled(deep[..., :3], 65535), "rgb", profile)
    if color_type == _RGB_ALPHA:
        return made_layers(colors, scaled(deep[..., 3], 65535))
    transparent = image.info.get("transparency")
    if transparent is None:
        return Layers(colors, None)
    return made_layers(colors, (deep != np.asarray(transparent)).any(axis=-1).astype(np.float32))


def _dots_a_meter(dpi: tuple[float, float]) -> bytes:
    """The data of the chunk pHYs, in meters (PNG specification, section 11.3.5.3)."""
    return struct.pack(">2IB", *(round(dots / 0.0254) for dots in dpi), 1)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
