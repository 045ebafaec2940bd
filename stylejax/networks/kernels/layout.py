"""Rows of maps, handled so that they stay where they are when bands of them lie on several devices.

Maps are batch x height x width x channels. JAX's partitioner collects a map on every device where
an operation gives bands that are no longer equal, or of other rows.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

PARTS = 8
"""Numbers of devices that divide it have equal bands of rows whose number is a multiple of it."""


def missing_rows(height: int) -> int:
    """Rows to add for equal bands."""
    return -height % PARTS


def interleaved_rows(
    even: Float[Array, "batch rows columns channels"],
    odd: Float[Array, "batch rows columns channels"],
) -> Float[Array, "batch _ columns channels"]:
    """The rows of two maps by turns: the first is the first map's.

    With zeros between the rows, which stay on their device; a stack and a reshape would collect all
    of them.
    """
    zero = jnp.zeros((), even.dtype)
    spread = lambda x, above: lax.pad(
        x, zero, ((0, 0, 0), (above, 1 - above, 1), (0, 0, 0), (0, 0, 0))
    )
    return spread(even, 0) + spread(odd, 1)
