"""The picture as a function of unbounded numbers, so that it stays within [0, 1] by itself.

A picture that is clipped at the end of an unbounded solve shows flat, burnt patches, and the
network never saw what is shown. Here `image = bounded(latent)` is the identity over most of the
range and bends smoothly into 0 and 1 at the ends; the solver works on the latent picture.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stylejax.types import Image, Pixels

SOFTNESS = 0.02
"""Width of the bend at each end, in the picture's units (0.02 is 5 of 255 grey levels)."""

_CLOSEST = 1.0 / 512.0

Latent = Float[Array, "height width 3"]


def bounded(latent: Latent) -> Image:
    """Map unbounded numbers to (0, 1): the difference of two softplus functions of width SOFTNESS.

    Within [0.1, 0.9] it departs from the identity by less than 2e-4.
    """
    ramp = lambda x: SOFTNESS * jax.nn.softplus(x / SOFTNESS)
    # The upper half is the lower one mirrored: far above 1 the difference of two large numbers
    # would be all rounding error.
    upper = latent > 0.5
    x = jnp.where(upper, 1.0 - latent, latent)
    y = ramp(x) - ramp(x - 1.0)
    return jnp.where(upper, 1.0 - y, y)


def unbounded(pixels: Pixels) -> np.ndarray:
    """The inverse of `bounded`, for start pictures; values in [0, 1].

    Values closer than half a grey level to 0 or 1 are first moved to that distance: at the very
    ends the inverse is infinite and no gradient would ever bring such a pixel back.
    """
    y = np.clip(pixels.astype(np.float64), _CLOSEST, 1.0 - _CLOSEST) / SOFTNESS
    latent = SOFTNESS * (np.log(np.expm1(y)) - np.log1p(-np.exp(y - 1.0 / SOFTNESS)))
    return latent.astype(np.float32)
