"""Poolings of step 2: as in the papers, and with gradients that XLA's CPU backend runs fast.

Feature maps are batch x height x width x channels.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int8

from stylejax.networks.kernels.convolution import Batch
from stylejax.networks.kernels.layout import interleaved_rows
from stylejax.options import Pooling


def plain_pool(x: Batch, window: int, pooling: Pooling) -> Batch:
    """Pool `window` x `window` positions around every second one.

    A window of 3 (DenseNet's) reaches over the border, and sees only what lies inside; windows of 2
    (VGG's) lie side by side, and a last odd row or column is left out.
    """
    border = (window - 1) // 2
    windows = functools.partial(
        lax.reduce_window,
        window_dimensions=(1, window, window, 1),
        window_strides=(1, 2, 2, 1),
        padding=((0, 0), (border, border), (border, border), (0, 0)),
    )
    if pooling == "max":
        return windows(x, -jnp.inf, lax.max)
    # The zeros of the padding are left out of the mean: no dark line along the border.
    return windows(x, 0.0, lax.add) / windows(jnp.ones((1, *x.shape[1:3], 1)), 0.0, lax.add)


def fast_pool(x: Batch, window: int, pooling: Pooling) -> Batch:
    """`plain_pool`, with faster gradients.

    Where two positions of a window of 2 share the maximum, they share its gradient.
    """
    if window == 2:
        # On CPU the gradient of this is twice as fast as that of a sliding window
        # (docs/presets.md).
        batch, height, width, channels = x.shape
        rows, columns = height // 2, width // 2
        windows = x[:, : 2 * rows, : 2 * columns].reshape(batch, rows, 2, columns, 2, channels)
        return windows.max((2, 4)) if pooling == "max" else windows.mean((2, 4))
    return _max_pool(x) if pooling == "max" else plain_pool(x, window, pooling)


def plain_transition(x: Batch, pointwise: Callable[[Batch], Batch]) -> Batch:
    """The means of 2 x 2 positions, side by side, of a 1x1 convolution without bias."""
    return _halved(pointwise(x))


def fast_transition(x: Batch, pointwise: Callable[[Batch], Batch]) -> Batch:
    """`plain_transition`, as the products of the means, which are a quarter as many."""
    return pointwise(_halved(x))


def _halved(x: Batch) -> Batch:
    total = lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return total / 4


Taps = Int8[Array, "batch _ _ _"]

# The windows that a position lies in, and its row (or column) there: an even one in the middle of
# one window, an odd one last in that window and first in the next.
_WINDOWS = {"even": ((0, 1),), "odd": ((0, 2), (1, 0))}


def _windows(x: Batch) -> list[Batch]:
    """The nine positions of all windows, row by row; -infinity outside of the map."""
    rows, columns = -(-x.shape[1] // 2), -(-x.shape[2] // 2)
    edges = ((0, 0), (1, 2 * rows - x.shape[1]), (1, 2 * columns - x.shape[2]), (0, 0))
    padded = jnp.pad(x, edges, constant_values=-jnp.inf)
    return [
        padded[:, row : row + 2 * rows - 1 : 2, column : column + 2 * columns - 1 : 2]
        for row in range(3)
        for column in range(3)
    ]


@jax.custom_vjp
def _max_pool(x: Batch) -> Batch:
    """The maximum of the 3x3 positions around every second one.

    The gradient goes where each window first meets its maximum. That is where the gradient of
    `lax.reduce_window` sends it, by scattering window by window: on a CPU twenty times as slow
    as the pooling itself. Here each position gathers from the windows that it lies in, the
    positions of even and odd rows and columns apart. (The price: reverse-mode differentiation
    only.)
    """
    return functools.reduce(jnp.maximum, _windows(x))


def _forward(x: Batch) -> tuple[Batch, tuple[Taps, Batch]]:
    windows, pooled = _windows(x), _max_pool(x)
    first = jnp.full(pooled.shape, -1, jnp.int8)
    for tap in reversed(range(9)):
        first = jnp.where(windows[tap] == pooled, jnp.int8(tap), first)
    return pooled, (first, x)


def _backward(residuals: tuple[Taps, Batch], gradient: Batch) -> tuple[Batch]:
    first, x = residuals
    batch, rows, columns, channels = gradient.shape
    # One row and column more than needed are computed: XLA cannot take the slices below for `first`
    # itself then, which it would search anew for each of them.
    edges = ((0, 0), (0, 2), (0, 2), (0, 0))
    first, gradient = jnp.pad(first, edges), jnp.pad(gradient, edges)

    def gathered(parity: str, other: str) -> Batch:
        total = jnp.zeros((batch, rows + 1, columns + 1, channels), x.dtype)
        for below, row in _WINDOWS[parity]:
            for beside, column in _WINDOWS[other]:
                at = (
                    slice(None),
                    slice(below, below + rows + 1),
                    slice(beside, beside + columns + 1),
                )
                total += jnp.where(first[at] == 3 * row + column, gradient[at], 0)
        return total

    even, odd = (
        jnp.stack([gathered(parity, other) for other in _WINDOWS], axis=3) for parity in _WINDOWS
    )
    beside = lambda x: x.reshape(batch, rows + 1, 2 * columns + 2, channels)
    whole = interleaved_rows(beside(even), beside(odd))
    return (whole[:, : x.shape[1], : x.shape[2]],)


_max_pool.defvjp(_forward, _backward)
