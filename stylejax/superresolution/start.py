"""The last convolution fitted to a body that has learned another factor, before training goes on.

What it adds to bicubic interpolation is linear in what the body says of a position and its
neighbors, so that the least squared error has a closed form. Only sharpness 0 is fitted.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stylejax.superresolution.form import Enlarger
from stylejax.superresolution.network import Crops, Parameters
from stylejax.superresolution.residual import body_features, cubic_enlargement

_RIDGE = 1e-6
"""Added to the diagonal, over its mean."""
_EDGE = 4
"""Pixels of a small crop's border that do not count: the body sees zeros there, and bicubic
interpolation needs two of them."""


def _neighborhoods(x: Float[Array, "_ _ channels"]) -> Float[Array, "positions _"]:
    """What a 3x3 convolution sees at each position inside the edge, and a 1 for its bias."""
    height, width = (side - 2 * _EDGE for side in x.shape[:2])
    near = [
        x[_EDGE + row : _EDGE + row + height, _EDGE + column : _EDGE + column + width]
        for row in (-1, 0, 1)
        for column in (-1, 0, 1)
    ]
    ones = jnp.ones((height, width, 1))
    return jnp.concatenate([*near, ones], axis=-1).reshape(height * width, -1)


def _wanted(small: Array, large: Array, factor: int) -> Float[Array, "positions _"]:
    """What is missing in bicubic interpolation, each position's pixels side by side."""
    rest, edge = _EDGE - 2, factor * _EDGE
    missing = large[edge:-edge, edge:-edge] - cubic_enlargement(
        small[rest:-rest, rest:-rest], factor
    )
    height, width = (side // factor for side in missing.shape[:2])
    blocks = missing.reshape(height, factor, width, factor, 3).transpose(0, 2, 1, 3, 4)
    return blocks.reshape(height * width, -1)


def fitted_tail(
    enlarger: Enlarger,
    parameters: Parameters,
    small: Crops,
    large: Float[Array, "batch large large 3"],
) -> Parameters:
    """Parameters with the last convolution that enlarges crops with the least squared error.

    Args:
        enlarger: the network's form, of the residual body.
        parameters: whose body stays as it is.
        small: crops, reduced.
        large: the same crops before.
    """

    @jax.jit
    def sums(small: Array, large: Array) -> tuple[Array, Array]:
        seen = _neighborhoods(body_features(enlarger, parameters, small, 0.0))
        return seen.T @ seen, seen.T @ _wanted(small, large, enlarger.factor)

    each = [jax.device_get(sums(*pair)) for pair in zip(small, large, strict=True)]
    squares, products = (
        np.sum(np.stack(part), axis=0, dtype=float) for part in zip(*each, strict=True)
    )
    squares += _RIDGE * np.mean(np.diag(squares)) * np.eye(len(squares))
    solved = jnp.asarray(np.linalg.solve(squares, products), jnp.float32)
    kernel = solved[:-1].reshape(3, 3, enlarger.channels, -1)
    tail = {"kernel": kernel, "sharp_kernel": jnp.zeros_like(kernel), "bias": solved[-1]}
    return {**parameters, "tail": tail}
