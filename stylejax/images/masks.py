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

Mask = Float[np.ndarray, "_ _"]


class Masks(NamedTuple):
    """A mask of the content picture for each style picture, and masks of the style pictures.

    `styles` may be empty: each style picture counts as a whole then.
    """

    content: tuple[Mask, ...]
    styles: tuple[Mask, ...] = ()


def check_masks(masks: Masks, styles: int) -> None:
    """Refuse masks that select nothing, or not as many as there are style pictures.

    Raises:
        InputError: says which.
    """
    for kind, given in (("content", masks.content), ("style", masks.styles)):
        if len(given) != styles and (given or kind == "content"):
            raise InputError(
                f"--{kind}-mask: {len(given)} masks for {styles} style pictures: give one for each"
            )
        for number, mask in enumerate(given, start=1):
            if not mask.max() > 0.0:
                raise InputError(f"--{kind}-mask {number} is black throughout: paint the region")


def _mean_around(mask: Mask, window: int) -> Mask:
    """The mean over window x window pixels around each pixel; the border's pixels go on outside."""
    before, after = window // 2, window - 1 - window // 2
    for axis in (0, 1):
        margin = [(before, after) if axis == side else (0, 0) for side in (0, 1)]
        # Zeros outside would make the picture's border the edge of a region.
        padded = np.pad(mask, margin, mode="edge")
        mask = np.lib.stride_tricks.sliding_window_view(padded, window, axis).mean(axis=-1)
    return mask


def layer_mask(
    mask: Mask, receptive_field: int, height: int, width: int
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
    """
    window = min(max(1, receptive_field // 2), *mask.shape)
    # Weights that fall off, in place of positions that count or do not: at a deep layer a narrow
    # region has no position that sees nothing else.
    inside = np.square(_mean_around(mask, window)) * mask
    weights = np.asarray(
        Image.fromarray(inside.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    )
    return weights / weights.sum()


def layer_masks(
    masks: Sequence[Mask], receptive_field: int, height: int, width: int
) -> Float[np.ndarray, "{height} {width} regions"]:
    """`layer_mask` of several regions."""
    each = [layer_mask(mask, receptive_field, height, width) for mask in masks]
    return np.stack(each, axis=-1)
