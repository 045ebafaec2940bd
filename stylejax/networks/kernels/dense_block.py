"""A dense block of a frozen DenseNet: as in the paper, and in one buffer with its own gradient.

Written layer by layer, a block copies all of its feature maps at each concatenation and keeps every
copy for the gradient: memory and traffic grow with the square of its length. Here each layer writes
its maps into their place in one buffer, and the gradient is added up in another (the shared memory
of Pleiss et al. (2017), Memory-Efficient Implementation of DenseNets, arXiv 1707.06990). Batch norm
is folded to a scale and a shift, the second one's scale into the kernel before it.

Feature maps are batch x height x width x channels.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import CustomVJPPrimal
from jaxtyping import Array, Float, PyTree

from stylejax.networks.kernels.convolution import (
    Batch,
    Convolution,
    conv3x3_forward,
    gradient_kernel,
    plain_convolution,
)

Stored = Array | np.ndarray
Numbers = Float[Stored, "..."]
Affine = tuple[Numbers, Numbers]
"""Scale and shift of a batch norm with stored statistics."""


class DenseLayer(NamedTuple):
    """The numbers of one layer (`dense_layer`), and its kernels as the gradient reads them."""

    scale: Float[Stored, " channels"]
    shift: Float[Stored, " channels"]
    pointwise: Float[Stored, "channels bottleneck"]
    pointwise_shift: Float[Stored, " bottleneck"]
    spatial: Float[Stored, "3 3 bottleneck growth"]
    pointwise_gradient: Float[Stored, "bottleneck channels"]
    spatial_gradient: Float[Stored, "3 3 growth bottleneck"]


def dense_layer(before: Affine, pointwise: Numbers, after: Affine, spatial: Numbers) -> DenseLayer:
    """A layer from its two batch norms, before and after the 1x1 convolution, and its kernels.

    `pointwise` (channels x bottleneck) and `spatial` are as they are stored. NumPy's arrays stay
    NumPy's.
    """
    scale, shift = before
    pointwise = pointwise * after[0]
    back = (pointwise * scale[:, None]).T
    return DenseLayer(scale, shift, pointwise, after[1], spatial, back, gradient_kernel(spatial))


def _bottleneck(x: Batch, layer: DenseLayer) -> Batch:
    """Norm, ReLU, 1x1 convolution, norm, ReLU."""
    activation = jax.nn.relu(x * layer.scale + layer.shift).astype(x.dtype)
    product = jnp.matmul(
        activation, layer.pointwise.astype(x.dtype), preferred_element_type=jnp.float32
    )
    return jax.nn.relu(product + layer.pointwise_shift).astype(x.dtype)


def plain_dense_block(
    x: Batch, layers: Sequence[DenseLayer], convolution: Convolution = plain_convolution
) -> Batch:
    """The block's input and what each layer adds to it, concatenated along the channels.

    Source: Huang et al. (2017), equation 2, with bottleneck layers (section 3). Another 3x3
    `convolution` may pad otherwise.
    """
    for layer in layers:
        y = convolution(_bottleneck(x, layer), layer.spatial.astype(x.dtype))
        x = jnp.concatenate([x, y], axis=-1)
    return x


def _run(
    x: Batch, layers: Sequence[DenseLayer], convolution: Convolution
) -> tuple[Batch, list[Batch]]:
    """The block in one buffer, and the bottlenecks of its layers."""
    channels = x.shape[-1]
    added = sum(layer.spatial.shape[-1] for layer in layers)
    buffer = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, added)))
    bottlenecks = []
    for layer in layers:
        bottlenecks.append(_bottleneck(buffer[..., :channels], layer))
        y = convolution(bottlenecks[-1], layer.spatial.astype(x.dtype))
        buffer = lax.dynamic_update_slice_in_dim(buffer, y, channels, axis=-1)
        channels += y.shape[-1]
    return buffer, bottlenecks


def _is_argument(leaf: object) -> bool:
    return isinstance(leaf, CustomVJPPrimal)


def _backward(convolution: Convolution, residuals: PyTree, gradient: Batch) -> tuple[Batch, PyTree]:
    if not isinstance(residuals, tuple):
        return residuals(gradient)
    buffer, bottlenecks, layers = residuals
    for layer, bottleneck in zip(reversed(layers), reversed(bottlenecks), strict=True):
        channels, growth = layer.scale.shape[0], layer.spatial.shape[-1]
        x = buffer[..., :channels]
        added = gradient[..., channels : channels + growth]
        # Without the barrier XLA would fold a kernel turned in the same program back.
        spatial = lax.optimization_barrier(layer.spatial_gradient.astype(x.dtype))
        into = jnp.where(bottleneck > 0, convolution(added, spatial), 0)
        kernel = layer.pointwise_gradient.astype(x.dtype)
        into = jnp.where(x * layer.scale + layer.shift > 0, into @ kernel, 0)
        before = gradient[..., :channels] + into
        gradient = lax.dynamic_update_slice_in_dim(gradient, before, 0, axis=-1)
    channels = layers[0].scale.shape[0]
    return gradient[..., :channels], jax.tree.map(lambda leaf: None, layers)


def in_one_buffer(fast: Convolution, plain: Convolution) -> Callable[..., Batch]:
    """`plain_dense_block` by a convolution that has a `fast` form and a `plain` one.

    Both must give their own gradient with the kernel turned (`gradient_kernel`), as those do that
    pad with zeros or with the other side. Faster and in less memory; reverse-mode differentiation
    only.
    """

    @jax.custom_vjp
    def block(x: Batch, layers: Sequence[DenseLayer]) -> Batch:
        return _run(x, layers, fast)[0]

    def forward(x: CustomVJPPrimal, layers: PyTree) -> tuple[Batch, PyTree]:
        numbers = jax.tree.map(lambda leaf: leaf.value, layers, is_leaf=_is_argument)
        if any(leaf.perturbed for leaf in jax.tree.leaves(layers, is_leaf=_is_argument)):
            # Kernels that are trained: JAX's own gradient.
            plain_block = partial(plain_dense_block, convolution=plain)
            return jax.vjp(plain_block, x.value, numbers)
        buffer, bottlenecks = _run(x.value, numbers, fast)
        return buffer, (buffer, bottlenecks, numbers)

    block.defvjp(forward, partial(_backward, fast), symbolic_zeros=True)
    return block


fast_dense_block = in_one_buffer(conv3x3_forward, plain_convolution)
"""`plain_dense_block` (`in_one_buffer`)."""
