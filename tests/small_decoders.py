"""Decoders of random numbers and small pictures, for the tests of universal transfer."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from stylejax.universal.decoder_weights import Decoders
from stylejax.universal.decoders import BLOCKS, CHANNELS, LEVELS


@cache
def make_decoders(encoder: str = "a" * 64) -> Decoders:
    """Untrained, but every parameter is at work: none of them is 0."""
    random = np.random.default_rng(3)
    parameters = {}
    for level in LEVELS:
        made = BLOCKS[level].init(jax.random.key(0), jnp.zeros((1, 4, 4, CHANNELS[level])))
        parameters[level] = jax.tree.map(
            lambda leaf: np.float32(leaf + 0.01 * random.normal(size=leaf.shape)), made
        )
    deviations = {
        level: random.uniform(0.5, 1.5, CHANNELS[level]).astype(np.float32) for level in LEVELS
    }
    return Decoders(parameters, deviations, encoder, 7)


def picture(seed: int, height: int = 64, width: int = 64) -> np.ndarray:
    """Smooth blotches with some grain, in [0, 1]."""
    random = np.random.default_rng(seed)
    coarse = random.random((-(-height // 8), -(-width // 8), 3))
    smooth = coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    return np.clip(smooth + 0.1 * random.normal(size=smooth.shape), 0, 1).astype(np.float32)
