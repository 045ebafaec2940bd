"""The terms of the loss, as pure functions of feature maps and pictures.

Feature maps are height x width x channels; N is the number of channels (the paper's N_l), M the
number of positions (M_l = height x width). Gram matrices are means over positions, which makes them
independent of the picture's size. All results are float32 scalars, at least 0, without unit.
Source: Gatys, Ecker, Bethge, A Neural Algorithm of Artistic Style (2015), arXiv 1508.06576.

Published programs weigh the same squares otherwise: `FORMS` and `TOTAL_VARIATIONS` are tables of
their ways (docs/presets.md says which program has which).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stylejax.networks.kernels.layout import missing_rows
from stylejax.options import LossForm, StyleLoss, TotalVariationForm
from stylejax.types import FeatureMap, Gram, Image, Scalar


def content_loss(feature_map: FeatureMap, target: FeatureMap) -> Scalar:
    """Half the squared distance of two feature maps of the same shape (equation 1)."""
    return 0.5 * jnp.sum(jnp.square(feature_map - target))


def content_spread(target: FeatureMap) -> Scalar:
    """`content_loss` of the best picture without content: each channel at its mean over positions.

    Dividing a content loss by it gives the share of the content's variance that was lost.
    """
    return content_loss(jnp.broadcast_to(jnp.mean(target, axis=(0, 1)), target.shape), target)


class Moments(NamedTuple):
    """Means over positions: of each channel, and of the products of channels (the Gram matrix).

    Several pictures' moments mix linearly, with weights that sum to 1, into those of all of them
    together.
    """

    mean: Float[Array, "*styles channels"]
    gram: Float[Array, "*styles channels channels"]


_FEW_CHANNELS = 16


def _products(left: FeatureMap, right: FeatureMap) -> Gram:
    """Sum over positions of the products of channels."""
    channels = left.shape[-1]
    whole = lambda x: jnp.pad(x, ((0, missing_rows(x.shape[0])), (0, 0), (0, 0)))
    if channels > _FEW_CHANNELS:
        return whole(left).reshape(-1, channels).T @ whole(right).reshape(-1, channels)
    # A matrix product this thin adds all positions in one chain, on a CPU with an error of 3e-4 at
    # 384 px; with the channels first it is 1e-7, and takes a third of the time.
    planes = lambda x: jnp.moveaxis(whole(x), -1, 0).reshape(channels, -1)
    return planes(left) @ planes(right).T


@jax.custom_jvp
def gram_matrix(feature_map: FeatureMap) -> Gram:
    """Mean over positions of the products of channels: equation 3 divided by M."""
    height, width, channels = feature_map.shape
    if channels <= _FEW_CHANNELS:
        return _products(feature_map, feature_map) / (height * width)
    # The matrix is symmetric: of its four blocks one is the transpose of another.
    first, last = jnp.split(feature_map, [channels // 2], axis=-1)
    beside = _products(first, last)
    blocks = [[_products(first, first), beside], [beside.T, _products(last, last)]]
    return jnp.block(blocks) / (height * width)


@gram_matrix.defjvp
def _gram_matrix_jvp(primals: Any, tangents: Any) -> tuple[Gram, Gram]:
    (feature_map,), (tangent,) = primals, tangents
    height, width, _ = feature_map.shape
    # Both halves of the product rule are one product and its transpose: JAX's own gradient would
    # multiply twice.
    half = _products(tangent, feature_map) / (height * width)
    return gram_matrix(feature_map), half + half.T


def feature_moments(
    feature_map: FeatureMap, weights: Float[Array, "height width"] | None = None
) -> Moments:
    """The mean and the Gram matrix of a feature map.

    `weights` of the positions, with a sum of 1, make them those of a region (guided Gram
    matrices: Gatys et al. (2017), arXiv 1611.07865, section 4).
    """
    if weights is None:
        return Moments(jnp.mean(feature_map, axis=(0, 1)), gram_matrix(feature_map))
    weighted = feature_map * weights[..., None]
    return Moments(jnp.sum(weighted, axis=(0, 1)), _products(weighted, feature_map))


def covariance(moments: Moments) -> Gram:
    """The covariance of the channels over positions."""
    return moments.gram - jnp.outer(moments.mean, moments.mean)


def style_loss(gram: Gram, target: Gram) -> Scalar:
    """Squared Frobenius distance of two Gram matrices over 4 N^2.

    This is E_l of equation 4: its division by M^2 stands in `gram_matrix` already, where each
    picture is divided by its own M, so the two need not be of the same size.
    """
    channels = gram.shape[-1]
    return jnp.sum(jnp.square(gram - target)) / (4.0 * channels**2)


_ROOT_ITERATIONS = 16
_REGULARIZATION = 1e-4


def _newton_schulz(matrix: Gram) -> tuple[Gram, Gram]:
    """The square root of a positive definite matrix, and the root's inverse.

    The coupled iteration of Denman and Beavers without inverses (Higham, Functions of Matrices
    (2008), equation 6.35): matrix products alone, so it is fast on every device.
    """
    largest = jnp.max(jnp.abs(matrix))  # Squares of very small entries would underflow.
    norm = largest * jnp.linalg.norm(matrix / largest)
    identity = jnp.eye(matrix.shape[-1], dtype=matrix.dtype)

    def step(_: Any, roots: tuple[Gram, Gram]) -> tuple[Gram, Gram]:
        root, inverse = roots
        correction = 1.5 * identity - 0.5 * inverse @ root
        return root @ correction, correction @ inverse

    root, inverse = jax.lax.fori_loop(0, _ROOT_ITERATIONS, step, (matrix / norm, identity))
    return root * jnp.sqrt(norm), inverse / jnp.sqrt(norm)


@jax.custom_jvp
def trace_of_root(matrix: Gram) -> Scalar:
    """The trace of the square root of a positive definite matrix."""
    return jnp.trace(_newton_schulz(matrix)[0])


@trace_of_root.defjvp
def _trace_of_root_jvp(primals: tuple[Gram], tangents: tuple[Gram]) -> tuple[Scalar, Scalar]:
    root, inverse = _newton_schulz(primals[0])
    return jnp.trace(root), 0.5 * jnp.vdot(inverse, tangents[0])


def wasserstein_loss(moments: Moments, target: Moments) -> Scalar:
    """Squared Wasserstein-2 distance over N of the normal distributions with these moments.

    |m - n|^2 + tr(A + B - 2 (B^1/2 A B^1/2)^1/2), with means m, n and covariances A, B (Dowson and
    Landau, 1982). Both covariances get 1e-4 of the target's mean variance on their diagonal, so
    that their roots are smooth where channels are dead or depend on each other.
    """
    channels = target.mean.shape[-1]
    ours, theirs = covariance(moments), covariance(target)
    # Not 0 where the texture is blank.
    floor = _REGULARIZATION * jnp.trace(theirs) / channels + 1e-15
    ours, theirs = (matrix + floor * jnp.eye(channels) for matrix in (ours, theirs))
    root, _ = _newton_schulz(jax.lax.stop_gradient(theirs))
    overlap = trace_of_root(root @ ours @ root)
    means = jnp.sum(jnp.square(moments.mean - target.mean))
    return (means + jnp.trace(ours) + jnp.trace(theirs) - 2.0 * overlap) / channels


def covariance_losses(moments: Moments, target: Moments) -> tuple[Scalar, Scalar]:
    """The two parts of the Gram matrix apart: `style_loss` of the covariances, and the means.

    The squared distance of the means is multiplied by the target's energy, which makes it as large
    as `style_loss` of the means' products where they are close; unlike that, it tells a mean from
    its negative (pixels are centered around 0 for the network).
    """
    channels = target.mean.shape[-1]
    distance = jnp.sum(jnp.square(moments.mean - target.mean))
    means = distance * jnp.trace(target.gram) / (4.0 * channels**2)
    return style_loss(covariance(moments), covariance(target)), means


STYLE_LOSSES: Mapping[StyleLoss, Callable[[Moments, Moments], tuple[Scalar, ...]]] = {
    "gram": lambda moments, target: (style_loss(moments.gram, target.gram),),
    "covariance": covariance_losses,
    "wasserstein": lambda moments, target: (wasserstein_loss(moments, target),),
}
"""The distances of two textures, each as the parts that count alike in the relative form."""


Planes = Float[Array, "3 _ _"]


def _planes(image: Image) -> Planes:
    # With the channels first a CPU's vector units have whole rows to work on, not three numbers.
    return jnp.moveaxis(image, -1, 0)


@jax.custom_vjp
def _neighbor_differences(planes: Planes) -> tuple[Planes, Planes]:
    """To the neighbor below and to the one beside, without the last row and column.

    JAX's own gradient pads each term with zeros, which XLA's CPU backend asks about at every pixel;
    this one adds the columns up in place. (The price: reverse-mode differentiation only.)
    """
    here = planes[:, :-1, :-1]
    return planes[:, 1:, :-1] - here, planes[:, :-1, 1:] - here


def _differences_backward(_: None, gradients: tuple[Planes, Planes]) -> tuple[Planes]:
    below, beside = gradients
    # Rows of zeros cost little, and where rows lie on several devices they stay there.
    rows = lambda x, above, beneath: jnp.pad(x, ((0, 0), (above, beneath), (0, 0)))
    total = rows(below, 1, 0) - rows(below + beside, 0, 1)
    total = jnp.pad(total, ((0, 0), (0, 0), (0, 1)))
    last = total[:, :, 1:] + rows(beside, 0, 1)
    return (jax.lax.dynamic_update_slice(total, last, (0, 0, 1)),)


_neighbor_differences.defvjp(
    lambda planes: (_neighbor_differences(planes), None), _differences_backward
)


def total_variation(image: Image) -> Scalar:
    """Mean over pixels and channels of |vertical| + |horizontal| difference of neighbors.

    The anisotropic form of Rudin, Osher, Fatemi (1992); the picture is at least 2 x 2.
    """
    vertical, horizontal = _neighbor_differences(_planes(image))
    # The gradient of jnp.abs at 0 is 0 or 1, by version; this one's is 0: even areas stay even.
    magnitude = lambda x: x * jnp.sign(x)
    return jnp.mean(magnitude(vertical) + magnitude(horizontal))


@jax.custom_jvp
def _to_the_1_25(x: Array) -> Array:
    """The power of 1.25 of numbers of 0 or more, by roots: on a CPU ten times as fast."""
    return x * jnp.sqrt(jnp.sqrt(x))


@_to_the_1_25.defjvp
def _to_the_1_25_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (x,), (tangent,) = primals, tangents
    return _to_the_1_25(x), 1.25 * jnp.sqrt(jnp.sqrt(x)) * tangent


def total_variation_power(image: Image, exponent: float | Scalar = 1.25) -> Scalar:
    """Mean over pixels and channels of (vertical^2 + horizontal^2)^exponent.

    The form of the published DenseNet and VGG notebooks, which sum instead of taking the mean. With
    the exponent above 1, edges cost more than in `total_variation`, and grain costs less.
    """
    vertical, horizontal = _neighbor_differences(_planes(image))
    squares = jnp.square(vertical) + jnp.square(horizontal)
    return jnp.mean(
        _to_the_1_25(squares)
        if isinstance(exponent, float) and exponent == 1.25
        else jnp.power(squares, exponent)
    )


def total_variation_power_sum(image: Image) -> Scalar:
    """Sum over pixels and channels of (vertical^2 + horizontal^2)^1.25, of values in [0, 255]."""
    return image[1:, 1:].size * 255.0**2.5 * total_variation_power(image)


def total_variation_squared_sum(image: Image) -> Scalar:
    """Half the sum over pixels and channels of vertical^2 + horizontal^2, of values in [0, 255]."""
    vertical, horizontal = _neighbor_differences(255.0 * _planes(image))
    return 0.5 * jnp.sum(jnp.square(vertical) + jnp.square(horizontal))


class Sizes(NamedTuple):
    """What a layer's term may be divided by: N, M, and the picture's number of pixels."""

    channels: int
    positions: int
    pixels: int


class Form(NamedTuple):
    """How much `content_loss` and `style_loss` of a layer count, by the layer's sizes."""

    content: Callable[[Sizes], float]
    style: Callable[[Sizes], float]


_AS_IN_THE_PAPER = Form(lambda of: 1.0, lambda of: 1.0)

FORMS: Mapping[LossForm, Form] = {
    "relative": _AS_IN_THE_PAPER,
    "paper": _AS_IN_THE_PAPER,
    # Means of squares: |F - P|^2 / (N M) and |G - A|^2 / N^2, where G and A are divided by N M.
    "mean": Form(lambda of: 2.0 / (of.channels * of.positions), lambda of: 4.0 / of.channels**2),
    # Sums: |F - P|^2 and |G - A|^2 / (4 3^2 pixels^2), where G and A are sums over positions: the
    # paper's N and M taken from the picture itself.
    "sum": Form(lambda of: 2.0, lambda of: (of.channels * of.positions / (3.0 * of.pixels)) ** 2),
}

TOTAL_VARIATIONS: Mapping[TotalVariationForm, Callable[[Image], Scalar]] = {
    "power": total_variation_power,
    "plain": total_variation,
    "power-sum": total_variation_power_sum,
    "squared-sum": total_variation_squared_sum,
}
