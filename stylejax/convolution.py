"""The convolutions of the networks, with gradients that are fast inside compiled loops.

Feature maps are batch x height x width x channels, kernels height x width x input x output.
JAX's own gradient of a convolution reads the kernel transposed in place, and that of a strided one
a picture full of holes. XLA's CPU backend has no fast kernel for such forms inside a compiled loop
and takes several times as long; with the kernel rearranged beforehand the gradient is again a plain
convolution, for which it has one. (The price: reverse-mode differentiation only.)
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

Batch = Float[Array, "batch _ _ _"]
Kernel = Float[Array, "_ _ _ _"] | Float[np.ndarray, "_ _ _ _"]
Convolution = Callable[[Any, Any], Batch]

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def plain_conv3x3(x: Batch, kernel: Kernel) -> Batch:
    """3x3 convolution, stride 1, zero padding 1."""
    return lax.conv_general_dilated(
        x, jnp.asarray(kernel), (1, 1), ((1, 1), (1, 1)), dimension_numbers=_LAYOUT
    )


def conv3x3_gradient(gradient: Batch, kernel: Kernel) -> Batch:
    """The gradient of `plain_conv3x3` with respect to its input."""
    # Without the barrier XLA would fold the rearrangement back into the convolution.
    flipped = lax.optimization_barrier(jnp.asarray(kernel)[::-1, ::-1].swapaxes(2, 3))
    return plain_conv3x3(gradient, flipped)


def interleaved_rows(even: Batch, odd: Batch) -> Batch:
    """The rows of two maps by turns: the first is the first map's.

    With zeros between the rows, which stay on their device where the rows lie on several; a stack
    and a reshape would collect all of them.
    """
    zero = jnp.zeros((), even.dtype)
    spread = lambda x, above: lax.pad(
        x, zero, ((0, 0, 0), (above, 1 - above, 1), (0, 0, 0), (0, 0, 0))
    )
    return spread(even, 0) + spread(odd, 1)


def plain_stem(x: Batch, kernel: Kernel) -> Batch:
    """7x7 convolution, stride 2, zero padding 3."""
    return lax.conv_general_dilated(
        x, jnp.asarray(kernel), (2, 2), ((3, 3), (3, 3)), dimension_numbers=_LAYOUT
    )


def _stem_gradient(gradient: Batch, kernel: Kernel) -> Batch:
    """The gradient of `plain_stem` with respect to an input of twice as many rows and columns.

    Of the seven taps along an axis, even positions meet those of odd number and odd ones the rest:
    with a zero before them, four each. So it is a 4x4 convolution with a channel for each parity.
    """
    *_, inputs, outputs = kernel.shape
    taps = jnp.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0)))
    taps = taps.reshape(4, 2, 4, 2, inputs, outputs)[::-1, :, ::-1]
    taps = taps.transpose(0, 2, 5, 1, 3, 4).reshape(4, 4, outputs, 4 * inputs)
    parities = lax.conv_general_dilated(
        gradient,
        lax.optimization_barrier(taps),
        (1, 1),
        ((1, 2), (1, 2)),
        dimension_numbers=_LAYOUT,
    )
    batch, rows, columns, _ = parities.shape
    even, odd = (
        each.reshape(batch, rows, 2 * columns, inputs) for each in jnp.split(parities, 2, axis=-1)
    )
    return interleaved_rows(even, odd)


def _with_gradient(plain: Convolution, input_gradient: Convolution) -> Convolution:
    """A convolution with another gradient with respect to its input."""

    @jax.custom_vjp
    def convolution(x: Batch, kernel: Kernel) -> Batch:
        return plain(x, kernel)

    def forward(x: Any, kernel: Any) -> tuple[Batch, Any]:
        # Where the kernel is frozen, its gradient is not even traced.
        kept = x.value if kernel.perturbed else None
        return plain(x.value, kernel.value), (kept, kernel.value)

    def backward(residuals: Any, gradient: Batch) -> tuple[Batch, Array | None]:
        x, kernel = residuals
        kernel_gradient = None
        if x is not None:
            kernel_gradient = jax.vjp(lambda kernel: plain(x, kernel), kernel)[1](gradient)[0]
        return input_gradient(gradient, kernel), kernel_gradient

    convolution.defvjp(forward, backward, symbolic_zeros=True)
    return convolution


conv3x3 = _with_gradient(plain_conv3x3, conv3x3_gradient)
_even_stem = _with_gradient(plain_stem, _stem_gradient)


def stem(x: Batch, kernel: Kernel) -> Batch:
    """`plain_stem`, with a gradient that is a plain convolution."""
    # A row or column more of the zeros that the convolution pads with makes odd numbers even.
    odd = ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0))
    return _even_stem(jnp.pad(x, odd), kernel)
