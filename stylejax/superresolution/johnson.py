"""The network of Johnson et al. (2016) for super-resolution, table 2 of its supplement.

c9s1-64, four R64, a u64 for each doubling, c9s1-3, each but the last with batch normalization, and
a scaled tanh. It is here to compare with. It departs from the paper as `feedforward.network` does:
maps grow by repetition and a convolution, since a transposed one prints a grid. In use it is
normalized by means over the training, as batch normalization is.

It works on a batch, of pictures height x width x 3 in [0, 1].
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from stylejax.superresolution.form import JOHNSON_BLOCKS, Enlarger

Batch = Float[Array, "_ _ _ _"]

_EPSILON = 1e-5
_REACH = 150.0 / 255.0
"""Of the tanh around gray, as published."""
_LAYOUT = ("NHWC", "HWIO", "NHWC")


def _layers(enlarger: Enlarger) -> list[str]:
    """The convolutions that a normalization follows, in order."""
    blocks = [f"block{number}{half}" for number in range(1, JOHNSON_BLOCKS + 1) for half in "ab"]
    doublings = int(np.log2(enlarger.factor))
    return ["first", *blocks, *(f"up{number}" for number in range(1, doublings + 1))]


def init_johnson(enlarger: Enlarger, key: PRNGKeyArray) -> dict[str, PyTree]:
    """Parameters to begin training with."""
    names, channels = _layers(enlarger), enlarger.channels
    keys = jax.random.split(key, len(names) + 1)

    def kernel(key: PRNGKeyArray, window: int, inputs: int, outputs: int) -> Array:
        deviation = np.sqrt(1.0 / (window**2 * inputs))
        return deviation * jax.random.normal(key, (window, window, inputs, outputs))

    parameters: dict[str, PyTree] = {
        name: {
            "kernel": kernel(key, 9, 3, channels)
            if name == "first"
            else kernel(key, 3, channels, channels),
            "scale": jnp.ones(channels),
            "shift": jnp.zeros(channels),
        }
        for name, key in zip(names, keys, strict=False)
    }
    parameters["colors"] = {"kernel": kernel(keys[-1], 9, channels, 3), "bias": jnp.zeros(3)}
    parameters["moments"] = {
        name: {"mean": jnp.zeros(channels), "variance": jnp.ones(channels)} for name in names
    }
    return parameters


def _convolution(x: Batch, kernel: Array) -> Batch:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=_LAYOUT)


def enlarge_batch(
    enlarger: Enlarger, parameters: PyTree, batch: Batch, *, training: bool
) -> tuple[Batch, dict[str, dict[str, Array]]]:
    """Enlarge a batch, and say the moments that it was normalized by.

    Args:
        enlarger: the network's form.
        parameters: its numbers.
        batch: pictures; zeros are seen around them.
        training: normalize by the batch's own moments; else by those among the parameters.
    """
    seen: dict[str, dict[str, Array]] = {}

    def run(name: str, x: Batch) -> Batch:
        own = parameters[name]
        x = _convolution(x, own["kernel"])
        moments = parameters["moments"][name]
        if training:
            moments = {"mean": jnp.mean(x, (0, 1, 2)), "variance": jnp.var(x, (0, 1, 2))}
        seen[name] = moments
        scale = own["scale"] * lax.rsqrt(moments["variance"] + _EPSILON)
        return scale * (x - moments["mean"]) + own["shift"]

    x = jax.nn.relu(run("first", batch - 0.5))
    for number in range(1, JOHNSON_BLOCKS + 1):
        inner = run(f"block{number}a", x)
        x = x + run(f"block{number}b", jax.nn.relu(inner))
    for name in _layers(enlarger)[1 + 2 * JOHNSON_BLOCKS :]:
        x = jax.nn.relu(run(name, jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)))
    colors = parameters["colors"]
    x = _convolution(x, colors["kernel"]) + colors["bias"]
    return 0.5 + _REACH * jnp.tanh(x), seen
