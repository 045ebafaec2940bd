"""A network that enlarges, small and of random numbers, that does more than interpolate."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from stylejax.runs.enlarger_file import write_enlarger
from stylejax.superresolution import Enlarger, init_parameters

SMALL = Enlarger(4, channels=6, blocks=2)


@cache
def make_parameters(enlarger=SMALL, seed=1):
    begin = init_parameters(enlarger, jax.random.key(0))
    leaves, form = jax.tree.flatten(begin)
    random = np.random.default_rng(seed)
    noise = lambda leaf: 0.02 * random.normal(size=leaf.shape).astype(np.float32)
    return jax.tree.unflatten(form, [jnp.asarray(leaf + noise(leaf)) for leaf in leaves])


def write_small_enlarger(path, enlarger=SMALL):
    write_enlarger(path, enlarger, make_parameters(enlarger), {"steps": 0, "progress": 0.0})
    return path
