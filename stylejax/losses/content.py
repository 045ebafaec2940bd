"""What a picture keeps of the content: the distance of two feature maps of the same shape.

Feature maps are height x width x channels; results are float32 scalars, at least 0, without unit.
Source: Gatys, Ecker, Bethge, A Neural Algorithm of Artistic Style (2015), arXiv 1508.06576.
"""

from collections.abc import Callable

import jax.numpy as jnp

from stylejax.types import FeatureMap, Scalar

ContentDistance = Callable[[FeatureMap, FeatureMap], Scalar]
"""A content loss: of a feature map and its target.

A picture that goes through the network in strips adds it up over them, each padded with zeros in
both maps; so there it must be a sum over positions, and 0 where both are 0.
"""


def content_loss(feature_map: FeatureMap, target: FeatureMap) -> Scalar:
    """Half the squared distance of two feature maps of the same shape (equation 1)."""
    return 0.5 * jnp.sum(jnp.square(feature_map - target))


def content_spread(target: FeatureMap, distance: ContentDistance = content_loss) -> Scalar:
    """The content loss of the best picture without content: each channel at its mean.

    Dividing `content_loss` by it gives the share of the content's variance that was lost.
    """
    return distance(jnp.broadcast_to(jnp.mean(target, axis=(0, 1)), target.shape), target)
