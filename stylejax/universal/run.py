"""Universal style transfer of arrays on the host: one picture, or a texture from noise.

Pictures are padded by reflection to sides that few programs are compiled for; what pads them does
not count in the statistics.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from PIL import Image

from stylejax.errors import InputError
from stylejax.images.arrays import PictureLike, PicturesLike, as_list, as_pixels
from stylejax.images.masks import Mask, Masks, as_mask, as_masks, layer_mask
from stylejax.networks.layers import layer_table
from stylejax.types import OtherPixels, Pixels
from stylejax.universal.chain import Controls, Networks, Structure, Style, picture_style
from stylejax.universal.decoder_weights import Decoders
from stylejax.universal.decoders import STRIDES
from stylejax.universal.levels import restyled_by_levels
from stylejax.universal.options import (
    LEVEL_NAMES,
    Solver,
    UniversalOptions,
    blend_weights,
    check_universal_options,
)
from stylejax.universal.statistics import Statistics
from stylejax.weights.read import Weights

PASSES = 3
"""Of a texture: each starts from what the last one made (Li et al. (2017), section 4.3)."""

Maps = Float[np.ndarray, "maps _ _"]

_DEFAULTS = UniversalOptions()
_picture_style = jax.jit(picture_style)


def bucket(length: int) -> int:
    """The padded length of a side: a multiple of 64, above 1,024 of 128."""
    step = 64 if length <= 1024 else 128
    return -(-length // step) * step


def _padded(pixels: OtherPixels) -> OtherPixels:
    edges = [(0, bucket(length) - length) for length in pixels.shape[:2]]
    return np.pad(pixels, (*edges, (0, 0)), mode="reflect")


def _level_shape(level: str, shape: Sequence[int]) -> tuple[int, int]:
    stride = STRIDES.get(level, 1)
    return -(-shape[0] // stride), -(-shape[1] // stride)


def _with_padding(level: str, maps: Maps, shape: Sequence[int], mode: str) -> Maps:
    """Maps of a picture's level as those of the padded picture."""
    padded = _level_shape(level, [bucket(length) for length in shape[:2]])
    edges = [(0, whole - own) for whole, own in zip(padded, maps.shape[1:], strict=True)]
    return np.pad(maps, ((0, 0), *edges), mode=mode)  # type: ignore[call-overload]


def _regions(shape: Sequence[int], masks: Sequence[Mask]) -> dict[str, Maps]:
    """How much each position of each level counts; everything alike where there is no mask."""
    found = {}
    for level in LEVEL_NAMES:
        size = _level_shape(level, shape)
        field = layer_table()[level].receptive_field
        maps = [layer_mask(mask, field, *size) for mask in masks] or [np.ones(size)]
        found[level] = _with_padding(level, np.stack(maps).astype(np.float32), shape, "constant")
    return found


def _shares(shape: Sequence[int], masks: Sequence[Mask], blend: Sequence[float]) -> dict[str, Maps]:
    """How much of each style a position takes; where no mask covers it wholly, less than all."""
    if not masks:
        whole = np.asarray(blend, np.float32)[:, None, None]
        return dict.fromkeys(LEVEL_NAMES, whole)
    found = {}
    for level in LEVEL_NAMES:
        height, width = _level_shape(level, shape)
        reduced = np.stack(
            [
                np.asarray(
                    Image.fromarray(mask.astype(np.float32)).resize(
                        (width, height), Image.Resampling.BOX
                    )
                )
                for mask in masks
            ]
        )
        covered = np.minimum(reduced.sum(0), 1.0)
        weighed = reduced * np.asarray(blend, np.float32)[:, None, None]
        maps = covered * weighed / np.maximum(weighed.sum(0), 1e-6)
        found[level] = _with_padding(level, maps.astype(np.float32), shape, "edge")
    return found


def style_statistics(
    picture: PictureLike, *, weights: Weights, mask: Mask | None = None
) -> dict[str, Statistics]:
    """The statistics of a style picture at each level, to be used or kept in its place.

    Args:
        picture: height x width x 3 in [0, 1], or another `as_picture`, at the size whose strokes
            are wanted.
        weights: the encoder's.
        mask: height x width, the region that counts.

    Raises:
        InputError: what is given is no picture, or no mask of it.
    """
    picture = as_pixels(picture, "picture")
    masks = () if mask is None else (as_mask(mask, "mask", picture.shape),)
    regions = {level: maps[0] for level, maps in _regions(picture.shape, masks).items()}
    found = _picture_style(weights.variables, _padded(picture), regions)
    return {level: jax.tree.map(np.asarray, found[level]) for level in LEVEL_NAMES}


def _given_styles(styles: object) -> list[OtherPixels | Style]:
    """Style pictures as float32 on the host, statistics as they are."""
    return [
        cast(Style, each) if isinstance(each, Mapping) else as_pixels(each, f"styles[{index}]")
        for index, each in enumerate(as_list(styles, "styles"))
    ]


def _check(
    styles: Sequence[OtherPixels | Style],
    weights: Weights,
    decoders: Decoders,
    options: UniversalOptions,
    masks: Masks | None,
) -> None:
    check_universal_options(options)
    if weights.sha256 != decoders.encoder:
        raise InputError(
            f"weights {weights.name}: the decoders rest on the encoder with sha256 "
            f"{decoders.encoder[:16]}..., this has {weights.sha256[:16]}...; leave --weights out"
        )
    if masks is not None:
        if options.style_mixture == "barycenter":
            raise InputError("--style-mixture barycenter: with masks each style has its own place")
        if masks.styles and any(isinstance(style, Mapping) for style in styles):
            raise InputError("--style-mask: kept statistics have no regions; name the painting")


def _plan(
    options: UniversalOptions,
    blend: Sequence[float],
    masks: Sequence[Mask],
    shape: Sequence[int],
    solver: Solver,
) -> tuple[Controls, Structure]:
    """What options and masks come to for a picture of this shape."""
    alphas = options.alpha * np.asarray(options.level_alphas, np.float32)
    # On the host: of a large picture each strip takes its part of the maps.
    controls = Controls(
        alphas=jnp.asarray(alphas, jnp.float32),
        shares=cast(dict[str, Array], _shares(shape, masks, blend)),
        regions=cast(dict[str, Array], _regions(shape, masks)),
        blend=jnp.asarray(blend, jnp.float32),
        ridge=jnp.asarray(options.ridge, jnp.float32),
        detail=jnp.asarray(1.0 - options.alpha, jnp.float32),
    )
    covered = min(float(shares.sum(0).min()) for shares in controls.shares.values())
    structure = Structure(
        levels=tuple(name for name, alpha in zip(LEVEL_NAMES, alphas, strict=True) if alpha > 0),
        transform=options.transform,
        mixture=options.style_mixture,
        solver=solver,
        residuals=options.alpha < 1.0 or covered < 1.0 - 1e-6,
    )
    return controls, structure


def universal_transfer(
    content: PictureLike,
    styles: PicturesLike | Sequence[PictureLike | Style] | Style,
    *,
    weights: Weights,
    decoders: Decoders,
    options: UniversalOptions = _DEFAULTS,
    masks: Masks | None = None,
    solver: Solver = "products",
    strip_rows: int = 0,
) -> Pixels:
    """The content picture with the statistics of the style pictures, in one pass.

    Args:
        content: height x width x 3 in [0, 1], or another `as_picture`, of any size.
        styles: pictures (already at the size that `style_scale` asks for), or `style_statistics`.
        weights: of the encoder.
        decoders: of the same encoder.
        options: see there.
        masks: regions of the content, one for each style, and of the styles.
        solver: of the matrix roots; see `transforms.roots`.
        strip_rows: rows of a strip for pictures too large for the memory; 0 takes them whole.

    Returns:
        height x width x 3 in [0, 1], of the content's size; the same for the same input.

    Raises:
        InputError: what is given is no picture, an option is out of range, a count is wrong, or the
            decoders are of another encoder.
    """
    content, styles = as_pixels(content, "content"), _given_styles(styles)
    shapes = [None if isinstance(style, Mapping) else style.shape for style in styles]
    masks = as_masks(masks, content.shape, shapes)
    _check(styles, weights, decoders, options, masks)
    blend = blend_weights(options, len(styles))
    given = Masks((), ()) if masks is None else masks
    of_styles = given.styles or (None,) * len(styles)
    found = [
        style if isinstance(style, Mapping) else style_statistics(style, weights=weights, mask=mask)
        for style, mask in zip(styles, of_styles, strict=True)
    ]
    stacked = {
        level: jax.tree.map(lambda *each: np.stack(each), *(style[level] for style in found))
        for level in LEVEL_NAMES
    }
    shape = content.shape[:2]
    controls, structure = _plan(options, blend, given.content, shape, solver)
    networks = Networks(weights.variables, decoders.parameters, decoders.deviations)
    result = restyled_by_levels(
        networks, _padded(content), stacked, controls, structure, rows=strip_rows
    )
    return result[: shape[0], : shape[1]]


def synthesize_texture(
    styles: PicturesLike | Sequence[PictureLike | Style] | Style,
    *,
    height: int,
    width: int,
    weights: Weights,
    decoders: Decoders,
    options: UniversalOptions = _DEFAULTS,
    seed: int = 0,
    passes: int = PASSES,
    strip_rows: int = 0,
) -> Pixels:
    """A texture of any size with the statistics of the style pictures, from uniform noise.

    Args:
        styles: as of `universal_transfer`, and so are the others that are not named here.
        height: of the texture in pixels, 1 or more.
        width: likewise.
        weights: of the encoder.
        decoders: of the same encoder.
        options: see there; alpha is 1 if it is to have no noise left.
        seed: of the noise: another seed is another sample of the texture.
        passes: how many times the result is the content once more.
        strip_rows: as of `universal_transfer`.

    Raises:
        InputError: as `universal_transfer`.
    """
    noise = np.random.default_rng(seed).random((height, width, 3), np.float32)
    kept = [
        style if isinstance(style, Mapping) else style_statistics(style, weights=weights)
        for style in _given_styles(styles)
    ]
    for _ in range(passes):
        noise = universal_transfer(
            noise,
            kept,
            weights=weights,
            decoders=decoders,
            options=options,
            strip_rows=strip_rows,
        )
    return noise
