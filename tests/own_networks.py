"""A small smooth network, described as a user would."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stylejax.networks.layers import Layer, Network


def smooth_network(seed=0):
    """Two convolutions of stride 2, each followed by a softplus: derivatives of every order."""
    random = np.random.default_rng(seed)
    kernels = {
        "one": random.normal(0.0, 0.4, (3, 3, 3, 5)).astype(np.float32),
        "two": random.normal(0.0, 0.3, (3, 3, 5, 6)).astype(np.float32),
    }

    def apply(variables, batch, layers):
        found = {}
        for name in ("one", "two"):
            dimensions = ("NHWC", "HWIO", "NHWC")
            batch = lax.conv_general_dilated(
                batch, variables[name], (2, 2), ((1, 1), (1, 1)), dimension_numbers=dimensions
            )
            batch = found[name] = jax.nn.softplus(batch)
        return {name: found[name] for name in layers}

    layers = {"one": Layer(5, 2, 3), "two": Layer(6, 4, 7)}
    colors = {"mean": jnp.full(3, 0.5), "standard_deviation": jnp.full(3, 0.25)}
    return Network(layers, apply, {**kernels, "preprocessing": colors})
