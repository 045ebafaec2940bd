"""A painting network that is small and has learned nothing, with styles unlike each other."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from stylejax.feedforward import Painter, init_parameters
from stylejax.runs.painter_file import write_painter

PAINTER = Painter(styles=2, width=0.125)
NAMES = ("a", "b")


@cache
def make_parameters(seed=1):
    begin = jax.jit(partial(init_parameters, PAINTER))(jax.random.key(0))
    leaves, form = jax.tree.flatten(begin)
    random = np.random.default_rng(seed)
    return jax.tree.unflatten(
        form,
        [
            jnp.asarray(np.asarray(leaf) + 0.2 * random.normal(size=leaf.shape).astype(np.float32))
            for leaf in leaves
        ],
    )


def write_small_painter(path, names=NAMES, **record):
    write_painter(path, make_parameters(), {"styles": list(names), "width": 0.125} | record)
    return path
