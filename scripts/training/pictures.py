"""Crops to distil with: photographs, and what an optimized image passes through on its way.

Crops are cut on the device, a batch x size x size x 3 float32 array in [0, 1]: windows of
photographs at native size and at half of it, of mosaics of tiles, and single tiles enlarged, so
that the network sees edges of every sharpness. `varied` then adds what no photograph shows: noise,
blends, stretched contrast and color, gradients.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int32, PRNGKeyArray, UInt8

from stylejax.errors import InputError
from training.archives import TILE, Pictures

GREATEST_ENLARGEMENT = 3.0

Crops = Float[Array, "batch size size 3"]
Pixels = UInt8[Array, "pixels 3"]
Place = Int32[Array, " 3"]


class Kinds(NamedTuple):
    """A number for each kind of crop.

    Of photographs at native size and halved, of tiles side by side and enlarged.
    """

    native: float
    halved: float
    mosaic: float
    enlarged: float


SHARES = Kinds(native=0.36, halved=0.18, mosaic=0.28, enlarged=0.18)


class Plan(NamedTuple):
    """What a batch is made of; it fixes the shapes of the program that cuts it.

    `crops` of each kind, of `size` pixels a side; a native window fits in the first `large`
    photographs, a halved one in the first `largest` of them.
    """

    size: int
    crops: Kinds
    large: int
    largest: int


def plan(batch: int, size: int, tiles: int, sides: Sequence[int]) -> Plan:
    """Share a batch out among the kinds of crops that there are pictures for.

    Args:
        batch: number of crops.
        size: their side in pixels.
        tiles: number of tiles.
        sides: the shorter side of each photograph, falling.

    Raises:
        InputError: no picture is large enough.
    """
    large, largest = (sum(side >= scale * size for side in sides) for scale in (1, 2))
    there = (large > 0, largest > 0, tiles > 0, tiles > 0)
    shares = np.array([share if have else 0.0 for share, have in zip(SHARES, there, strict=True)])
    if not shares.any():
        raise InputError(
            f"no photograph has {size} pixels a side, and there are no tiles: name larger "
            "photographs, archives of tiles, or a smaller --size"
        )
    exact = batch * shares / shares.sum()
    counts = np.floor(exact).astype(int)
    # What is left over goes to those who lost most by rounding, never to a kind that is not there.
    for kind in np.argsort(counts - exact, kind="stable")[: batch - counts.sum()]:
        counts[kind] += 1
    return Plan(size, Kinds(*map(int, counts)), large, largest)


def _window(key: PRNGKeyArray, pixels: Pixels, place: Place, side: int) -> Array:
    """A random window of a photograph, as it is stored."""
    first, height, width = place
    down, across = jax.random.split(key)
    top = jax.random.randint(down, (), 0, height - side + 1)
    left = jax.random.randint(across, (), 0, width - side + 1)
    starts = first + (top + jnp.arange(side)) * width + left
    return jax.vmap(lambda start: lax.dynamic_slice(pixels, (start, 0), (side, 3)))(starts)


def photograph_windows(
    key: PRNGKeyArray, pictures: Pictures, count: int, size: int, scale: int, among: int
) -> Crops:
    """Random windows of the first `among` photographs, each `scale` x `scale` pixels' mean one."""
    choose, cut = jax.random.split(key)
    chosen = jnp.asarray(pictures.places)[jax.random.randint(choose, (count,), 0, among)]
    window = jax.vmap(_window, in_axes=(0, None, 0, None))
    side = scale * size
    found = window(jax.random.split(cut, count), jnp.asarray(pictures.pixels), chosen, side)
    parts = found.astype(jnp.float32).reshape(count, size, scale, size, scale, 3)
    return parts.mean((2, 4)) / 255.0


def mosaic_windows(key: PRNGKeyArray, pictures: Pictures, count: int, size: int) -> Crops:
    """Random windows of random tiles laid side by side."""
    side = -(-size // TILE) + 1
    draw, cut = jax.random.split(key)
    index = jax.random.randint(draw, (count, side, side), 0, pictures.tiles.shape[0])
    mosaics = jnp.asarray(pictures.tiles)[index].transpose(0, 1, 3, 2, 4, 5)
    mosaics = mosaics.reshape(count, side * TILE, side * TILE, 3)
    corners = jax.random.randint(cut, (count, 2), 0, side * TILE - size + 1)
    window = lambda x, at: lax.dynamic_slice(x, (at[0], at[1], 0), (size, size, 3))
    return jax.vmap(window)(mosaics, corners).astype(jnp.float32) / 255.0


def enlarged_tiles(key: PRNGKeyArray, pictures: Pictures, count: int, size: int) -> Crops:
    """Random windows of single tiles, enlarged up to 3 times what fills a crop."""
    draw, zoom, place = jax.random.split(key, 3)
    index = jax.random.randint(draw, (count,), 0, pictures.tiles.shape[0])
    tiles = jnp.asarray(pictures.tiles)[index].astype(jnp.float32) / 255.0
    least = max(1.0, size / TILE)
    scales = jax.random.uniform(zoom, (count, 1), minval=least, maxval=least * GREATEST_ENLARGEMENT)
    offsets = jax.random.uniform(place, (count, 2)) * (TILE * scales - size)

    def window(tile: Array, scale: Array, offset: Array) -> Array:
        shape, factors = (size, size, 3), jnp.broadcast_to(scale, (2,))
        return jax.image.scale_and_translate(
            tile, shape, (0, 1), factors, -offset, "linear", antialias=False
        )

    return jax.vmap(window)(tiles, scales, offsets)


def crops(key: PRNGKeyArray, pictures: Pictures, plan: Plan) -> Crops:
    """Draw a batch: windows of all kinds in random order, half of them mirrored."""
    photographs, halves, mosaics, tiles, order, flip = jax.random.split(key, 6)
    native, halved, mosaic, enlarged = map(int, plan.crops)
    parts = []
    if native:
        parts.append(photograph_windows(photographs, pictures, native, plan.size, 1, plan.large))
    if halved:
        parts.append(photograph_windows(halves, pictures, halved, plan.size, 2, plan.largest))
    if mosaic:
        parts.append(mosaic_windows(mosaics, pictures, mosaic, plan.size))
    if enlarged:
        parts.append(enlarged_tiles(tiles, pictures, enlarged, plan.size))
    # `varied` blends neighbors: they must not always be of the same two kinds.
    batch = jnp.concatenate(parts)[jax.random.permutation(order, sum(map(int, plan.crops)))]
    mirrored = jax.random.bernoulli(flip, shape=(len(batch), 1, 1, 1))
    return jnp.where(mirrored, batch[:, :, ::-1], batch)


def _noise(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
    """Noise in a quarter of the pictures, mostly weak, mostly in cells of 2 or 4 pixels."""
    batch, size = shape[0], shape[1]
    present, strength, *grains = jax.random.split(key, 5)
    white, coarse, coarser = (
        jnp.repeat(
            jnp.repeat(jax.random.normal(grain, (batch, size // cell, size // cell, 3)), cell, 1),
            cell,
            2,
        )
        for grain, cell in zip(grains, (1, 2, 4), strict=True)
    )
    kind = jax.random.randint(present, (batch, 1, 1, 1), 0, 12)
    grain = jnp.where(kind == 0, coarse, jnp.where(kind == 1, coarser, white))
    deviation = 0.25 * jax.random.uniform(strength, (batch, 1, 1, 1)) ** 2
    return jnp.where(kind < 3, deviation * grain, 0.0)


def varied(key: PRNGKeyArray, pictures: Crops) -> Crops:
    """Blend, stretch, tint, shade and disturb each picture at random; values stay in [0, 1]."""
    batch, size = pictures.shape[:2]
    keys = jax.random.split(key, 8)

    def sometimes(key: PRNGKeyArray, probability: float, value: Array, otherwise: float) -> Array:
        shape = (batch,) + (1,) * (value.ndim - 1)
        return jnp.where(jax.random.bernoulli(key, probability, shape), value, otherwise)

    share = jax.random.uniform(keys[0], (batch, 1, 1, 1), maxval=0.6)
    share = sometimes(keys[1], 0.25, share, 0.0)
    x = (1.0 - share) * pictures + share * pictures[::-1]

    contrast = jnp.exp(jax.random.uniform(keys[2], (batch, 1, 1, 1), minval=-1.2, maxval=0.7))
    tint = jnp.exp(0.3 * jax.random.normal(keys[3], (batch, 1, 1, 3)))
    mean = x.mean((1, 2, 3), keepdims=True)
    x = mean + (x - mean) * sometimes(keys[4], 0.5, contrast * tint, 1.0)

    direction, shift = jnp.split(0.5 * jax.random.normal(keys[5], (batch, 3, 3)), [2], axis=1)
    axis = jnp.linspace(-0.5, 0.5, size)
    slope = direction[:, None, None, 0] * axis[:, None, None] + (
        direction[:, None, None, 1] * axis[:, None]
    )
    shade = slope + 0.3 * shift[:, None]
    x = x + sometimes(keys[6], 0.25, shade, 0.0)
    return jnp.clip(x + _noise(keys[7], x.shape), 0.0, 1.0)
