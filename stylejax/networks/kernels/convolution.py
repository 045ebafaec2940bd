"""The convolutions of the networks: as in the papers, and tuned.

Feature maps are batch x height x width x channels, kernels height x width x input x output.
JAX's own gradient of a convolution reads the kernel transposed in place, and that of a strided one
a picture full of holes. XLA's CPU backend has no fast kernel for such forms inside a compiled loop
and takes several times as long; with the kernel rearranged beforehand the gradient is again a plain
convolution, for which it has one. (The price: reverse-mode differentiation only.)

That kernel shares out the columns of a row among a CPU's threads, but never the rows: maps whose
rows are little work go through it as a single row.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import CustomVJPPrimal
from jaxtyping import Array, Float, PyTree

from stylejax.networks.kernels.layout import interleaved_rows, missing_rows

Batch = Float[Array, "batch _ _ _"]
Kernel = Float[Array, "_ _ _ _"] | Float[np.ndarray, "_ _ _ _"]
Convolution = Callable[[Batch, Kernel], Batch]
Padding = tuple[tuple[int, int], tuple[int, int]]

# Of maps, kernels and results, in XLA's letters: N the batch, O and I channels out and in.
_LAYOUT = ("NHWC", "HWIO", "NHWC")


def plain_convolution(x: Batch, kernel: Kernel, step: int = 1) -> Batch:
    """Convolution by a kernel of odd sides around every `step`-th position, padded with zeros."""
    around = [(side // 2, side // 2) for side in kernel.shape[:2]]
    return lax.conv_general_dilated(
        x, jnp.asarray(kernel), (step, step), around, dimension_numbers=_LAYOUT
    )


def fast_convolution(x: Batch, kernel: Kernel, step: int = 1) -> Batch:
    """`plain_convolution`, with tuned forms of the stem's (7x7, step 2) and of 3x3 ones."""
    if kernel.shape[:2] == (7, 7) and step == 2:
        # A row or column more of the zeros that the convolution pads with makes odd numbers even.
        odd = ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0))
        return _even_stem(jnp.pad(x, odd), kernel)
    if kernel.shape[:2] == (3, 3) and step == 1:
        return _conv3x3(x, kernel)
    return plain_convolution(x, kernel, step)


LIGHT = 5_000_000
"""A CPU convolves maps as a single row where one of theirs takes fewer multiplications."""


def _single_row_convolution(x: Batch, kernel: Kernel, padding: Padding) -> Batch:
    """A convolution that keeps the map's size, with all rows laid end to end and zeros between.

    Each of the kernel's rows is a convolution along that one row, with outputs of its own; what
    they give for the rows that it meets is then added up.
    """
    batch, height, width, inputs = x.shape
    rows, columns, _, outputs = kernel.shape
    gap = max(padding[1])
    above, below = padding[0]
    below += missing_rows(above + height + below)
    line = jnp.pad(x, ((0, 0), (above, below), (0, gap), (0, 0)))
    each = lax.conv_general_dilated(
        line.reshape(batch, 1, -1, inputs),
        jnp.asarray(kernel).transpose(1, 2, 0, 3).reshape(1, columns, inputs, rows * outputs),
        (1, 1),
        ((0, 0), padding[1]),
        dimension_numbers=_LAYOUT,
        preferred_element_type=jnp.float32,
    )
    each = each.reshape(*line.shape[:3], rows, outputs)
    met = [each[:, row : row + height, :width, row] for row in range(rows)]
    return sum(met[1:], met[0]).astype(x.dtype)


def same_size_convolution(x: Batch, kernel: Kernel, padding: Padding) -> Batch:
    """A convolution that keeps the map's size, in the form that is the fastest where it runs."""

    def plain(x: Batch, kernel: Kernel) -> Batch:
        return lax.conv_general_dilated(
            x, jnp.asarray(kernel), (1, 1), padding, dimension_numbers=_LAYOUT
        )

    def single_row(x: Batch, kernel: Kernel) -> Batch:
        return _single_row_convolution(x, kernel, padding)

    if x.shape[2] * kernel.size >= LIGHT:
        return plain(x, kernel)
    return lax.platform_dependent(x, kernel, cpu=single_row, default=plain)


def conv3x3_forward(x: Batch, kernel: Kernel) -> Batch:
    """A 3x3 convolution in the form that is the fastest where it runs; no gradient of its own."""
    return same_size_convolution(x, kernel, ((1, 1), (1, 1)))


def gradient_kernel(kernel: Kernel) -> Kernel:
    """The kernel of the convolution that is a 3x3 convolution's gradient; NumPy's stay NumPy's."""
    return kernel[::-1, ::-1].swapaxes(2, 3)


def _conv3x3_gradient(gradient: Batch, kernel: Kernel) -> Batch:
    # Without the barrier XLA would fold the rearrangement back into the convolution.
    return conv3x3_forward(gradient, lax.optimization_barrier(gradient_kernel(jnp.asarray(kernel))))


def _stem(x: Batch, kernel: Kernel) -> Batch:
    return plain_convolution(x, kernel, step=2)


def _stem_gradient(gradient: Batch, kernel: Kernel) -> Batch:
    """The gradient of the stem's convolution by an input of twice as many rows and columns.

    Of the seven taps along an axis, even positions meet those of odd number and odd ones the rest:
    with a zero before them, four each. So it is a 4x4 convolution with a channel for each parity.
    """
    *_, inputs, outputs = kernel.shape
    taps = jnp.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0)))
    taps = taps.reshape(4, 2, 4, 2, inputs, outputs)[::-1, :, ::-1]
    taps = taps.transpose(0, 2, 5, 1, 3, 4).reshape(4, 4, outputs, 4 * inputs)
    parities = same_size_convolution(gradient, lax.optimization_barrier(taps), ((1, 2), (1, 2)))
    batch, rows, columns, _ = parities.shape
    even, odd = (
        each.reshape(batch, rows, 2 * columns, inputs) for each in jnp.split(parities, 2, axis=-1)
    )
    return interleaved_rows(even, odd)


def _with_gradient(
    plain: Convolution, fast: Convolution, input_gradient: Convolution
) -> Convolution:
    """A convolution in another form, and with another gradient with respect to its input."""

    @jax.custom_vjp
    def with_gradient(x: Batch, kernel: Kernel) -> Batch:
        return fast(x, kernel)

    def forward(x: CustomVJPPrimal, kernel: CustomVJPPrimal) -> tuple[Batch, PyTree]:
        # Where the kernel is frozen, its gradient is not even traced.
        kept = x.value if kernel.perturbed else None
        return fast(x.value, kernel.value), (kept, kernel.value)

    def backward(residuals: PyTree, gradient: Batch) -> tuple[Batch, Array | None]:
        x, kernel = residuals
        kernel_gradient = None
        if x is not None:
            kernel_gradient = jax.vjp(lambda kernel: plain(x, kernel), kernel)[1](gradient)[0]
        return input_gradient(gradient, kernel), kernel_gradient

    with_gradient.defvjp(forward, backward, symbolic_zeros=True)
    return with_gradient


_conv3x3 = _with_gradient(plain_convolution, conv3x3_forward, _conv3x3_gradient)
_even_stem = _with_gradient(_stem, _stem, _stem_gradient)
