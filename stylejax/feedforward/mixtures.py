"""Mixtures of what a painting network has learned, as weights of its rows.

Row 0 is the identity, row n the nth style; weights of a mixture sum to 1.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float


def style_mixture(
    shares: Sequence[float] | Float[Array, " styles"],
    strength: float | Float[Array, ""] = 1.0,
) -> Float[Array, " rows"]:
    """The mixture of a blend of styles at a strength: 0 is the photograph, 1 the styles alone.

    `shares` are relative weights of all styles of the network; their sum is scaled to 1. A strength
    above 1 goes beyond the style, away from the photograph.
    """
    blend = jnp.asarray(shares, jnp.float32)
    blend = strength * blend / jnp.sum(blend)
    return jnp.concatenate([1.0 - jnp.asarray(strength, jnp.float32)[None], blend])


def masked_mixture(
    mixtures: Float[Array, "regions rows"], masks: Float[Array, "regions height width"]
) -> Float[Array, "height width rows"]:
    """Mixtures for regions of the picture, given by soft masks, pixel by pixel.

    Where masks sum to less than 1 the rest is the identity; where to more, they share the pixel.
    """
    covered = jnp.sum(masks, axis=0)
    weights = masks / jnp.maximum(covered, 1.0)
    mixture = jnp.einsum("rhw,rn->hwn", weights, mixtures, precision="highest")
    return mixture.at[..., 0].add(jnp.maximum(1.0 - covered, 0.0))
