"""What a layer's losses are divided by: the ways of this program, of the paper and of others.

A form gives each layer a unit, computed once for a pair of pictures. N is the layer's number of
channels, M its number of positions. docs/presets.md says which program has which form.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stylejax.losses.content import ContentDistance, content_spread
from stylejax.losses.moments import Moments, StyleDistance
from stylejax.types import FeatureMap, Scalar

Parts = Float[Array, " parts"]

# Below this share of the style's own Gram energy, content and style count as the same texture: the
# relative form divides by no less, so a picture styled by itself gives 0 and not 0 / 0.
_SMALLEST_REFERENCE = 1e-4


class Sizes(NamedTuple):
    """What a layer's term may be divided by: N, M, and the picture's number of pixels."""

    channels: int
    positions: int
    pixels: int


class Form(NamedTuple):
    """The units of a layer's content loss and style loss.

    `content(distance, target, sizes)` is of the content picture's feature map;
    `style(distance, content, target, sizes)` of the moments of the content picture and of the
    style. The latter may give each part of the style loss a unit of its own.
    """

    content: Callable[[ContentDistance, FeatureMap, Sizes], Scalar | float]
    style: Callable[[StyleDistance, Moments, Moments, Sizes], Scalar | Parts | float]


def style_parts(distance: StyleDistance, moments: Moments, target: Moments) -> Parts:
    """The parts of a style loss; one where it is one number."""
    parts = distance(moments, target)
    return jnp.stack(parts if isinstance(parts, tuple) else (parts,))


def style_term(
    distance: StyleDistance, moments: Moments, target: Moments, unit: Scalar | Parts
) -> Scalar:
    """A style loss in its units."""
    return jnp.sum(style_parts(distance, moments, target) / unit)


def _positive(unit: Float[Array, "*parts"]) -> Float[Array, "*parts"]:
    """The unit, or 1 where it is 0: the features are all 0 there, and no share of them is known."""
    return jnp.where(unit > 0.0, unit, 1.0)


def _spread(distance: ContentDistance, target: FeatureMap, _: Sizes) -> Scalar:
    """What a picture without any content would score."""
    # A blank content picture has no variance: its own energy is the unit then.
    floor = _SMALLEST_REFERENCE * distance(jnp.zeros_like(target), target)
    return _positive(jnp.maximum(content_spread(target, distance), floor))


def _of_the_content(distance: StyleDistance, content: Moments, target: Moments, _: Sizes) -> Parts:
    """What the content picture scores; each part takes an even share of the term."""
    nothing = style_parts(distance, jax.tree.map(jnp.zeros_like, target), target)
    # Of all parts together: where a flat style has no covariance, its part is rounding.
    floor = _SMALLEST_REFERENCE * jnp.sum(nothing)
    unit = jnp.maximum(style_parts(distance, content, target), floor)
    return len(unit) * _positive(unit)


def _constant(content: Callable[[Sizes], float], style: Callable[[Sizes], float]) -> Form:
    """A form whose units depend on sizes alone."""
    return Form(
        lambda distance, target, sizes: content(sizes),
        lambda distance, content, target, sizes: style(sizes),
    )


RELATIVE = Form(_spread, _of_the_content)
"""A weight means the same for every pair of pictures and every size."""
PAPER = _constant(lambda of: 1.0, lambda of: 1.0)
"""Equations 1 and 4 of Gatys et al. (2015) as they stand."""
MEAN = _constant(lambda of: of.channels * of.positions / 2.0, lambda of: of.channels**2 / 4.0)
"""Means of squares: |F - P|^2 / (N M) and |G - A|^2 / N^2, where G and A are divided by N M."""
SUM = _constant(lambda of: 0.5, lambda of: (3.0 * of.pixels / (of.channels * of.positions)) ** 2)
"""Sums: |F - P|^2 and |G - A|^2 / (4 3^2 pixels^2), where G and A are sums over positions: the
paper's N and M taken from the picture itself."""
