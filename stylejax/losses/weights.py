"""The weights of the loss, and the loss taken apart: two pytrees of numbers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxtyping import Array, Float

from stylejax.types import Scalar

Number = float | Float[Array, "..."]


class _LossWeights(NamedTuple):
    content_weight: Number
    style_weight: Number
    tv_weight: Number
    content_layer_weights: Mapping[str, Number]
    style_layer_weights: Mapping[str, Number]
    style_blend: Float[Array, " styles"]
    term_weights: Mapping[str, Number] = {}


_FORMER_NAMES = {
    "content": "content_weight",
    "style": "style_weight",
    "total_variation": "tv_weight",
    "content_layers": "content_layer_weights",
    "style_layers": "style_layer_weights",
}


class LossWeights(_LossWeights):
    """Every weight of the loss: a pytree of numbers, to be traced, swept and differentiated.

    `content_weight`, `style_weight` and `tv_weight` weigh the three terms, `term_weights` further
    ones by their names. The layers' weights multiply each layer's term; `style_blend` mixes the
    moments of several style pictures. Those three conventionally sum to 1 each;
    `Objective.weights` makes them so. Fields can be read and replaced by their former names too
    (`style` for `style_weight`, `style_layers` for `style_layer_weights`, and so on).
    """

    __slots__ = ()

    def _replace(self, **changes: Any) -> "LossWeights":  # pyright: ignore[reportIncompatibleMethodOverride]
        """The same weights with some fields replaced."""
        known = {_FORMER_NAMES.get(name, name): value for name, value in changes.items()}
        return super()._replace(**known)

    @property
    def content(self) -> Number:
        """The former name of `content_weight`."""
        return self.content_weight

    @property
    def style(self) -> Number:
        """The former name of `style_weight`."""
        return self.style_weight

    @property
    def total_variation(self) -> Number:
        """The former name of `tv_weight`."""
        return self.tv_weight

    @property
    def content_layers(self) -> Mapping[str, Number]:
        """The former name of `content_layer_weights`."""
        return self.content_layer_weights

    @property
    def style_layers(self) -> Mapping[str, Number]:
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
