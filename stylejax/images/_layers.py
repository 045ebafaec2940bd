"""Samples of a picture as they come out of a decoder, on their way to sRGB.

Samples are height x width x channels; as floats they are in [0, 1].
"""

import contextlib
import io
import os
import sys
import threading
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8, UInt16
from PIL import Image, ImageFile

from stylejax.images._srgb import convert_to_srgb, is_srgb
from stylejax.types import Alpha, Pixels

Space = Literal["gray", "rgb", "cmyk"]
Samples = Float[np.ndarray, "height width channels"]


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright."""

_SWAPPED = tuple(TURNS[orientation] for orientation in (5, 6, 7, 8))
_UPSIDE_DOWN = tuple(TURNS[orientation] for orientation in (3, 4, 7, 8))
_MIRRORED = tuple(TURNS[orientation] for orientation in (2, 3, 6, 7))


class Layers(NamedTuple):
    """Colors as they are under the alpha, sRGB in [0, 1], and alpha, None where all is opaque.

    `note` is what the user should know of the file.
    """

    colors: Pixels
    alpha: Alpha | None
    note: str | None = None

    def over(self, ground: int) -> Pixels:
        """The colors composited over a gray ground."""
        if self.alpha is None:
            return self.colors
        # Over white as 1 - alpha * (1 - color): white stays exactly white.
        return ground - self.alpha[..., None] * (ground - self.colors)

    def turned(self, turn: Image.Transpose | None) -> "Layers":
        """The layers as Pillow's `transpose` would leave them."""
        alpha = None if self.alpha is None else _turned(self.alpha, turn)
        return self._replace(colors=_turned(self.colors, turn), alpha=alpha)


def _turned(samples: np.ndarray, turn: Image.Transpose | None) -> np.ndarray:
    samples = samples.swapaxes(0, 1) if turn in _SWAPPED else samples
    samples = samples[::-1] if turn in _UPSIDE_DOWN else samples
    return np.ascontiguousarray(samples[:, ::-1] if turn in _MIRRORED else samples)


def made_layers(colors: Pixels, alpha: Alpha | None) -> Layers:
    """Layers without an alpha that is 1 throughout."""
    return Layers(colors, None if alpha is None or alpha.min() == 1 else alpha)


def scaled(samples: np.ndarray | Image.Image, top: int) -> np.ndarray:
    """Samples in [0, top] as float32 in [0, 1]."""
    # Divided in one pass: a float32 copy of the samples is never made.
    return np.divide(np.asarray(samples), top, dtype=np.float32)


def gray_to_srgb(gray: Float[np.ndarray, "height width"], profile: bytes | None) -> Pixels:
    """Gray samples of any precision."""
    if not profile:
        return np.repeat(gray[..., None], 3, axis=-1)
    # Every 8-bit gray, taken to sRGB, is a curve on which the gray values lie.
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    curve = np.asarray(convert_to_srgb(ramp, profile))[0] / 255
    knots = np.linspace(0, 1, 256)
    channels = [np.interp(gray, knots, curve[:, index]) for index in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def to_srgb(samples: Samples, space: Space, profile: bytes | None) -> Pixels:
    """Samples of more than 8 bits as sRGB; what has another profile is converted at 8 bits."""
    if space == "gray":
        return gray_to_srgb(samples[..., 0], profile)
    if space == "rgb" and (not profile or is_srgb(profile)):
        return np.ascontiguousarray(samples, np.float32)
    bytes_of = np.rint(255 * samples).astype(np.uint8)
    image = Image.fromarray(bytes_of, "CMYK" if space == "cmyk" else "RGB")
    return scaled(convert_to_srgb(image, profile), 255)


_QUIETING = threading.Lock()


def load_quietly(image: ImageFile.ImageFile) -> None:
    """Decode a picture; what its decoder says of damage on standard error goes nowhere.

    libtiff writes to the file and not to Python's stream, so the file is what is exchanged.
    """
    if all(tile.codec_name != "libtiff" for tile in image.tile):
        image.load()
        return
    with _QUIETING, contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # Standard error may be closed.
            kept = os.dup(2)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, nowhere)
            os.dup2(nowhere, 2)
        image.load()


def raw_samples(content: bytes, kind: str, raw_mode: str) -> UInt8[np.ndarray, "_ _ _"]:
    """What Pillow decodes where it takes a file's samples for those of another `raw_mode`."""
    image = Image.open(io.BytesIO(content), formats=(kind,))
    assert isinstance(image, ImageFile.ImageFile)
    image.tile = [
        tile._replace(
            args=raw_mode if isinstance(tile.args, str) else (raw_mode, *(tile.args or ())[1:])
        )
        for tile in image.tile
    ]
    load_quietly(image)
    return np.asarray(image)


def deep_samples(
    content: bytes, kind: str, mode: str, order: Literal["B", "L", "N"]
) -> UInt16[np.ndarray, "_ _ _"]:
    """Both bytes of 16-bit samples, in `order`: the big end first, the little, or as they are here.

    Pillow keeps the more significant byte of a sample. What it takes for that one where it is told
    of the other byte order is the less significant one: so the picture is decoded twice.
    """
    if order == "N":
        order = "L" if sys.byteorder == "little" else "B"
    other = {"L": "B", "B": "L"}[order]
    high = raw_samples(content, kind, f"{mode};16{order}").astype(np.uint16)
    return high << 8 | raw_samples(content, kind, f"{mode};16{other}")
