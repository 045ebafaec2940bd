"""What a picture is solved from, at full size and at the size of a level."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from stylejax.images.arrays import as_pixels
from stylejax.images.masks import Mask, Masks, as_mask, as_masks
from stylejax.images.pictures import as_pictures
from stylejax.images.scaling import resize
from stylejax.transfer.pyramid import Level
from stylejax.types import OtherPixels, Pixels


class Pictures(NamedTuple):
    """What a picture is solved from, at full size: content, styles, and masks where there are.

    `keep` is a mask of the content picture: white where its content counts more.
    """

    content: Pixels
    styles: Sequence[OtherPixels]
    masks: Masks | None = None
    keep: Mask | None = None


def given_pictures(content: object, styles: object, masks: object, keep: object = None) -> Pictures:
    """What a user gives, as float32 on the host.

    Raises:
        InputError: it is no picture, or masks do not fit theirs.
    """
    pixels = as_pixels(content, "content")
    painted = [
        np.asarray(jax.device_get(each), np.float32) for each in as_pictures(styles, "styles")
    ]
    shapes = [each.shape for each in painted]
    kept = None if keep is None else as_mask(keep, "keep", pixels.shape)
    return Pictures(pixels, painted, as_masks(masks, pixels.shape, shapes), kept)


def scale_picture(
    pixels: Float[np.ndarray, "_ _ *channels"], scale: float
) -> Float[np.ndarray, "_ _ *channels"]:
    """A picture or mask scaled by a factor of 1 or less."""
    return fit_picture(pixels, scaled_size(pixels, scale))


def scaled_size(pixels: np.ndarray, scale: float) -> tuple[int, int]:
    """Height and width of what `scale_picture` makes of a picture."""
    height, width = pixels.shape[:2]
    return max(1, round(height * scale)), max(1, round(width * scale))


def fit_picture(
    pixels: Float[np.ndarray, "_ _ *channels"], size: tuple[int, int]
) -> Float[np.ndarray, "_ _ *channels"]:
    """A picture or mask stretched to a height and width."""
    # The finest level has the very pixels that were given.
    return pixels if pixels.shape[:2] == size else resize(pixels, *size)


def level_masks(pictures: Pictures, level: Level) -> tuple[Masks | None, Mask | None]:
    """The masks at the size of one level, and what is to be kept."""
    masks, keep = pictures.masks, pictures.keep
    if masks is not None:
        masks = Masks(
            tuple(fit_picture(mask, level.grid) for mask in masks.content),
            tuple(scale_picture(mask, level.scale) for mask in masks.styles),
        )
    return masks, None if keep is None else fit_picture(keep, level.grid)


def level_pictures(pictures: Pictures, level: Level) -> Pictures:
    """The pictures and masks of a solve at the size of one level."""
    styles = [scale_picture(each, level.scale) for each in pictures.styles]
    return Pictures(
        fit_picture(pictures.content, level.grid), styles, *level_masks(pictures, level)
    )
