"""Where the decoders' training starts: their linear maps, by least squares.

The best linear map of features to the next tap's is known from sums over windows alone. With it the
chain gives back some 19, 24 and 35 dB before the first step.
"""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from stylejax.universal.decoders import LEVELS, enlarged
from training.decoder_features import Batch, encode, in_deviations, in_pixels

_RIDGE = 1e-3
_LAST = LEVELS[-1]


def neighborhoods(maps: Batch) -> Batch:
    """Each position's 3x3 neighborhood as channels, in a kernel's order; padded by reflection."""
    height, width = maps.shape[1:3]
    maps = jnp.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    parts = [maps[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(parts, axis=-1)


def _cells(maps: Batch) -> Batch:
    """2x2 positions as channels: the inverse of `interleaved`."""
    batch, height, width, channels = maps.shape
    maps = maps.reshape(batch, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return maps.reshape(batch, height // 2, width // 2, 4 * channels)


@jax.jit
def _normal_equations(
    encoder: Any, deviations: Any, windows: Any
) -> dict[str, tuple[Array, Array]]:
    """For each block's linear map: the means of x x^T and x y^T, where x has a last 1."""
    maps = in_deviations(encode(encoder, windows.astype(jnp.float32) / 255.0), deviations)
    maps["input"] = in_pixels(maps) - 0.5
    found = {}
    for name, finer in zip(LEVELS, (*LEVELS[1:], "input"), strict=True):
        x = neighborhoods(maps[name]) if name == _LAST else enlarged(maps[name])
        x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=1.0)
        x = x.reshape(-1, x.shape[-1])
        y = (_cells(maps[finer]) if name == _LAST else maps[finer]).reshape(len(x), -1)
        found[name] = x.T @ x / len(x), x.T @ y / len(x)
    return found


def _solved(equations: Any) -> dict[str, dict[str, np.ndarray]]:
    """The kernels and biases of the linear maps, by least squares with a small ridge."""
    found = {}
    for name, (square, product) in equations.items():
        square, product = np.asarray(square, np.float64), np.asarray(product, np.float64)
        ridge = np.eye(len(square))
        ridge[-1, -1] = 0.0
        solution = np.linalg.solve(square + _RIDGE * ridge, product)
        kernel = solution[:-1].astype(np.float32)
        if name == _LAST:
            kernel = kernel.reshape(3, 3, -1, kernel.shape[-1])
        found[name] = {"kernel": kernel, "bias": solution[-1].astype(np.float32)}
    return found


def straight_parts(
    encoder: Any, deviations: Any, windows: Iterable[np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """The kernels and biases of each block's linear map, from batches of uint8 windows."""
    each = [_normal_equations(encoder, deviations, batch) for batch in windows]
    mean = jax.tree.map(lambda *parts: np.mean(parts, axis=0, dtype=np.float64), *each)
    return _solved(mean)
