"""Sums that are known, computed by JAX: some versions get some of them wrong, and say nothing.

All numbers are whole ones that float32 holds exactly, so that every order of additions has the same
result, whatever the device.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class KnownAnswer(NamedTuple):
    """A computation: what it is, whether a solve is made of such, and whether it was right."""

    what: str
    is_ours: bool
    is_right: Callable[[], bool]


def _small_products() -> bool:
    """Many rows through a small matrix, then squared and added up (wrong in jaxlib 0.10.2)."""
    rows = np.zeros((32_769, 3), np.float32)
    rows[:, 0] = np.arange(len(rows)) % 4096
    through = jax.vmap(lambda row: jnp.sum(jnp.square(jnp.eye(3) @ row)))
    return bool(np.array_equal(jax.jit(through)(rows), rows[:, 0] ** 2))


def _gram_matrix() -> bool:
    """The products of channels, summed over positions."""
    features = (np.arange(96 * 96 * 64) % 7).reshape(-1, 64).astype(np.float32)
    product = jax.jit(lambda x: jnp.matmul(x.T, x, precision=lax.Precision.HIGHEST))
    return bool(np.array_equal(product(features), features.T @ features))


def _convolution() -> bool:
    """A 3x3 convolution with zeros around."""
    image = (np.arange(24 * 40 * 8) % 5).reshape(1, 24, 40, 8).astype(np.float32)
    convolve = jax.jit(
        lambda x: lax.conv_general_dilated(
            x, jnp.ones((3, 3, 8, 8)), (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
    )
    padded = np.pad(image[0].sum(axis=-1), 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).sum(axis=(-1, -2))
    return bool(np.array_equal(np.asarray(convolve(image))[0], np.stack([windows] * 8, axis=-1)))


def _without_jit() -> bool:
    """Operations one by one, as in a program that compiles nothing itself."""
    x = jnp.arange(1000, dtype=jnp.float32)
    return bool(jnp.sum(x * 2.0 - x) == 499_500.0) and bool(jnp.max(jnp.cumsum(x)) == 499_500.0)


KNOWN_ANSWERS = (
    KnownAnswer("products with a small matrix, squared and added up", False, _small_products),
    KnownAnswer("operations outside of jax.jit", False, _without_jit),
    KnownAnswer("a Gram matrix", True, _gram_matrix),
    KnownAnswer("a convolution", True, _convolution),
)


def wrong_answers(*, ours_alone: bool = False) -> list[str]:
    """What JAX computes wrong here, in words; with `ours_alone` of what a solve is made of."""
    asked = (answer for answer in KNOWN_ANSWERS if answer.is_ours or not ours_alone)
    return [answer.what for answer in asked if not answer.is_right()]
