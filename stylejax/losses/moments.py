"""The texture of a feature map: its channels' means and products, and what compares two textures.

Feature maps are height x width x channels, N is the number of channels. Losses are float32 scalars,
at least 0, without unit.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stylejax.losses.gram import GramMatrix, gram_matrix, style_loss
from stylejax.types import FeatureMap, Features, Gram, Scalar


class Moments(NamedTuple):
    """Means over positions: of each channel, and of the products of channels (the Gram matrix).

    Several pictures' moments mix linearly, with weights that sum to 1, into those of all of them
    together.
    """

    mean: Float[Array, "*styles channels"]
    gram: Float[Array, "*styles channels channels"]


StyleDistance = Callable[[Moments, Moments], Scalar | tuple[Scalar, ...]]
"""A style loss: of a layer's moments and their target, as one number or as several parts.

Parts count alike in the relative form, where each has a unit of its own.
"""


def feature_moments(
    feature_map: FeatureMap,
    weights: Float[Array, "height width"] | None = None,
    *,
    gram_matrix: GramMatrix = gram_matrix,
) -> Moments:
    """The mean and the Gram matrix of a feature map.

    `weights` of the positions, with a sum of 1, make them those of a region (guided Gram
    matrices: Gatys et al. (2017), arXiv 1611.07865, section 4).
    """
    if weights is None:
        return Moments(jnp.mean(feature_map, axis=(0, 1)), gram_matrix(feature_map, None))
    mean = jnp.sum(feature_map * weights[..., None], axis=(0, 1))
    return Moments(mean, gram_matrix(feature_map, weights))


def layer_moments(
    features: Features,
    regions: Mapping[str, Float[Array, "_ _ regions"]],
    shares: Mapping[str, float],
    *,
    gram_matrix: GramMatrix = gram_matrix,
) -> dict[str, Moments]:
    """The moments of several layers, with a leading axis of regions where there are some.

    `shares` are those of the positions seen in each layer's: without regions, whose weights say
    so, means over the former are scaled to parts of means over the latter, to be added up.
    """
    moments = partial(feature_moments, gram_matrix=gram_matrix)
    if regions:
        of_regions = jax.vmap(moments, (None, -1))
        return {name: of_regions(features[name], regions[name]) for name in features}
    scaled = lambda share, each: jax.tree.map(lambda x: share * x, each)
    return {name: scaled(shares[name], moments(features[name])) for name in features}


def covariance(moments: Moments) -> Gram:
    """The covariance of the channels over positions."""
    # Exact for mixed moments too, where it has the variance between the pictures' means.
    return moments.gram - jnp.outer(moments.mean, moments.mean)


def gram_loss(moments: Moments, target: Moments) -> Scalar:
    """The style loss of the paper: `style_loss` of the Gram matrices (equation 4)."""
    return style_loss(moments.gram, target.gram)


def covariance_losses(moments: Moments, target: Moments) -> tuple[Scalar, Scalar]:
    """The two parts of the Gram matrix apart: `style_loss` of the covariances, and the means.

    The squared distance of the means is multiplied by the target's energy, which makes it as large
    as `style_loss` of the means' products where they are close; unlike that, it tells a mean from
    its negative (pixels are centered around 0 for the network).
    """
    channels = target.mean.shape[-1]
    distance = jnp.sum(jnp.square(moments.mean - target.mean))
    # The trace is |n|^2 and the variances, so it is not 0 where the mean is.
    means = distance * jnp.trace(target.gram) / (4.0 * channels**2)
    return style_loss(covariance(moments), covariance(target)), means
