"""How large the pictures of a request become, and whether its masks fit them."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax

from stylejax.errors import InputError
from stylejax.images.read import PictureFile, scaled_size
from stylejax.networks.layers import AnyArchitecture, canonical_layer, network_layers
from stylejax.options import Options
from stylejax.runs.request import Request
from stylejax.transfer.pyramid import Level, check_tile, pyramid_levels, tile_unit

Files = Mapping[Path, PictureFile]

MASK_TOLERANCE = 0.02
"""By how much the aspect of a mask may differ from its picture's."""


def fitted_sizes(request: Request, files: Files) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Height and width of the result and of each style picture."""
    options = request.options.picture
    longest = options.longest
    size = options.height_and_width or scaled_size(files[request.content], longest)
    of_styles = max(1, round(longest * options.style_scale))
    return size, [scaled_size(files[path], of_styles) for path in request.styles]


def check_masks_fit(
    content_masks: Sequence[Path],
    style_masks: Sequence[Path],
    content: PictureFile,
    styles: Sequence[PictureFile | None],
    files: Files,
) -> None:
    """A mask may have another size than its picture, but not another shape.

    Raises:
        InputError: names the mask and its picture; or there are masks of the styles alone.
    """
    pairs = [(mask, content) for mask in content_masks]
    pairs += [(mask, of) for mask, of in zip(style_masks, styles, strict=False) if of is not None]
    for path, picture in pairs:
        mask = files[path]
        if (
            abs(math.log(mask.width / mask.height * picture.height / picture.width))
            > MASK_TOLERANCE
        ):
            raise InputError(
                f"{path}: {mask.width} x {mask.height} pixels are of another shape than "
                f"{picture.path} ({picture.width} x {picture.height}); paint the mask over that "
                "picture"
            )
    if style_masks and not content_masks:
        raise InputError("--style-mask without --content-mask: say where the styles go")


def check_tiling_request(request: Request, *, by_rows: bool) -> None:
    """Refuse what a picture that tiles cannot be made with, or would not tile after.

    `by_rows` is that of `prepare_run`.

    Raises:
        InputError: names the option.
    """
    if not request.options.loss.seamless:
        return
    if request.paper.print:
        raise InputError("--print: crops and enlarges what --seamless has made; leave one out")
    if by_rows and (request.devices > 1 or jax.process_count() > 1):
        raise InputError("--devices: a picture made with --seamless is not split; leave one out")


def tiling_size(
    options: Options, size: tuple[int, int], architecture: AnyArchitecture
) -> tuple[tuple[int, int], tuple[Level, ...]]:
    """Height and width nearest to `size` at which a picture tiles, and its levels.

    Raises:
        InputError: `--output-size` asks for one at which it does not.
    """
    table = network_layers(architecture)
    layers = (*options.loss.content_layers, *options.loss.style_layers)
    stride = max(table[canonical_layer(name, architecture)].stride for name in layers)
    levels = pyramid_levels(options, *size)
    if not options.picture.output_size:
        unit = tile_unit(levels, stride)
        height, width = (max(unit, round(side / unit) * unit) for side in size)
        size, levels = (height, width), pyramid_levels(options, height, width)
    check_tile(levels, stride)
    return size, levels
