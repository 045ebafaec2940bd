"""Pictures and masks at the library's border: what is given becomes an array, or one line.

A picture is height x width x 3 in [0, 1], a mask height x width in [0, 1]. Floats are taken as they
are, NumPy's and JAX's, inside `jax.jit`, `jax.vmap` and `jax.grad` too, where their values cannot
be looked at; uint8, uint16 and Pillow's pictures are scaled. Everything else is refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from stylejax.errors import InputError
from stylejax.images._jax import (
    AnyArray,
    is_array,
    is_floating,
    is_held_elsewhere,
    is_traced,
    on_host,
)
from stylejax.images._layers import TURNS, Layers, scaled
from stylejax.images._pillow import loaded_layers, orientation_of
from stylejax.types import Alpha, OtherPixels, Pixels

OVERSHOOT = 1e-3
"""How far beyond 0 and 1 rounding may take a picture; it is cut off."""
_WANTED = "give height x width x 3 in [0, 1]"
_TOPS = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}


class Picture(NamedTuple):
    """Pixels in [0, 1], composited over white, and alpha, None where all is opaque."""

    pixels: Pixels
    alpha: Alpha | None


PictureLike = AnyArray | Image.Image | Picture
"""What a picture may be given as."""
PicturesLike = Sequence[PictureLike] | PictureLike
"""What several pictures may be given as; one by itself is a list of one."""


def picture_array(
    value: object, name: str, *, bounded: bool = True, overshoot: float = OVERSHOOT
) -> AnyArray:
    """A picture as an array of floats: the very one where it is one already.

    Args:
        value: a `PictureLike`; a Pillow picture may have any mode, and is composited over white.
        name: of the argument, for the error.
        bounded: whether floats must be in [0, 1], where their values can be known.
        overshoot: how far beyond they may be then; it is cut off.

    Raises:
        InputError: it is none, with its shape and range; or its values are not in [0, 1].
    """
    if isinstance(value, Image.Image):
        return pillow_layers(value, name).over(1)
    if isinstance(value, Picture):
        value = value.pixels
    if not is_array(value):
        raise InputError(f"{name}: {described(value)} is no picture: {_WANTED}")
    if (hint := _shape_hint(value.shape)) is not None:
        raise InputError(f"{name}: {described(value)} is no picture: {hint}; {_WANTED}")
    return as_floats(value, name, bounded=bounded, overshoot=overshoot)


def as_pixels(value: object, name: str, *, overshoot: float = OVERSHOOT) -> OtherPixels:
    """A picture as float32 on the host (`picture_array`)."""
    return np.asarray(on_host(picture_array(value, name, overshoot=overshoot)), np.float32)


def as_list(values: object, name: str) -> list[object]:
    """Several pictures; one that stands where a list is asked for is a list of one.

    Raises:
        InputError: they are no list, or there is none.
    """
    if is_array(values) and values.ndim == 4:
        raise InputError(f"{name}: {described(values)} is a batch: give a list of pictures")
    # Statistics that stand for a style picture are a mapping.
    if is_array(values) or isinstance(values, Image.Image | Picture | Mapping):
        return [values]
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InputError(f"{name}: {described(values)} is no list of pictures: give [picture]")
    if not (listed := list(values)):
        raise InputError(f"no {name.removesuffix('s')} picture: give at least one")
    return listed


def pillow_layers(image: Image.Image, name: str) -> Layers:
    """The colors and the alpha of a Pillow picture of any mode, upright and in sRGB.

    Raises:
        InputError: its samples are out of range, or its file is damaged.
    """
    try:
        image.load()
    except Exception as error:  # On damaged files Pillow raises nearly anything.
        raise InputError(f"{name}: the Pillow picture cannot be loaded ({error})") from error
    if min(image.size) < 1:
        raise InputError(f"{name}: {described(image)} is empty: {_WANTED}")
    if image.mode == "I":
        hint = "convert it to mode L, or I;16"
        raise InputError(f"{name}: {described(image)} is of a type without a range: {hint}")
    turn = TURNS.get(orientation_of(image))
    return loaded_layers(name, image if turn is None else image.transpose(turn))


def as_floats(
    value: AnyArray, name: str, *, bounded: bool = True, overshoot: float = OVERSHOOT
) -> AnyArray:
    """An array of any shape as floats in [0, 1] (`picture_array`).

    Raises:
        InputError: its values are of another type, or not in [0, 1].
    """
    if value.dtype in _TOPS:
        top = _TOPS[np.dtype(value.dtype)]
        return value.astype(np.float32) / top if is_traced(value) else scaled(on_host(value), top)
    if not is_floating(value.dtype):
        hint = "give uint8, uint16, or floats in [0, 1]"
        raise InputError(f"{name}: {described(value)} is of a type without a range: {hint}")
    if value.dtype.itemsize < 4:
        value = value.astype(np.float32)
    if not bounded or is_traced(value) or is_held_elsewhere(value) or not value.size:
        return value
    low, high = _range(value)
    # This way round refuses NaN too.
    if not (low >= -overshoot and high <= 1 + overshoot):
        is_finite = np.isfinite(low) and np.isfinite(high)
        divisor = 255 if high <= 255 else 65535
        of_bytes = low >= 0 and 2 < high <= 65535
        hint = f"divide by {divisor}" if of_bytes else "bring its values to [0, 1]"
        hint = hint if is_finite else "replace what is not finite"
        raise InputError(f"{name}: {described(value)} is not within [0, 1]: {hint}")
    return value if low >= 0 and high <= 1 else value.clip(0, 1)


def _range(value: AnyArray) -> tuple[float, float]:
    # Said outright, where JAX is told to refuse what is only implied.
    values = on_host(value)
    return float(values.min()), float(values.max())


def _shape_hint(shape: tuple[int, ...]) -> str | None:
    """What is wrong with the shape of a picture; None where nothing is."""
    if 0 in shape:
        return "it is empty"
    if len(shape) == 3 and shape[-1] == 3:
        return None
    if len(shape) == 4:
        return "a batch is given one by one, or mapped by jax.vmap"
    if len(shape) == 3 and shape[0] in (1, 3, 4) and shape[-1] not in (1, 4):
        return "channels come last, transpose(1, 2, 0)"
    if len(shape) == 3 and shape[-1] == 4:
        return "alpha is no color, [..., :3] leaves it out"
    if len(shape) == 2 or (len(shape) == 3 and shape[-1] == 1):
        return "gray is three equal channels"
    return "it has other axes"


def described(value: object) -> str:
    """What was given, in a few words: type, shape and range."""
    if isinstance(value, Image.Image):
        return f"Pillow picture of mode {value.mode}, {value.width} x {value.height}"
    if not is_array(value):
        what = type(value).__name__
        if isinstance(value, str):
            return f"{what} {value!r} (read_picture reads a file)"
        return what
    text = f"{value.dtype} array of shape {tuple(value.shape)}"
    is_known = value.size and getattr(value.dtype, "kind", "V") in "fiub" and not is_traced(value)
    if not is_known or is_held_elsewhere(value):
        return text
    low, high = _range(value)
    return f"{text} in [{low:.3g}, {high:.3g}]"
