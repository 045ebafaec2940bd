"""How busy a picture is around each of its positions, and what a painting has of that to give.

Local energy is the squared length of the luminance's gradient around a position. The statistics of
a whole picture leave open which of its places are calm. Their order says it: the place of the
photograph of which a third is calmer is to be as busy as the place of the painting of which a third
is calmer. So the energies of a painting are all there, as the statistics ask for, each in its
place; that is histogram specification (Gonzalez and Woods, Digital Image Processing, section 3.3)
of a map of energies.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stylejax.images.color import LUMA
from stylejax.types import OtherImage, Scalar

Plane = Float[Array, "rows columns"]

LEVEL = 0.25 / 255
"""A quarter of a level of 8 bits."""
_FLOOR, _FLOOR_OF_CONTENT = 0.1, 0.05
"""Of the root mean squares of what is asked for and of the photograph: what is calmer than both is
all equally calm. By the second a painting of one color does not outweigh all else."""


def local_energy(image: OtherImage, grid: tuple[int, int]) -> Plane:
    """The mean of the squared gradient of the luminance around each position of a grid.

    Args:
        image: height x width x 3; may go beyond [0, 1].
        grid: rows and columns, coarser than the picture's; neighbors overlap by half.
    """
    down, across = jnp.gradient(image @ LUMA)
    squares = jnp.square(down) + jnp.square(across)
    # Weights of both sides of a bilinear enlargement: nothing negative.
    return jax.image.resize(squares, grid, "linear")


def _in_order(
    plane: Plane, weights: Plane | None
) -> tuple[Float[Array, " values"], Float[Array, " values"]]:
    """The values of a plane, smallest first, and how much each counts: 1 where nothing is said."""
    values = plane.reshape(-1)
    counts = jnp.ones_like(values) if weights is None else weights.reshape(-1)
    order = jnp.argsort(values)
    return values[order], counts[order]


def ranks(plane: Plane, weights: Plane | None = None) -> Plane:
    """Which share of a plane's values is below each, half of those that are equal with it.

    Args:
        plane: the values.
        weights: how much each value counts, 0 or more and not 0 throughout; all alike unless given.
    """
    values, counts = _in_order(plane, weights)
    up_to_here = jnp.concatenate([jnp.zeros(1), jnp.cumsum(counts)])
    below, up_to = (
        up_to_here[jnp.searchsorted(values, plane, side=side)] for side in ("left", "right")
    )
    return (below + up_to) / (2.0 * up_to_here[-1])


def quantiles(
    plane: Plane, shares: Float[Array, "*shape"], weights: Plane | None = None
) -> Float[Array, "*shape"]:
    """The values of which such shares of a plane are below: the inverse of `ranks`, interpolated.

    Args:
        plane: the values.
        shares: in [0, 1].
        weights: how much each value counts, as in `ranks`.
    """
    values, counts = _in_order(plane, weights)
    middles = (jnp.cumsum(counts) - 0.5 * counts) / jnp.sum(counts)
    return jnp.interp(shares, middles, values)


def placed_energy(
    content: OtherImage,
    style: OtherImage,
    grid: tuple[int, int],
    of_style: tuple[int, int],
    inside: tuple[Plane | None, Plane | None] = (None, None),
) -> tuple[Plane, Scalar]:
    """The painting's energies in the photograph's order, and the energy below which all is calm.

    What 8 bits do not show, differences of less than a quarter of a level, is no order.

    Args:
        content: the photograph.
        style: the painting.
        grid: of the photograph's positions, rows and columns.
        of_style: of the painting's.
        inside: how much each position counts of the photograph's region, on its grid, and of the
            painting's, on its own; all alike where None.
    """
    region, allowed = inside
    energy = local_energy(content, grid)
    order = ranks(jnp.rint(jnp.sqrt(energy) / LEVEL), region)
    asked = quantiles(local_energy(style, of_style), order, allowed)
    floors = _FLOOR**2 * jnp.mean(asked), _FLOOR_OF_CONTENT**2 * jnp.mean(energy)
    return asked, jnp.maximum(*floors) + LEVEL**2


def energy_distance(image: OtherImage, asked: Plane, floor: Scalar, counts: Plane) -> Scalar:
    """The mean squared difference of the logarithms of root mean square gradients.

    Of logarithms, so that a calm place that becomes twice as busy counts as a busy one that does.

    Args:
        image: the solved picture.
        asked: the local energy that each position is to have.
        floor: below which energy all is calm.
        counts: how much each position counts; 1, or less where it is in no region.
    """
    rows, columns = asked.shape
    ours = jnp.log(local_energy(image, (rows, columns)) + floor)
    return jnp.mean(counts * jnp.square(0.5 * (ours - jnp.log(asked + floor))))
