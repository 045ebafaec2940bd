"""Pictures to distil with: photographs, and what an optimized image passes through on its way.

Pictures are 64x64x3 uint8 tiles, decoded once. Crops are made from them on the device: a batch x
size x size x 3 float32 array in [0, 1], cut from mosaics of tiles at native resolution or from one
tile enlarged, so that the network sees edges of every sharpness. `varied` then adds what no
photograph shows: noise, blends, stretched contrast and color, gradients.
"""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, UInt8
from PIL import Image, ImageDraw

TILE = 64
GREATEST_ENLARGEMENT = 3.0

Tiles = UInt8[Array, "tiles 64 64 3"]
Crops = Float[Array, "batch size size 3"]


class LabeledTiles(NamedTuple):
    """Tiles and, for each, the index of its class in the sorted list of class names."""

    tiles: np.ndarray
    labels: np.ndarray


def read_tiles(archives: Sequence[Path]) -> LabeledTiles:
    """Decode every `<class>/<number>.webp` of the zip archives."""
    tiles, names = [], []
    for archive in archives:
        with zipfile.ZipFile(archive) as file:
            for member in sorted(file.namelist()):
                if member.endswith(".webp"):
                    with Image.open(io.BytesIO(file.read(member))) as picture:
                        tiles.append(np.asarray(picture.convert("RGB")))
                    names.append(member.split("/")[0])
    return LabeledTiles(np.stack(tiles), np.unique(names, return_inverse=True)[1])


def painted_tiles(count: int, seed: int) -> np.ndarray:
    """Tiles painted by program: curved strokes that follow a smooth field, in a small palette."""
    random = np.random.default_rng(seed)
    tiles = np.empty((count, TILE, TILE, 3), np.uint8)
    for tile in tiles:
        palette = random.integers(0, 256, (random.integers(2, 7), 3))
        canvas = Image.new("RGB", (2 * TILE, 2 * TILE), tuple(map(int, palette[0])))
        draw = ImageDraw.Draw(canvas)
        frequency, phase = random.normal(0.0, random.uniform(0.005, 0.05), 2), random.uniform(0, 6)
        turns, width = random.uniform(0.0, 3.0), int(random.integers(1, 12))
        for _ in range(random.integers(20, 300)):
            points = [random.uniform(0.0, 2 * TILE, 2)]
            for _ in range(random.integers(2, 9)):
                angle = phase + turns * np.sin(frequency @ points[-1] * 2 * np.pi)
                points.append(points[-1] + 6.0 * np.array([np.cos(angle), np.sin(angle)]))
            shade = palette[random.integers(len(palette))] + random.normal(0.0, 12.0, 3)
            color = tuple(map(int, np.clip(shade, 0, 255)))
            draw.line([tuple(point) for point in points], color, width, joint="curve")
        tile[:] = np.asarray(canvas.resize((TILE, TILE), Image.Resampling.BOX))
    return tiles


def _crop(key: PRNGKeyArray, mosaic: Float[Array, "side side 3"], size: int) -> Array:
    """A random window of the mosaic at native resolution, or of its first tile enlarged."""
    choose, zoom, place, flip = jax.random.split(key, 4)
    enlarged = jax.random.bernoulli(choose)
    least = max(1.0, size / TILE)
    scale = jnp.where(
        enlarged, jax.random.uniform(zoom, (), minval=least, maxval=least * GREATEST_ENLARGEMENT), 1
    )
    room = jnp.where(enlarged, TILE, mosaic.shape[0]) * scale - size
    offset = jax.random.uniform(place, (2,)) * room
    # Native windows start at whole pixels: nothing is blurred.
    offset = jnp.where(enlarged, offset, jnp.floor(offset))
    window = jax.image.scale_and_translate(
        mosaic, (size, size, 3), (0, 1), jnp.full(2, scale), -offset, "linear", antialias=False
    )
    return jnp.where(jax.random.bernoulli(flip), window[:, ::-1], window)


def crops(key: PRNGKeyArray, tiles: Tiles, batch: int, size: int) -> Crops:
    """Draw crops of random tiles: half of them mosaics, half single tiles enlarged up to 3x."""
    side = -(-size // TILE) + 1
    draw, cut = jax.random.split(key)
    index = jax.random.randint(draw, (batch, side, side), 0, tiles.shape[0])
    mosaics = tiles[index].transpose(0, 1, 3, 2, 4, 5).reshape(batch, side * TILE, side * TILE, 3)
    pictures = mosaics.astype(jnp.float32) / 255.0
    return jax.vmap(_crop, in_axes=(0, 0, None))(jax.random.split(cut, batch), pictures, size)


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
