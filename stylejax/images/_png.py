"""The parts of PNG that Pillow lacks: 16-bit color out, and metadata without decoding."""

import io
import os
import struct
import zlib

import numpy as np
from jaxtyping import UInt16

# The first eight bytes of every PNG (PNG specification, section 5.2).
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What EXIF begins with in a JPEG, and in Pillow, but not in the chunk eXIf.
_EXIF_PREFIX = b"Exif\0\0"
# Each byte less the one above it (PNG specification, section 9.2).
_FILTER_UP = 2


def encode_png16(
    samples: UInt16[np.ndarray, "height width channels"], profile: bytes, exif: bytes
) -> bytes:
    """Encode RGB or RGBA samples in [0, 65535] with an ICC profile and, unless empty, EXIF."""
    height, width, channels = samples.shape
    # Colors, and colors with alpha (PNG specification, section 11.2.2).
    color_type = 2 if channels == 3 else 6
    rows = np.ascontiguousarray(samples, ">u2").view(np.uint8).reshape(height, -1)
    # Each row as its difference from the one above compresses nearly as well as a choice by row.
    scanlines = np.full((height, 1 + rows.shape[1]), _FILTER_UP, np.uint8)
    scanlines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=scanlines[1:, 1:])
    chunks = [
        _chunk(b"IHDR", struct.pack(">2I5B", width, height, 16, color_type, 0, 0, 0)),
        _chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(profile)),
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


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
