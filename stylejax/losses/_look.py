"""What is done with a picture's feature maps, of all of it or of one strip of rows."""

from collections.abc import Mapping
from typing import NamedTuple

from jaxtyping import Array, Float, PyTree

from stylejax.losses._reader import Beside
from stylejax.losses.content import ContentDistance
from stylejax.losses.gram import GramMatrix
from stylejax.losses.matching import matched_distance
from stylejax.losses.moments import layer_moments
from stylejax.types import FeatureMap, Features, Scalar


class Aim(NamedTuple):
    """What a layer's features are to resemble (`matched_distance`)."""

    directions: FeatureMap
    center: Float[Array, " channels"]
    floor: Scalar


class Against(NamedTuple):
    """What each position of a picture is compared with, by layer.

    Attributes:
        content: the content picture's feature maps.
        emphasis: the roots of what the content loss is multiplied by, where it is not 1.
        aims: what the features are to resemble.
    """

    content: Features = {}
    emphasis: Mapping[str, Float[Array, "_ _ 1"]] = {}
    aims: Mapping[str, Aim] = {}

    @property
    def directions(self) -> Features:
        """Those of the aims."""
        return {name: aim.directions for name, aim in self.aims.items()}


def look_at_layers(
    functions: tuple[ContentDistance, GramMatrix],
    style_layers: tuple[str, ...],
    aims: Mapping[str, Aim],
    kept: tuple[str, ...],
    features: Features,
    beside: tuple[Beside, ...],
    shares: Mapping[str, float],
) -> tuple[PyTree, Features]:
    """Distances from what is given, moments and distances from matches; and the maps to keep.

    The last three arguments are those of a `Look`. Beside the maps are the regions of styles, the
    content picture's maps, their emphasis, and the directions of `aims`.
    """
    content_loss, gram_matrix = functions
    regions, content, emphasis, directions = beside
    distances, matched = {}, {}
    for name, target in content.items():
        ours = features[name]
        if name in emphasis:
            # So a sum of squares is weighed position by position, and others nearly.
            ours, target = emphasis[name] * ours, emphasis[name] * target
        distances[name] = content_loss(ours, target)
    for name, aim in aims.items():
        matched[name] = matched_distance(features[name], *aim._replace(directions=directions[name]))
    seen = {name: features[name] for name in style_layers}
    moments = layer_moments(seen, regions, shares, gram_matrix=gram_matrix)
    return (distances, moments, matched), {name: features[name] for name in kept}
