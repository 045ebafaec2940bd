"""The weights of the loss, and the loss taken apart: two pytrees of numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from stylejax.options import LossOptions, normalized_shares
from stylejax.types import Scalar

# At a placement of 1: the weights of the matched term and of local energy, and how much less style
# weighs, of which more comes with the matches (docs/placement.md).
_MATCHED_WEIGHT, _ENERGY_WEIGHT, _LESS_STYLE = 6.0, 0.8, 0.5

Number = float | Float[Array, "..."]


class _LossWeights(NamedTuple):
    content_weight: Number
    style_weight: Number
    tv_weight: Number
    content_layer_weights: Mapping[str, Number]
    style_layer_weights: Mapping[str, Number]
    style_blend: Float[Array, " styles"]
    term_weights: Mapping[str, Number] = {}
    # None and not numbers, so that axes for `vmap` need not name what is not asked for.
    placement_weight: Number | None = None
    energy_weight: Number | None = None
    keep_weight: Number | None = None


# Programs that say `weights._replace(style=...)` keep working.
_FORMER_NAMES = {
    "content": "content_weight",
    "style": "style_weight",
    "total_variation": "tv_weight",
    "content_layers": "content_layer_weights",
    "style_layers": "style_layer_weights",
}


def _shared_out(layers: Sequence[str], given: Sequence[float]) -> dict[str, Number]:
    """The layers' relative weights by their names, with a sum of 1."""
    shares = normalized_shares(given, len(layers))
    return {name: _number(share) for name, share in zip(layers, shares, strict=True)}


def _number(value: float) -> Float[Array, ""]:
    # By `jnp.float32` JAX would compile a program.
    return jax.device_put(np.float32(value))


class LossWeights(_LossWeights):
    """Every weight of the loss: a pytree of numbers, to be traced, swept and differentiated.

    `content_weight`, `style_weight` and `tv_weight` weigh the three terms, `term_weights` further
    ones by their names. The layers' weights multiply each layer's term; `style_blend` mixes the
    moments of several style pictures. Those three conventionally sum to 1 each;
    `Objective.weights` makes them so. `placement_weight` weighs the matched term and
    `energy_weight` that of local energy (`stylejax.losses.placement`), `keep_weight` multiplies the
    content loss where a picture is kept; None asks for none, whatever the targets hold. Fields can
    be read and replaced by their former names too (`style` for `style_weight`, `style_layers` for
    `style_layer_weights`, and so on); these give back whatever JAX has put there: shapes, axes or
    None as well as numbers.
    """

    __slots__ = ()

    @classmethod
    def from_options(
        cls,
        options: LossOptions,
        styles: int,
        *,
        content_factor: float = 1.0,
        tv_factor: float = 1.0,
    ) -> "LossWeights":
        """The weights that the options describe, for a number of style pictures.

        The factors multiply the weights of content and of total variation, at one level of a
        pyramid, say. Without content there are no places: then `placement` counts as 0.
        """
        placement = options.placement if options.content_weight > 0.0 else 0.0
        return cls(
            content_weight=_number(options.content_weight * content_factor),
            style_weight=_number(options.style_weight * (1.0 - _LESS_STYLE * placement)),
            tv_weight=_number(options.tv_weight * tv_factor),
            content_layer_weights=_shared_out(
                options.content_layers, options.content_layer_weights
            ),
            style_layer_weights=_shared_out(options.style_layers, options.style_layer_weights),
            style_blend=jax.device_put(
                np.asarray(normalized_shares(options.style_blend, styles), np.float32)
            ),
            placement_weight=_number(placement * _MATCHED_WEIGHT),
            energy_weight=_number(placement * _ENERGY_WEIGHT),
            keep_weight=_number(options.keep_weight),
        )

    def _replace(self, **changes: Any) -> "LossWeights":  # pyright: ignore[reportIncompatibleMethodOverride]
        """The same weights with some fields replaced."""
        known = {_FORMER_NAMES.get(name, name): value for name, value in changes.items()}
        return super()._replace(**known)

    @property
    def content(self) -> PyTree:
        """The former name of `content_weight`."""
        return self.content_weight

    @property
    def style(self) -> PyTree:
        """The former name of `style_weight`."""
        return self.style_weight

    @property
    def total_variation(self) -> PyTree:
        """The former name of `tv_weight`."""
        return self.tv_weight

    @property
    def content_layers(self) -> PyTree:
        """The former name of `content_layer_weights`."""
        return self.content_layer_weights

    @property
    def style_layers(self) -> PyTree:
        """The former name of `style_layer_weights`."""
        return self.style_layer_weights


class LossTerms(NamedTuple):
    """The loss taken apart: `content` + `style` + `total_variation` + further `terms` is the loss.

    The layers' entries add up to `content` and `style`; all weights are multiplied in.
    """

    content: Scalar
    style: Scalar
    total_variation: Scalar
    content_layers: Mapping[str, Scalar]
    style_layers: Mapping[str, Scalar]
    terms: Mapping[str, Scalar] = {}


def sum_of_terms(terms: Mapping[str, Scalar]) -> Scalar:
    """The sum of numbers by name, of which there is at least one."""
    return jnp.sum(jnp.stack(list(terms.values())))
