"""Picture files for tests, made and taken apart by hand, and what is refused of them."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from stylejax.errors import InputError
from stylejax.images.read import read_picture_file


def noise(height: int = 20, width: int = 30, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def flat_picture(*samples: int, mode: str) -> Image.Image:
    return Image.new(mode, (24, 18), samples if samples[1:] else samples[0])


def refused(action: Callable[[], object], path: Path) -> str:
    with pytest.raises(InputError) as caught:
        action()
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, position = [], 8
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        assert checksum == zlib.crc32(kind + body)
        chunks.append((kind, body))
        position += 12 + length
    return chunks


def png_of(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in chunks:
        parts += [struct.pack(">I", len(body)), kind, body]
        parts.append(struct.pack(">I", zlib.crc32(kind + body)))
    return b"".join(parts)


def decode_png16(data: bytes) -> np.ndarray:
    chunks = dict(png_chunks(data))
    width, height, depth, color, *rest = struct.unpack(">2I5B", chunks[b"IHDR"])
    assert (depth, rest) == (16, [0, 0, 0])
    channels = {2: 3, 6: 4}[color]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert (lines[:, 0] == 2).all()
    rows = np.cumsum(lines[:, 1:], axis=0, dtype=np.uint8)
    return rows.view(">u2").reshape(height, width, channels)


def standard_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """sRGB with the primaries of red and blue exchanged."""
    profile = standard_profile()
    swapped = profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ")
    return swapped.replace(b"????", b"bXYZ")


def make_profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    white = struct.pack(">3i", 63190, 65536, 54061)
    directory, body = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        directory += struct.pack(">4s2I", name, 132 + 12 * len(tags) + len(body), len(tag))
        body += tag + bytes(-len(tag) % 4)
    size = 128 + len(directory) + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, kind, space, connection)
    header += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + white
    return header.ljust(128, b"\0") + directory + body


def linear_gray_profile() -> bytes:
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, 0x0100)
    return make_profile(b"scnr", b"GRAY", b"XYZ ", {b"wtpt": white, b"kTRC": curve})


def black_only_profile() -> bytes:
    """A CMYK profile in which the lightness is 100 (1 - K) and the other inks leave no trace."""
    identity = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"".join(bytes([0 if index % 2 else 255, 128, 128]) for index in range(16))
    head = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix
    return make_profile(
        b"scnr", b"CMYK", b"Lab ", {b"A2B0": head + identity * 4 + table + identity * 3}
    )


def encode_srgb(linear: float) -> float:
    return 1.055 * linear ** (1 / 2.4) - 0.055


def upright_size(path: Path) -> tuple[int, int]:
    file = read_picture_file(path)
    return file.height, file.width
