"""Small functions with known minima, and small pictures, for the tests."""

import jax.numpy as jnp
import numpy as np


def quadratic(x, matrix, target):
    """Half (x - target)^T matrix (x - target); aux is the residual."""
    residual = x - target
    return 0.5 * residual @ (matrix @ residual), {"residual": residual}


def rosenbrock(x):
    value = jnp.sum(100.0 * jnp.square(x[1:] - jnp.square(x[:-1])) + jnp.square(1.0 - x[:-1]))
    return value, {"first": x[0]}


def picture(height=48, width=64, seed=0):
    """Smooth colour gradients with some grain: float32, height x width x 3, in [0, 1]."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(rows / 7 + seed), np.cos(columns / 5 - seed), np.sin((rows + columns) / 9)]
    smooth = 0.5 + 0.35 * np.stack(waves, axis=-1)
    grain = np.random.default_rng(seed).normal(0.0, 0.03, smooth.shape)
    return np.clip(smooth + grain, 0.0, 1.0).astype(np.float32)
