"""The layers of DenseNet-121 by name: one table for both naming schemes.

Every feature map that the network passes through can be asked for under Keras's name
(`conv2_block1_0_bn`, as `keras.applications.DenseNet121` lists its layers; the older `conv1/relu`
spelling too) or torchvision's (`features.denseblock1.denselayer1.norm1`). Keras's name is the
canonical one. Architecture: Huang et al., Densely Connected Convolutional Networks (2017), table 1.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from stylejax.errors import InputError


class Architecture(NamedTuple):
    """What fixes the shapes of a DenseNet with bottleneck layers."""

    stem_channels: int = 64
    growth_rate: int = 32
    block_sizes: tuple[int, ...] = (6, 12, 24, 16)

    @property
    def bottleneck_channels(self) -> int:
        """Output channels of each dense layer's 1x1 convolution."""
        return 4 * self.growth_rate


class Layer(NamedTuple):
    """One feature map: its names, channels, and geometry in pixels of the network's input.

    `stride` is the distance of neighbouring positions, `receptive_field` the side of the square
    of input pixels that one position depends on.
    """

    keras: str
    torchvision: str
    channels: int
    stride: int
    receptive_field: int


DENSENET121 = Architecture()

# torchvision has no module for a concatenation inside a block, for the last ReLU and for the
# input; these rows get names in its style.
_TORCHVISION_ALIASES = {
    r"features\.denseblock(\d+)\.denselayer(\d+)": r"features.denseblock\1.denselayer\2.conv2",
    r"features\.transition(\d+)": r"features.transition\1.pool",
    r"features": "features.norm5",
    r"(features\..*\.)(norm|relu|conv)\.(\d)": r"\1\2\3",
}


def _walk(architecture: Architecture) -> Iterator[Layer]:
    stride, field = 1, 1

    def layer(keras: str, torchvision: str, channels: int) -> Layer:
        return Layer(keras, torchvision, channels, stride, field)

    def window(size: int, step: int = 1) -> None:
        nonlocal stride, field
        field += (size - 1) * stride
        stride *= step

    channels = architecture.stem_channels
    yield layer("input", "input", 3)
    window(7, 2)
    for kind, part in (("conv", "conv0"), ("bn", "norm0"), ("relu", "relu0")):
        yield layer(f"conv1_{kind}", f"features.{part}", channels)
    window(3, 2)
    yield layer("pool1", "features.pool0", channels)
    for block, size in enumerate(architecture.block_sizes, start=1):
        for index in range(1, size + 1):
            keras = f"conv{block + 1}_block{index}"
            torchvision = f"features.denseblock{block}.denselayer{index}"
            bottleneck = architecture.bottleneck_channels
            yield layer(f"{keras}_0_bn", f"{torchvision}.norm1", channels)
            yield layer(f"{keras}_0_relu", f"{torchvision}.relu1", channels)
            yield layer(f"{keras}_1_conv", f"{torchvision}.conv1", bottleneck)
            yield layer(f"{keras}_1_bn", f"{torchvision}.norm2", bottleneck)
            yield layer(f"{keras}_1_relu", f"{torchvision}.relu2", bottleneck)
            window(3)
            yield layer(f"{keras}_2_conv", f"{torchvision}.conv2", architecture.growth_rate)
            channels += architecture.growth_rate
            last = index == size
            whole = f"features.denseblock{block}" if last else f"{torchvision}.concat"
            yield layer(f"{keras}_concat", whole, channels)
        if block < len(architecture.block_sizes):
            keras, torchvision = f"pool{block + 1}", f"features.transition{block}"
            yield layer(f"{keras}_bn", f"{torchvision}.norm", channels)
            yield layer(f"{keras}_relu", f"{torchvision}.relu", channels)
            channels //= 2
            yield layer(f"{keras}_conv", f"{torchvision}.conv", channels)
            window(2, 2)
            yield layer(f"{keras}_pool", f"{torchvision}.pool", channels)
    yield layer("bn", "features.norm5", channels)
    yield layer("relu", "features.relu5", channels)


@cache
def layer_table(architecture: Architecture = DENSENET121) -> dict[str, Layer]:
    """All feature maps in the order in which they are computed, by canonical (Keras) name."""
    return {layer.keras: layer for layer in _walk(architecture)}


@cache
def _names_by_spelling(architecture: Architecture) -> dict[str, str]:
    table = layer_table(architecture)
    return {layer.torchvision: name for name, layer in table.items()} | {
        name: name for name in table
    }


def canonical_layer(name: str, architecture: Architecture = DENSENET121) -> str:
    """The canonical name of a layer given in either scheme.

    Raises:
        InputError: no layer has this name; the message offers the nearest names.
    """
    known = _names_by_spelling(architecture)
    candidates = [name, name.replace("/", "_")]
    for pattern, replacement in _TORCHVISION_ALIASES.items():
        if re.fullmatch(pattern, name):
            candidates.append(re.sub(pattern, replacement, name))
    for candidate in candidates:
        if candidate in known:
            return known[candidate]
    nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(nearest)}? " if nearest else ""
    raise InputError(f"unknown layer {name!r}: {hint}`stylejax layers` lists all names")


def canonical_layers(
    names: Sequence[str], architecture: Architecture = DENSENET121
) -> tuple[str, ...]:
    """The canonical names of several layers.

    Raises:
        InputError: a name is unknown, or two names mean the same layer.
    """
    found: dict[str, str] = {}
    for name in names:
        layer = canonical_layer(name, architecture)
        if layer in found:
            raise InputError(f"layer {name!r} is named twice (first as {found[layer]!r}): drop one")
        found[layer] = name
    return tuple(found)
