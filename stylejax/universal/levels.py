"""A picture level by level, whole or in strips of rows with the statistics of the whole.

The programs that make a level's maps and results are the same for both, and so are the bits: roots
enlarge what another program would round otherwise. In strips each level is swept twice: for the
statistics of all strips together, and to transform and decode with them. On the device there is one
strip at a time, so its memory does not grow with the picture. Each strip is cut out with as many
rows around it as encoder and decoders see; only its own count.
"""

import jax
import jax.numpy as jnp
import numpy as np

from stylejax.losses.strips import Strip, Strips, list_strips, make_strips
from stylejax.networks.layers import layer_table
from stylejax.types import Image, Pixels
from stylejax.universal.chain import (
    PIXELS,
    Controls,
    Networks,
    Structure,
    Style,
    add_strip,
    encoded,
    level_features,
    level_map,
    level_result,
)
from stylejax.universal.decoders import REACH, STRIDES
from stylejax.universal.statistics import from_sums, no_sums


def _cut_controls(
    level: str, controls: Controls, cuts: Strips, strip: Strip, height: int
) -> Controls:
    """A level's controls of a strip's cut; in `regions`, rows that are not its own weigh 0."""
    at = cuts.cut(height, STRIDES.get(level, 1))
    by_rows = lambda maps: jnp.moveaxis(jnp.asarray(maps), 0, -1)
    regions = strip.own(strip.cut(by_rows(controls.regions[level]), at), at)
    regions = jnp.moveaxis(regions, -1, 0)
    shares = jnp.asarray(controls.shares[level])
    if shares.shape[1] > 1:
        shares = jnp.moveaxis(strip.cut(by_rows(shares), at), -1, 0)
    return controls._replace(shares={level: shares}, regions={level: regions})


_add_strip = jax.jit(add_strip, static_argnames="level")
_level_features = jax.jit(level_features, static_argnames="level")
_level_result = jax.jit(level_result, static_argnames=("level", "structure"))
_encoded = jax.jit(encoded, static_argnames="level")
_level_map = jax.jit(level_map, static_argnames=("level", "structure"))
_from_sums = jax.jit(from_sums)


def _swept(
    level: str,
    networks: Networks,
    picture: Pixels,
    styles: Style,
    controls: Controls,
    structure: Structure,
    rows: int,
) -> Pixels:
    """One level of `restyled_by_levels`."""
    height = picture.shape[0]
    reach = 0 if level == PIXELS else REACH[level]
    layer = layer_table()[level]
    cuts = make_strips(rows, layer.receptive_field + 2 * reach, layer.stride)
    length = cuts.cut(height, 1).rows
    places = list_strips(cuts, height)
    each = [jax.tree.map(lambda leaf, n=n: leaf[n], places) for n in range(cuts.count(height))]
    given = [_cut_controls(level, controls, cuts, strip, height) for strip in each]
    pictures = [picture[int(strip.start) :][:length] for strip in each]
    count = controls.regions[level].shape[0]
    channels = networks.deviations[level].shape[-1] if level != PIXELS else picture.shape[-1]
    nothing = no_sums(channels)
    sums = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), nothing)
    for cut, own in zip(pictures, given, strict=True):
        sums = _add_strip(level, networks, sums, cut, own.regions[level])
    whole = _from_sums(sums)
    maps = _level_map(level, networks, whole, styles, controls, structure)
    result = np.empty(picture.shape, np.float32)
    for strip, cut, own in zip(each, pictures, given, strict=True):
        first, end, start = int(strip.first), int(strip.end), int(strip.start)
        features = _encoded(level, networks, cut)
        made = _level_result(level, networks, cut, features, maps, own, structure)
        result[first:end] = np.asarray(made)[first - start : end - start]
    return result


def restyled_by_levels(
    networks: Networks,
    picture: Pixels,
    styles: Style,
    controls: Controls,
    structure: Structure,
    *,
    rows: int = 0,
) -> Pixels:
    """`chain.restyled` of a picture on the host.

    Args:
        networks: as there.
        picture: its height is a multiple of 8.
        styles: as there.
        controls: as there, with maps of regions in full; on the host.
        structure: as there.
        rows: of a strip; 0 for the whole at once.
    """
    if rows:
        for level in structure.levels:
            picture = _swept(level, networks, picture, styles, controls, structure, rows)
        return picture
    whole: Image | Pixels = picture
    for level in structure.levels:
        features, own = _level_features(level, networks, whole, controls.regions[level])
        maps = _level_map(level, networks, own, styles, controls, structure)
        whole = _level_result(level, networks, whole, features, maps, controls, structure)
    return np.asarray(whole)
