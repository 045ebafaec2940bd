"""Pictures at the border of what computes with JAX, checked as in `arrays`."""

from typing import cast

from stylejax.images.arrays import (
    OVERSHOOT,
    PictureLike,
    PicturesLike,
    as_list,
    picture_array,
)
from stylejax.types import OtherImage

__all__ = ["PictureLike", "PicturesLike", "as_picture", "as_pictures"]


def as_picture(
    value: object, name: str, *, bounded: bool = True, overshoot: float = OVERSHOOT
) -> OtherImage:
    """A picture as an array of floats (`picture_array`): the very one where it is one already.

    Args:
        value: a `PictureLike`; a Pillow picture may have any mode, and is composited over white.
        name: of the argument, for the error.
        bounded: whether floats must be in [0, 1], where their values can be known.
        overshoot: how far beyond they may be then; it is cut off.

    Raises:
        InputError: it is none, with its shape and range; or its values are not in [0, 1].
    """
    return cast(OtherImage, picture_array(value, name, bounded=bounded, overshoot=overshoot))


def as_pictures(values: object, name: str) -> list[OtherImage]:
    """Several pictures, each `as_picture`; one by itself is a list of one.

    Raises:
        InputError: as in `as_picture`, or there is none.
    """
    each = enumerate(as_list(values, name))
    return [as_picture(value, f"{name}[{index}]") for index, value in each]
