"""A large picture in strips of rows, with the statistics of the whole.

Each level is swept twice: for the statistics of all strips together, and to transform and decode
with them. On the device there is one strip at a time, so its memory does not grow with the picture.
Each strip is cut out with as many rows around it as encoder and decoders see; only its own count.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stylejax.losses.strips import Strip, Strips, list_strips, make_strips
from stylejax.networks.layers import layer_table
from stylejax.types import Image, Pixels
from stylejax.universal.chain import (
    PIXELS,
    Controls,
    Networks,
    Shares,
    Structure,
    Style,
    level_map,
    level_result,
    level_statistics,
)
from stylejax.universal.decoders import REACH, STRIDES
from stylejax.universal.transforms import Statistics


def merged(each: Statistics, amounts: Float[Array, "strips regions"]) -> Statistics:
    """The statistics of all strips together, from those of each and its sum of weights.

    Means and centered covariances are put together (Chan, Golub, LeVeque, 1979): sums of squares
    would lose digits where the mean is large.

    Args:
        each: with leading axes of strips and regions.
        amounts: how much each strip weighs in each region.
    """
    total = jnp.maximum(jnp.sum(amounts, axis=0), 1e-12)
    share = (amounts / total)[..., None]
    mean = jnp.sum(share * each.mean, axis=0)
    apart = each.mean - mean
    spread = each.covariance + apart[..., :, None] * apart[..., None, :]
    squares = jnp.sum(amounts**2 / each.positions, axis=0)
    return Statistics(
        mean, jnp.sum(share[..., None] * spread, axis=0), total**2 / jnp.maximum(squares, 1e-12)
    )


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


@partial(jax.jit, static_argnames="level")
def _strip_statistics(
    level: str, networks: Networks, cut: Image, regions: Shares
) -> tuple[Statistics, Array]:
    return level_statistics(level, networks, cut, regions), jnp.sum(regions, axis=(1, 2))


_strip_result = jax.jit(level_result, static_argnames=("level", "structure"))
_level_map = jax.jit(level_map, static_argnames=("level", "structure"))
_merged = jax.jit(merged)


def _swept(
    level: str,
    networks: Networks,
    picture: Pixels,
    styles: Style,
    controls: Controls,
    structure: Structure,
    rows: int,
) -> Pixels:
    """One level of `restyled_in_strips`."""
    height = picture.shape[0]
    reach = 0 if level == PIXELS else REACH[level]
    layer = layer_table()[level]
    cuts = make_strips(rows, layer.receptive_field + 2 * reach, layer.stride)
    length = cuts.cut(height, 1).rows
    places = list_strips(cuts, height)
    each = [jax.tree.map(lambda leaf, n=n: leaf[n], places) for n in range(cuts.count(height))]
    given = [_cut_controls(level, controls, cuts, strip, height) for strip in each]
    pictures = [picture[int(strip.start) :][:length] for strip in each]
    found = [
        _strip_statistics(level, networks, cut, own.regions[level])
        for cut, own in zip(pictures, given, strict=True)
    ]
    whole = _merged(*jax.tree.map(lambda *parts: jnp.stack(parts), *found))
    maps = _level_map(level, networks, whole, styles, controls, structure)
    result = np.empty(picture.shape, np.float32)
    for strip, cut, own in zip(each, pictures, given, strict=True):
        first, end, start = int(strip.first), int(strip.end), int(strip.start)
        made = _strip_result(level, networks, cut, maps, own, structure)
        result[first:end] = np.asarray(made)[first - start : end - start]
    return result


def restyled_in_strips(
    networks: Networks,
    picture: Pixels,
    styles: Style,
    controls: Controls,
    structure: Structure,
    *,
    rows: int,
) -> Pixels:
    """`chain.restyled` of a picture on the host, strip by strip.

    Args:
        networks: as there.
        picture: its height is a multiple of 8.
        styles: as there.
        controls: as there, with maps of regions in full; on the host.
        structure: as there.
        rows: of a strip.
    """
    for level in structure.levels:
        picture = _swept(level, networks, picture, styles, controls, structure, rows)
    return picture
