"""Masks for spatial control: which part of a picture takes which style.

A mask is height x width in [0, 1]: 1 inside the region, 0 outside, gray between. Region n of the
content picture is compared with region n of style picture n. Source: guided Gram matrices, Gatys et
al., Controlling Perceptual Factors in Neural Style Transfer (2017), section 4.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image

from stylejax.errors import InputError
from stylejax.images._jax import AnyArray, is_array, on_host
from stylejax.images.arrays import as_floats, described, pillow_layers
from stylejax.images.color import luminance_of

NEARLY_BLACK = 0.125
"""A mask that is nowhere brighter is taken for one of labels (1, 2, 3, ...), and refused."""

Mask = Float[np.ndarray, "_ _"]
MaskLike = AnyArray | Image.Image
"""What a mask may be given as."""


class Masks(NamedTuple):
    """A mask of the content picture for each style picture, and masks of the style pictures.

    `styles` may be empty: each style picture counts as a whole then.
    """

    content: tuple[Mask, ...]
    styles: tuple[Mask, ...] = ()


def as_plane(value: object, name: str, shape: Sequence[int] | None = None) -> Mask:
    """An array of floats in [0, 1], bool, uint8 or uint16, as float32 on the host.

    Args:
        value: the array, height x width.
        name: of the argument, for the error.
        shape: of its picture, which it must share.

    Raises:
        InputError: it is none, or is of another shape.
    """
    if not is_array(value) or value.ndim != 2 or not value.size:
        raise InputError(f"{name}: {described(value)} is no mask: give height x width in [0, 1]")
    whole = value.astype(np.float32) if value.dtype == bool else value
    plane = np.asarray(on_host(as_floats(whole, name)), np.float32)
    if shape is not None and plane.shape != tuple(shape[:2]):
        size, of = (" x ".join(map(str, each[:2])) for each in (plane.shape, shape))
        raise InputError(f"{name}: {size} for a picture of {of}: give it the picture's size")
    return plane


def as_mask(value: object, name: str, shape: Sequence[int] | None = None) -> Mask:
    """A mask as `as_plane` takes it, or a Pillow picture.

    Of a picture the luminance counts, and what is transparent is outside.

    Raises:
        InputError: as in `as_plane`, or it holds labels.
    """
    is_picture = isinstance(value, Image.Image)
    given = luminance_of(pillow_layers(value, name).over(0)) if is_picture else value
    mask = as_plane(given, name, shape)
    if is_picture or getattr(getattr(value, "dtype", None), "kind", "") == "u":
        check_no_labels(mask, name)
    return mask


def check_no_labels(mask: Mask, name: object) -> None:
    """Refuse a mask whose numbers are labels, and would count as nearly black.

    Raises:
        InputError: it is dark throughout, but not black.
    """
    if 0 < (brightest := float(mask.max())) <= NEARLY_BLACK:
        raise InputError(
            f"{name}: is nearly black throughout (at most {brightest:.2g} of 1), as labels are: "
            "give a mask for each label, white inside and black outside"
        )


def as_masks(
    masks: object, content: Sequence[int], styles: Sequence[Sequence[int] | None]
) -> Masks | None:
    """Masks of pictures of these shapes, each `as_mask`; None where none are given.

    Raises:
        InputError: as in `as_mask` and `check_masks`, or they are no `Masks`.
    """
    if masks is None:
        return None
    if not isinstance(masks, Masks):
        raise InputError(f"masks: {described(masks)} is no Masks: give Masks((mask, ...))")
    alone = lambda kind: is_array(kind) or isinstance(kind, Image.Image)
    listed = lambda kind: (kind,) if alone(kind) else tuple(kind)
    given = Masks(listed(masks.content), listed(masks.styles))
    check_counts(given, len(styles))
    made = Masks(
        tuple(
            as_mask(each, f"masks.content[{n}]", content) for n, each in enumerate(given.content)
        ),
        tuple(
            as_mask(each, f"masks.styles[{n}]", shape)
            for n, (each, shape) in enumerate(zip(given.styles, styles, strict=False))
        ),
    )
    check_masks(made, len(styles))
    return made


def check_counts(masks: Masks, styles: int) -> None:
    """Refuse masks that are not as many as there are style pictures.

    Raises:
        InputError: says which.
    """
    for kind, given in (("content", masks.content), ("style", masks.styles)):
        if len(given) != styles and (given or kind == "content"):
            raise InputError(
                f"--{kind}-mask: {len(given)} masks for {styles} style pictures: give one for each"
            )


def check_masks(masks: Masks, styles: int) -> None:
    """Refuse masks that select nothing, or not as many as there are style pictures.

    Raises:
        InputError: says which.
    """
    check_counts(masks, styles)
    for kind, given in (("content", masks.content), ("style", masks.styles)):
        for number, mask in enumerate(given, start=1):
            if not mask.max() > 0.0:
                raise InputError(
                    f"--{kind}-mask {number} is black throughout: paint the region white"
                )


def _mean_around(mask: Mask, window: int, wraps: bool) -> Mask:
    """The mean over window x window pixels around each pixel.

    Outside the border's pixels go on, or where it `wraps` what lies at the other side.
    """
    before, after = window // 2, window - 1 - window // 2
    for axis in (0, 1):
        margin = [(before, after) if axis == side else (0, 0) for side in (0, 1)]
        # Zeros outside would make the picture's border the edge of a region.
        padded = np.pad(mask, margin, mode="wrap" if wraps else "edge")
        mask = np.lib.stride_tricks.sliding_window_view(padded, window, axis).mean(axis=-1)
    return mask


def layer_mask(
    mask: Mask, receptive_field: int, height: int, width: int, *, wraps: bool = False
) -> Float[np.ndarray, "{height} {width}"]:
    """How much each position of a feature map counts for a region; the sum is 1.

    A position near the region's edge sees what lies outside. So the mask is multiplied by the
    square of its mean over half the receptive field (the part that matters most): 1 inside, 1/4 on
    a straight edge, 0 outside.

    Args:
        mask: of the picture, not 0 throughout.
        receptive_field: of the layer, in pixels.
        height: of the feature map.
        width: likewise.
        wraps: whether the picture tiles.
    """
    window = min(max(1, receptive_field // 2), *mask.shape)
    # Weights that fall off, in place of positions that count or do not: at a deep layer a narrow
    # region has no position that sees nothing else.
    inside = np.square(_mean_around(mask, window, wraps)) * mask
    weights = np.asarray(
        Image.fromarray(inside.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    )
    return weights / weights.sum()


def layer_masks(
    masks: Sequence[Mask], receptive_field: int, height: int, width: int, *, wraps: bool = False
) -> Float[np.ndarray, "{height} {width} regions"]:
    """`layer_mask` of several regions."""
    each = [layer_mask(mask, receptive_field, height, width, wraps=wraps) for mask in masks]
    return np.stack(each, axis=-1)


def blurred_mask(
    mask: Mask, receptive_field: int, height: int, width: int, *, wraps: bool = False
) -> Float[np.ndarray, "{height} {width} 1"]:
    """A mask as a feature map's positions see it: its mean over half the receptive field, 0 to 1.

    Args:
        mask: of the picture.
        receptive_field: of the layer, in pixels.
        height: of the feature map.
        width: likewise.
        wraps: whether the picture tiles.
    """
    around = _mean_around(mask, min(max(1, receptive_field // 2), *mask.shape), wraps)
    picture = Image.fromarray(around.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX))[..., None]
