"""At which sizes a picture tiles, and with what it cannot."""

import jax

from stylejax.errors import InputError
from stylejax.networks.layers import AnyArchitecture, canonical_layer, network_layers
from stylejax.options import Options
from stylejax.runs.request import Request
from stylejax.transfer.pyramid import Level, check_tile, pyramid_levels, tile_unit


def check_tiling_request(request: Request, *, by_rows: bool) -> None:
    """Refuse several devices for a picture that tiles, which is not split.

    `by_rows` is that of `prepare_run`.

    Raises:
        InputError: names the option.
    """
    if not request.options.loss.seamless or not by_rows:
        return
    if request.devices > 1 or jax.process_count() > 1:
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
