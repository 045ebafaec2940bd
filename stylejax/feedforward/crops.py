"""Crops of photographs to train with, cut on the device.

Photographs are kept as square tiles of samples, as many as memory holds; a step cuts windows of
random size and place out of random tiles, and scales and mirrors them.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, UInt8

Tiles = UInt8[Array, "tiles side side 3"]


def random_crops(
    key: PRNGKeyArray, tiles: Tiles, batch: int, size: int
) -> Float[Array, "batch {size} {size} 3"]:
    """Draw windows of random tiles, from `size` pixels (or the tile, if less) to the whole tile."""
    side = tiles.shape[1]
    choose, cut = jax.random.split(key)
    index = jax.random.randint(choose, (batch,), 0, tiles.shape[0])

    def crop(key: PRNGKeyArray, tile: UInt8[Array, "side side 3"]) -> Array:
        zoom, place, flip = jax.random.split(key, 3)
        # Uniform in the logarithm: as many halvings are as likely at each size.
        window = side * min(size / side, 1.0) ** jax.random.uniform(zoom)
        offset = jax.random.uniform(place, (2,)) * (side - window)
        scale = size / window
        pixels = tile.astype(jnp.float32) / 255.0
        scaled = jax.image.scale_and_translate(
            pixels, (size, size, 3), (0, 1), jnp.full(2, scale), -offset * scale, "linear"
        )
        return jnp.where(jax.random.bernoulli(flip), scaled[:, ::-1], scaled)

    return jax.vmap(crop)(jax.random.split(cut, batch), tiles[index])
