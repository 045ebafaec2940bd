"""The 3x3 convolution of the networks, with a gradient that is fast inside compiled loops.

Feature maps are batch x height x width x channels, kernels height x width x input x output.
"""

from typing import Any

import jax
from jax import lax
from jaxtyping import Array, Float

Batch = Float[Array, "batch _ _ _"]
Kernel = Float[Array, "3 3 _ _"]


def plain_conv3x3(x: Batch, kernel: Kernel) -> Batch:
    """3x3 convolution, stride 1, zero padding 1."""
    return lax.conv_general_dilated(
        x, kernel, (1, 1), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@jax.custom_vjp
def conv3x3(x: Batch, kernel: Kernel) -> Batch:
    """`plain_conv3x3` with a gradient that is again a plain convolution.

    JAX's own gradient reads the kernel transposed in place. Inside a compiled loop XLA's CPU
    backend has no fast kernel for that form and takes three times as long; with the kernel
    flipped and transposed beforehand, and a barrier so that XLA does not fold it back, it has.
    (The price: reverse-mode differentiation only.)
    """
    return plain_conv3x3(x, kernel)


def _forward(x: Any, kernel: Any) -> tuple[Batch, tuple[Batch | None, Array]]:
    # Where the kernel is frozen, its gradient is not even traced.
    kept = x.value if kernel.perturbed else None
    return plain_conv3x3(x.value, kernel.value), (kept, kernel.value)


def _backward(residuals: tuple[Batch | None, Array], gradient: Batch) -> tuple[Batch, Array | None]:
    x, kernel = residuals
    flipped = lax.optimization_barrier(kernel[::-1, ::-1].swapaxes(2, 3))
    kernel_gradient = None
    if x is not None:
        kernel_gradient = jax.vjp(lambda k: plain_conv3x3(x, k), kernel)[1](gradient)[0]
    return conv3x3(gradient, flipped), kernel_gradient


conv3x3.defvjp(_forward, _backward, symbolic_zeros=True)
