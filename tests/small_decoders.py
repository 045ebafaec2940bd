"""Random encoders and decoders, and small pictures, for the tests of universal transfer.

Compiling DenseNet-121 is most of what a test with it costs. The encoder here has few layers, and
its channels at the levels, so that the decoders fit both.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from problems import SHORT_DENSENET, write_densenet

from stylejax.networks.features import feature_extractor
from stylejax.universal import chain
from stylejax.universal.decoder_weights import Decoders, write_decoders
from stylejax.universal.decoders import BLOCKS, CHANNELS, LEVELS
from stylejax.weights.read import read_weights


@cache
def make_decoders(encoder: str = "a" * 64) -> Decoders:
    """Untrained, but every parameter is at work: none of them is 0."""
    random = np.random.default_rng(3)
    parameters = {}
    for level in LEVELS:
        begin = jax.jit(BLOCKS[level].init)
        made = begin(jax.random.key(0), jnp.zeros((1, 4, 4, CHANNELS[level])))
        parameters[level] = jax.tree.map(
            lambda leaf: np.float32(np.asarray(leaf) + 0.01 * random.normal(size=leaf.shape)), made
        )
    deviations = {
        level: random.uniform(0.5, 1.5, CHANNELS[level]).astype(np.float32) for level in LEVELS
    }
    return Decoders(parameters, deviations, encoder, 7)


def write_networks(folder, patch):
    """Files of the encoder and of decoders for it, to be used for as long as the patch lasts."""
    encoder = write_densenet(folder / "encoder.safetensors", patch, SHORT_DENSENET)
    extractor = lambda *levels: feature_extractor(levels, architecture=SHORT_DENSENET)
    patch.setattr(chain, "_extract", extractor(*LEVELS))
    patch.setattr(chain, "_extract_one", {level: extractor(level) for level in LEVELS})
    decoders = folder / "decoders.safetensors"
    write_decoders(decoders, make_decoders(read_weights(encoder).sha256))
    return encoder, decoders


def picture(seed: int, height: int = 64, width: int = 64) -> np.ndarray:
    """Smooth blotches with some grain, in [0, 1]."""
    random = np.random.default_rng(seed)
    coarse = random.random((-(-height // 8), -(-width // 8), 3))
    smooth = coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    return np.clip(smooth + 0.1 * random.normal(size=smooth.shape), 0, 1).astype(np.float32)
