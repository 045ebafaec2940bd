"""The networks' functions on a picture that tiles: maps go on at their other side.

Feature maps are batch x height x width x channels, with sides that are multiples of the step. Each
function is one that pads with something else, given the map with a frame of what lies beyond its
border: results that the padding reaches are cut off with the frame's, so that in every form values
and gradients are those of a periodic map.
"""

from collections.abc import Callable

import jax.numpy as jnp

from stylejax.networks.kernels.convolution import Batch, Kernel
from stylejax.options import Pooling


def _framed(x: Batch, margin: int) -> Batch:
    return jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="wrap")


def _margin(reach: int, step: int) -> int:
    """The frame for windows that reach so far, such that the first one stays in its place."""
    return -(-reach // step) * step


def _inside(x: Batch, margin: int) -> Batch:
    return x[:, margin : x.shape[1] - margin, margin : x.shape[2] - margin]


def wrapped_convolution(convolution: Callable[..., Batch]) -> Callable[..., Batch]:
    """A convolution by kernels of odd sides around every `step`-th position, made periodic."""

    def wrapped(x: Batch, kernel: Kernel, step: int = 1) -> Batch:
        margin = _margin(max(kernel.shape[:2]) // 2, step)
        # Some convolutions have no other step than 1, and no argument for it.
        steps = () if step == 1 else (step,)
        return _inside(convolution(_framed(x, margin), kernel, *steps), margin // step)

    return wrapped


def wrapped_pool(pool: Callable[..., Batch]) -> Callable[..., Batch]:
    """A pooling of step 2, made periodic: windows of 2 lie side by side and need no frame."""

    def wrapped(x: Batch, window: int, pooling: Pooling) -> Batch:
        margin = _margin((window - 1) // 2, 2)
        return _inside(pool(_framed(x, margin), window, pooling), margin // 2)

    return wrapped
