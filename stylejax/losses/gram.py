"""Gram matrices, and the distance of two of them.

Feature maps are height x width x channels; N is the number of channels (the paper's N_l), M the
number of positions (M_l = height x width). Gram matrices are means over positions, which makes them
independent of the picture's size.
Source: Gatys, Ecker, Bethge, A Neural Algorithm of Artistic Style (2015), arXiv 1508.06576.
The tuned form is `stylejax.networks.kernels.gram`.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from stylejax.types import FeatureMap, Gram, Scalar

_EXACT = lax.Precision.HIGHEST
"""In full float32: accelerators multiply by fewer bits unless they are told not to."""
GramMatrix = Callable[[FeatureMap, Float[Array, "height width"] | None], Gram]
"""What `gram_matrix` is: its textbook form or a tuned one."""


def gram_matrix(
    feature_map: FeatureMap, weights: Float[Array, "height width"] | None = None
) -> Gram:
    """Mean over positions of the products of channels: equation 3 divided by M.

    `weights` of the positions, with a sum of 1, take the place of 1 / M.
    """
    height, width, _ = feature_map.shape
    if weights is None:
        products = jnp.einsum("hwi,hwj->ij", feature_map, feature_map, precision=_EXACT)
        return products / (height * width)
    return jnp.einsum("hwi,hwj,hw->ij", feature_map, feature_map, weights, precision=_EXACT)


def style_loss(gram: Gram, target: Gram) -> Scalar:
    """Squared Frobenius distance of two Gram matrices over 4 N^2.

    This is E_l of equation 4: its division by M^2 stands in `gram_matrix` already, where each
    picture is divided by its own M, so the two need not be of the same size.
    """
    channels = gram.shape[-1]
    return jnp.sum(jnp.square(gram - target)) / (4.0 * channels**2)
