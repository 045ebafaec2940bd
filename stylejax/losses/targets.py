"""What a picture is compared with, as a pytree of arrays, and further terms with their own."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
from jaxtyping import Array, Float, PyTree

from stylejax.losses.moments import Moments
from stylejax.losses.variation import Regularizer
from stylejax.types import FeatureMap, Features, OtherImage, Scalar


class View(NamedTuple):
    """A picture, and its feature maps at the layers that a term asks for."""

    image: OtherImage
    features: Features

    def of(self, layers: Sequence[str]) -> "View":
        """The same picture with these feature maps alone."""
        return View(self.image, {name: self.features[name] for name in layers})


def _no_target(_: View, __: Sequence[View]) -> PyTree:
    return ()


class Term(NamedTuple):
    """A further term of the loss, which gets a weight of its own.

    `value(picture, target)` is the term without its weight. `target(content, styles)` is what it
    compares the picture with: any pytree of arrays, computed once for a pair of pictures. `layers`
    are those whose feature maps both are given, by these names.
    """

    value: Callable[[View, PyTree], Scalar]
    target: Callable[[View, Sequence[View]], PyTree] = _no_target
    layers: tuple[str, ...] = ()

    def view(self, image: OtherImage, maps: Features) -> View:
        """What this term sees of a picture."""
        return View(image, maps).of(self.layers)


def as_term(given: Term | Regularizer) -> Term:
    """A term, of which a function of the picture is one too."""
    return given if isinstance(given, Term) else Term(lambda picture, _: given(picture.image))


Call = Callable[..., PyTree]
"""Calls its first argument, a jitted function, with all others."""


def just_call(function: jax.stages.Wrapped, *arguments: PyTree) -> PyTree:
    """As Python does it: compiled when it is first called with arguments of these shapes."""
    return function(*arguments)


class Regions(NamedTuple):
    """Regions of the picture, each with a style of its own.

    `weights` are those of the positions of each style layer's feature map, with a sum of 1 for each
    region; `areas` the regions' shares of the picture.
    """

    weights: Mapping[str, Float[Array, "_ _ regions"]]
    areas: Float[Array, " regions"]


class Placement(NamedTuple):
    """What a photograph's matches with the paintings ask for (`stylejax.losses.placement`).

    Attributes:
        features: of each position's match at each matched layer, with a leading axis of pictures.
        similarity: of these matches, likewise.
        energy: how busy each position of the finest of these layers is to be, likewise.
        floor: below which energy all is calm, of each picture.
    """

    features: Mapping[str, Float[Array, "*styles _ _ _"]]
    similarity: Mapping[str, Float[Array, "*styles _ _"]]
    energy: Float[Array, "*styles _ _"]
    floor: Float[Array, "*styles"]


class Targets(NamedTuple):
    """What a picture is compared with; computed once for a pair of pictures.

    Attributes:
        content: the content picture's feature maps.
        content_units: what each content layer's loss is divided by (`stylejax.losses.forms`).
        style: the moments of the style pictures' feature maps, with a leading axis of pictures.
        style_units: what the parts of each style layer's loss are divided by, with a leading axis
            of pictures. None where several styles are blended: the unit is that of the mixed
            moments, no mixture of units, and the blend is a weight, to be swept and differentiated.
            So the objective computes it; inside of a solver's loop XLA does so once for a chunk of
            iterations, in a loop of one's own each call of the objective does.
        content_moments: those of the content picture at the style layers, with a leading axis of
            regions where there are some: region n is compared with style picture n.
        regions: where each style goes, where they do not all go everywhere.
        terms: the targets of further terms, by their names.
        placement: where in the picture things go, where that is asked for.
        keep: where content counts more, 0 to 1 at each position of each content layer, if
            anywhere.
    """

    content: Mapping[str, FeatureMap]
    content_units: Mapping[str, Scalar]
    style: Mapping[str, Moments]
    style_units: Mapping[str, Float[Array, "..."]] | None
    content_moments: Mapping[str, Moments]
    regions: Regions | None = None
    terms: Mapping[str, PyTree] = {}
    placement: Placement | None = None
    keep: Mapping[str, Float[Array, "_ _ 1"]] | None = None
