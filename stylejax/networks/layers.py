"""The layers of a network by name, in any spelling, and what a network is.

Every feature map that a network passes through can be asked for under each of its names
(`stylejax.networks.architectures`), in the older spellings of Keras (`conv1/relu`) and torchvision
(`norm.1`) too. One name is canonical: for DenseNet Keras's; for VGG that of the papers and of
Caffe, since only they tell a convolution (`conv1_1`) from its ReLU (`relu1_1`) and are short.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from stylejax.errors import InputError
from stylejax.networks.architectures import (
    ARCHITECTURES,
    DENSENET121,
    VGG16,
    VGG19,
    AnyArchitecture,
    Architecture,
    Layer,
    VggArchitecture,
    layer_table,
)

if TYPE_CHECKING:
    # Names are looked up before JAX is imported.
    from jaxtyping import Array

    from stylejax.types import Variables

__all__ = [
    "ARCHITECTURES",
    "DENSENET121",
    "VGG16",
    "VGG19",
    "AnyArchitecture",
    "AnyNetwork",
    "Architecture",
    "KnownNetwork",
    "Layer",
    "Network",
    "VggArchitecture",
    "architecture_of",
    "canonical_layer",
    "canonical_layers",
    "layer_table",
    "layers_run",
    "network_layers",
]


class Network(NamedTuple):
    """A network of one's own, for everything that takes what `read_weights` returns.

    Attributes:
        layers: the feature maps that can be asked for, by name, with channels, stride and receptive
            field (the first three numbers of a `Layer`).
        apply: the network as a pure function of variables, a batch of one picture (1 x height x
            width x 3, normalized; sides are multiples of the largest stride among the layers asked
            for) and the names of these layers; returns their maps, batch x rows x columns x
            channels. A map of stride s has a position for every s-th pixel, the first for pixel 0.
        variables: a pytree with the entry `preprocessing`, which holds the `mean` and
            `standard_deviation` of red, green and blue by which pictures in [0, 1] are normalized;
            the rest is what `apply` is given.
    """

    layers: Mapping[str, Layer]
    apply: "Callable[[Variables, Array, tuple[str, ...]], Mapping[str, Array]]"
    variables: "Variables"


@runtime_checkable
class KnownNetwork(Protocol):
    """A network of a known architecture: what `read_weights` returns."""

    @property
    def architecture(self) -> AnyArchitecture:
        """Which network, and its widths."""
        ...

    @property
    def epsilon(self) -> float:
        """Batch norm's epsilon; VGG has none."""
        ...

    @property
    def variables(self) -> "Variables":
        """Parameters, statistics and preprocessing."""
        ...


AnyNetwork = Network | KnownNetwork | AnyArchitecture
"""What has layers: a network with its variables, or the architecture alone."""

# torchvision has no module for a concatenation inside a block, for the last ReLU and for the
# input; these rows get names in its style.
_TORCHVISION_ALIASES = {
    r"features\.denseblock(\d+)\.denselayer(\d+)": r"features.denseblock\1.denselayer\2.conv2",
    r"features\.transition(\d+)": r"features.transition\1.pool",
    r"features": "features.norm5",
    r"(features\..*\.)(norm|relu|conv)\.(\d)": r"\1\2\3",
}


def architecture_of(network: KnownNetwork | AnyArchitecture) -> AnyArchitecture:
    """The architecture of what `read_weights` returns; an architecture is its own."""
    if isinstance(network, Architecture | VggArchitecture):
        return network
    return network.architecture


def network_layers(network: AnyNetwork = DENSENET121) -> Mapping[str, Layer]:
    """All feature maps of a network in the order in which they are computed, by canonical name."""
    return network.layers if isinstance(network, Network) else architecture_of(network).layers


def layers_run(names: Iterable[str], layers: Mapping[str, Layer]) -> dict[str, Layer]:
    """All layers up to the last of those named, which are canonical names: what has to be run."""
    order = list(layers)
    last = max((order.index(name) for name in names), default=-1)
    return {name: layers[name] for name in order[: last + 1]}


def _names_by_spelling(layers: Mapping[str, Layer]) -> dict[str, str]:
    known: dict[str, str] = {}
    for name, layer in layers.items():
        known |= {spelling: name for spelling in (layer.torchvision, layer.keras, name) if spelling}
    return known


def _unknown_layer(name: str, network: AnyNetwork, known: Iterable[str]) -> InputError:
    nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(nearest)}? " if nearest else ""
    if isinstance(network, Network):
        return InputError(f"unknown layer {name!r}: {hint}there are {', '.join(known)}")
    its = architecture_of(network).network
    lists = "stylejax layers" + ("" if its == "densenet121" else f" --network {its}")
    return InputError(f"unknown layer {name!r} of {its}: {hint}`{lists}` lists all names")


def canonical_layer(name: str, network: AnyNetwork = DENSENET121) -> str:
    """The canonical name of a layer given in any scheme.

    Raises:
        InputError: no layer has this name; the message offers the nearest names.
    """
    if not isinstance(name, str):
        raise InputError(f"layer {name!r} is no name: give one as text, 'pool2_relu'")
    known = _names_by_spelling(network_layers(network))
    candidates = [name, name.replace("/", "_")]
    for pattern, replacement in _TORCHVISION_ALIASES.items():
        if re.fullmatch(pattern, name):
            candidates.append(re.sub(pattern, replacement, name))
    for candidate in candidates:
        if candidate in known:
            return known[candidate]
    raise _unknown_layer(name, network, known)


def canonical_layers(names: Sequence[str], network: AnyNetwork = DENSENET121) -> tuple[str, ...]:
    """The canonical names of several layers.

    Raises:
        InputError: a name is unknown, two names mean the same layer, or there is one by itself.
    """
    if isinstance(names, str):
        raise InputError(f"layers are {names!r}: give a list of names, [{names!r}]")
    found: dict[str, str] = {}
    for name in names:
        layer = canonical_layer(name, network)
        if layer in found:
            raise InputError(f"layer {name!r} is named twice (first as {found[layer]!r}): drop one")
        found[layer] = name
    return tuple(found)
