"""The terms of the loss, as pure functions of feature maps and pictures.

Feature maps are height x width x channels; N is the number of channels (the paper's N_l), M the
number of positions (M_l = height x width). Gram matrices are means over positions, which makes them
independent of the picture's size. All results are float32 scalars, at least 0, without unit.
Source: Gatys, Ecker, Bethge, A Neural Algorithm of Artistic Style (2015), arXiv 1508.06576.

Published programs weigh the same squares otherwise: `FORMS` and `TOTAL_VARIATIONS` are tables of
their ways (docs/presets.md says which program has which).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp

from stylejax.config import LossForm, TotalVariationForm
from stylejax.types import FeatureMap, Gram, Image, OtherImage, Scalar


def content_loss(feature_map: FeatureMap, target: FeatureMap) -> Scalar:
    """Half the squared distance of two feature maps of the same shape (equation 1)."""
    return 0.5 * jnp.sum(jnp.square(feature_map - target))


def content_spread(target: FeatureMap) -> Scalar:
    """`content_loss` of the best picture without content: each channel at its mean over positions.

    Dividing a content loss by it gives the share of the content's variance that was lost.
    """
    return content_loss(jnp.broadcast_to(jnp.mean(target, axis=(0, 1)), target.shape), target)


def gram_matrix(feature_map: FeatureMap) -> Gram:
    """Mean over positions of the products of channels: equation 3 divided by M."""
    height, width, channels = feature_map.shape
    flat = feature_map.reshape(height * width, channels)
    return flat.T @ flat / (height * width)


def style_loss(gram: Gram, target: Gram) -> Scalar:
    """Squared Frobenius distance of two Gram matrices over 4 N^2.

    This is E_l of equation 4: its division by M^2 stands in `gram_matrix` already, where each
    picture is divided by its own M, so the two need not be of the same size.
    """
    channels = gram.shape[-1]
    return jnp.sum(jnp.square(gram - target)) / (4.0 * channels**2)


def _neighbour_differences(image: Image) -> tuple[OtherImage, OtherImage]:
    return image[1:, :-1] - image[:-1, :-1], image[:-1, 1:] - image[:-1, :-1]


def total_variation(image: Image) -> Scalar:
    """Mean over pixels and channels of |vertical| + |horizontal| difference of neighbours.

    The anisotropic form of Rudin, Osher, Fatemi (1992); the picture is at least 2 x 2.
    """
    vertical, horizontal = _neighbour_differences(image)
    # The gradient of jnp.abs at 0 is 0 or 1, by version; this one's is 0: even areas stay even.
    magnitude = lambda x: x * jnp.sign(x)
    return jnp.mean(magnitude(vertical) + magnitude(horizontal))


def total_variation_power(image: Image, exponent: float | Scalar = 1.25) -> Scalar:
    """Mean over pixels and channels of (vertical^2 + horizontal^2)^exponent.

    The form of the published DenseNet and VGG notebooks, which sum instead of taking the mean. With
    the exponent above 1, edges cost more than in `total_variation`, and grain costs less.
    """
    vertical, horizontal = _neighbour_differences(image)
    return jnp.mean(jnp.power(jnp.square(vertical) + jnp.square(horizontal), exponent))


def total_variation_power_sum(image: Image) -> Scalar:
    """Sum over pixels and channels of (vertical^2 + horizontal^2)^1.25, of values in [0, 255]."""
    return image[1:, 1:].size * 255.0**2.5 * total_variation_power(image)


def total_variation_squared_sum(image: Image) -> Scalar:
    """Half the sum over pixels and channels of vertical^2 + horizontal^2, of values in [0, 255]."""
    vertical, horizontal = _neighbour_differences(255.0 * image)
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
