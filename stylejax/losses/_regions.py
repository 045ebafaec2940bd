"""Masks of pictures as the losses see them: on the grid of each layer."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp

from stylejax.images.masks import Mask, Masks, check_masks
from stylejax.losses._reader import Beside
from stylejax.losses.targets import Regions
from stylejax.types import Image, OtherImage


def carried_regions(
    carried: Callable[[OtherImage, Sequence[Mask]], Beside],
    carried_style: Callable[[OtherImage, Sequence[Mask]], Beside],
    content: Image,
    styles: Sequence[OtherImage],
    masks: Masks | None,
) -> tuple[Regions | None, list[Beside]]:
    """Where each style goes, if not everywhere, and which part of each style picture is taken.

    The latter are empty where the whole picture is; `carried` brings masks of the content
    picture to layers, `carried_style` those of a style picture.

    Raises:
        InputError: the masks do not fit.
    """
    whole: list[Beside] = [{} for _ in styles]
    if masks is None:
        return None, whole
    check_masks(masks, len(styles))
    areas = jnp.asarray([mask.mean() for mask in masks.content], jnp.float32)
    regions = Regions(carried(content, masks.content), areas)
    if not masks.styles:
        return regions, whole
    return regions, list(map(carried_style, styles, [[mask] for mask in masks.styles]))
