"""DenseNet-121 as it learns: what `stylejax.DenseNet` computes, arranged for training.

A batch norm normalizes each channel by itself, so the statistics of maps laid side by side are the
statistics of each, laid side by side: every map is measured once, where it arises, and not once
more in each of the layers after it. Each concatenation is written out before it is read: XLA would
else take it apart in every layer that reads it, which makes programs that grow with the square of a
block's length.

Feature maps are batch x height x width x channels.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from stylejax.networks.kernels.convolution import Batch, fast_convolution
from stylejax.networks.kernels.pooling import fast_pool

EPSILON = 1e-5

Moments = dict[str, Float[Array, " channels"]]


def _measured(x: Batch) -> Moments:
    """Mean and variance of each channel, in float32 as Flax has them."""
    x = x.astype(jnp.float32)
    mean = x.mean((0, 1, 2))
    variance = jnp.square(x).mean((0, 1, 2)) - jnp.square(mean)
    return {"mean": mean, "var": jnp.maximum(variance, 0.0)}


def learning_taps(
    params: Mapping[str, Any],
    stored: Mapping[str, Any] | None,
    x: Float[Array, "batch height width 3"],
    block_sizes: tuple[int, ...],
    dtype: DTypeLike,
    settled: Bool[Array, ""] | bool = True,
) -> tuple[dict[str, Batch], dict[str, Moments]]:
    """The maps that transitions and heads read, and the statistics that each norm used.

    Args:
        params: by torchvision's names.
        stored: statistics of the norms likewise; those of the batch unless given and `settled`.
        x: normalized pictures.
        block_sizes: layers of each dense block.
        dtype: of the products and of the maps between them.
        settled: whether to normalize with what is stored. It is traced: one program does either.
    """
    used: dict[str, Moments] = {}

    def activation(name: str, x: Batch, of: Moments) -> Batch:
        known = of if stored is None else stored[name]
        used[name] = {kind: jnp.where(settled, known[kind], of[kind]) for kind in of}
        scale = params[name]["scale"] * lax.rsqrt(used[name]["var"] + EPSILON)
        shift = params[name]["bias"] - used[name]["mean"] * scale
        return nn.relu(x.astype(jnp.float32) * scale + shift).astype(dtype)

    def kernel(name: str) -> Array:
        return params[name]["kernel"].astype(dtype)

    maps: dict[str, Batch] = {}
    x = fast_convolution(x.astype(dtype), kernel("conv0"), 2)
    x = maps["conv1_relu"] = activation("norm0", x, _measured(x))
    x = fast_pool(x, 3, "max")
    of: Moments = {}
    for block, size in enumerate(block_sizes, start=1):
        of = _measured(x)
        for layer in range(1, size + 1):
            key = f"denseblock{block}.denselayer{layer}"
            y = activation(f"{key}.norm1", x, of) @ kernel(f"{key}.conv1")
            y = activation(f"{key}.norm2", y, _measured(y))
            y = fast_convolution(y, kernel(f"{key}.conv2"))
            added = _measured(y)
            of = {name: jnp.concatenate([of[name], added[name]]) for name in of}
            x = lax.optimization_barrier(jnp.concatenate([x, y], axis=-1))
        if block < len(block_sizes):
            y = maps[f"pool{block + 1}_relu"] = activation(f"transition{block}.norm", x, of)
            # The mean of the products is the product of the means, of a quarter of the positions.
            x = nn.avg_pool(y, (2, 2), strides=(2, 2)) @ kernel(f"transition{block}.conv")
    maps["relu"] = activation("norm5", x, of)
    return maps, used
