"""A network as the losses read it: layers by name, a picture as a whole or strip by strip."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from stylejax.errors import InputError
from stylejax.images.masks import Mask, blurred_mask, layer_masks
from stylejax.losses.forms import Sizes
from stylejax.losses.moments import Moments
from stylejax.losses.strips import (
    Strip,
    Strips,
    join_strips,
    layer_strips,
    list_strips,
    scan_strips,
)
from stylejax.networks.features import FeatureExtractor, feature_extractor
from stylejax.networks.layers import (
    AnyNetwork,
    Layer,
    canonical_layer,
    canonical_layers,
    network_layers,
)
from stylejax.options import Kernels, Pooling, Precision
from stylejax.types import Features, OtherImage, Scalar, Variables

Beside = Mapping[str, Float[Array, "_ _ _"]]
"""Arrays that belong to the feature maps of the same names, position by position."""

Look = Callable[[Features, tuple[Beside, ...], Mapping[str, float]], tuple[PyTree, Features]]
"""A function of feature maps, of what belongs to them, and of their shares of the whole maps.

Of its two results the first is a sum over positions (a mean times the share is one), the second
some of the maps themselves.
"""


class Seen(NamedTuple):
    """What the loss asks of the network about a picture.

    Content losses, moments and distances from matches by layer, and the feature maps that are
    needed as they are.
    """

    distances: Mapping[str, Scalar]
    moments: Mapping[str, Moments]
    matched: Mapping[str, Scalar]
    maps: Features


@dataclass(frozen=True)
class Reader:
    """A network, its layers, and what large pictures are cut into for it.

    Attributes:
        extract: the network, giving the layers below.
        layers: names and geometry.
        strips: of no rows where every picture is seen as a whole.
        wraps: whether the pictures tile.
        tile: the reader of the picture that is solved for, where that one tiles: those that are
            given do not.
    """

    extract: FeatureExtractor
    layers: tuple[tuple[str, Layer], ...]
    strips: Strips = Strips()
    wraps: bool = False
    tile: "Reader | None" = None

    @property
    def of_solved(self) -> "Reader":
        """The reader of the picture that is solved for."""
        return self.tile or self

    @property
    def stride(self) -> int:
        """The deepest layer's, in pixels."""
        return max(layer.stride for _, layer in self.layers)

    def sizes(self, name: str, image: OtherImage) -> Sizes:
        """The sizes of a layer's map of a picture."""
        (height, width), (rows, columns) = image.shape[:2], self.grids(image)[name]
        return Sizes(dict(self.layers)[name].channels, rows * columns, height * width)

    def grids(self, image: OtherImage) -> dict[str, tuple[int, int]]:
        """Rows and columns of each layer's map of a picture."""
        height, width = image.shape[:2]
        cells = lambda stride: (-(-height // stride), -(-width // stride))
        return {name: cells(layer.stride) for name, layer in self.layers}

    def channels(self, names: Sequence[str]) -> list[int]:
        """The channels of layers' maps."""
        return [dict(self.layers)[name].channels for name in names]

    def carried_masks(
        self,
        names: Sequence[str],
        variables: Variables,
        image: OtherImage,
        masks: Sequence[Mask],
    ) -> Beside:
        """A picture's masks carried to layers: rows x columns x masks, each with a sum of 1."""
        shapes = jax.eval_shape(self.extract, variables, image)
        fields = {name: layer.receptive_field for name, layer in self.layers}
        return {
            name: jnp.asarray(
                layer_masks(masks, fields[name], *shapes[name].shape[:2], wraps=self.wraps)
            )
            for name in names
        }

    def carried_keep(self, names: Sequence[str], image: OtherImage, mask: Mask) -> Beside:
        """A mask of where content counts more, carried to layers: rows x columns x 1, 0 to 1."""
        grids, table, wraps = self.grids(image), dict(self.layers), self.wraps
        blurred = lambda name: blurred_mask(
            mask, table[name].receptive_field, *grids[name], wraps=wraps
        )
        return {name: jnp.asarray(blurred(name)) for name in names}

    def look(
        self, function: Look, variables: Variables, image: OtherImage, *beside: Beside
    ) -> tuple[PyTree, Features]:
        """The function's results on a whole picture: added up over strips, and put together."""
        height = image.shape[0]
        if self.strips.count(height) == 1:
            return function(
                self.extract(variables, image), beside, {n: 1.0 for n, _ in self.layers}
            )
        cuts = {name: self.strips.cut(height, layer.stride) for name, layer in self.layers}
        # A mean over a cut, zeros included, times this is a part of the whole map's mean.
        shares = {name: cut.rows / cut.height for name, cut in cuts.items()}

        def of_strip(strip: Strip) -> tuple[PyTree, Features]:
            maps = self.extract(variables, strip.cut(image, self.strips.cut(height, 1)))
            features = {name: strip.own(rows, cuts[name]) for name, rows in maps.items()}
            own = lambda arrays: {
                name: strip.own(strip.cut(whole, cuts[name]), cuts[name])
                for name, whole in arrays.items()
            }
            return function(features, tuple(map(own, beside)), shares)

        each = list_strips(self.strips, height)
        summed, kept = scan_strips(of_strip, each)
        return summed, {name: join_strips(each, maps, cuts[name]) for name, maps in kept.items()}


def make_reader(
    network: AnyNetwork,
    asked: Mapping[str, Sequence[str]],
    *,
    pooling: Pooling,
    precision: Precision,
    kernels: Kernels | None,
    strip_rows: int,
    seamless: bool = False,
) -> Reader:
    """The reader of a network's layers; `asked` are their names in any scheme, by what asks.

    A layer may be asked for twice, under two of its names too, but by no one twice.

    Raises:
        InputError: a layer is unknown or named twice, or there is none; or a picture that tiles is
            to be cut into strips.
    """
    if seamless and strip_rows:
        raise InputError(f"strip_rows {strip_rows}: a seamless picture is seen as a whole")
    for kind, layers in asked.items():
        if isinstance(layers, str):
            raise InputError(f"{kind} layers are {layers!r}: give a list of names, [{layers!r}]")
        if not layers:
            raise InputError(f"no {kind} layer: name at least one (a weight of 0 turns it off)")
        canonical_layers(layers, network)
    # One layer under two names is computed once, and given under both.
    names = [name for layers in asked.values() for name in layers]
    canonical = {name: canonical_layer(name, network) for name in names}

    def by_given_name(seamless: bool) -> FeatureExtractor:
        extract = feature_extractor(
            network,
            tuple(dict.fromkeys(canonical.values())),
            pooling=pooling,
            precision=precision,
            kernels=kernels,
            seamless=seamless,
        )

        def named(variables: Variables, image: OtherImage) -> Features:
            features = extract(variables, image)
            return {name: features[layer] for name, layer in canonical.items()}

        return named

    table = network_layers(network)
    geometry = {name: table[layer] for name, layer in canonical.items()}
    strips = layer_strips(strip_rows, geometry.values())
    layers = tuple(geometry.items())
    tile = Reader(by_given_name(True), layers, strips, wraps=True) if seamless else None
    return Reader(by_given_name(False), layers, strips, tile=tile)
