"""The layers of the networks by name: one table for all naming schemes.

DenseNet: every feature map that the network passes through can be asked for under Keras's name
(`conv2_block1_0_bn`, as `keras.applications.DenseNet121` lists its layers; the older `conv1/relu`
spelling too) or torchvision's (`features.denseblock1.denselayer1.norm1`). Keras's name is the
canonical one. Architecture: Huang et al., Densely Connected Convolutional Networks (2017), table 1.

VGG: the names of the papers and of Caffe are canonical, since only they tell a convolution
(`conv1_1`) from its ReLU (`relu1_1`) and are short; torchvision counts modules (`features.0`,
`features.1`); Keras joins the two (`block1_conv1` is what comes out of the ReLU). Architecture:
Simonyan, Zisserman, Very Deep Convolutional Networks (2015), table 1, D (VGG-16) and E (VGG-19).
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from stylejax.errors import InputError
from stylejax.options import NetworkName


class Architecture(NamedTuple):
    """What fixes the shapes of a DenseNet with bottleneck layers."""

    stem_channels: int = 64
    growth_rate: int = 32
    block_sizes: tuple[int, ...] = (6, 12, 24, 16)

    @property
    def bottleneck_channels(self) -> int:
        """Output channels of each dense layer's 1x1 convolution."""
        return 4 * self.growth_rate

    @property
    def network(self) -> NetworkName:
        """The network's name; one with other widths goes by the same."""
        return "densenet121"


class VggArchitecture(NamedTuple):
    """What fixes the shapes of a VGG: channels and number of convolutions of each block."""

    block_channels: tuple[int, ...] = (64, 128, 256, 512, 512)
    block_sizes: tuple[int, ...] = (2, 2, 4, 4, 4)

    @property
    def network(self) -> NetworkName:
        """The network's name; one with other widths goes by the same."""
        return "vgg16" if self.block_sizes == VGG16.block_sizes else "vgg19"


class Layer(NamedTuple):
    """One feature map: its names, channels, and geometry in pixels of the network's input.

    A name is empty where its scheme has none for this feature map. `stride` is the distance of
    neighboring positions, `receptive_field` the side of the square of input pixels that one
    position depends on.
    """

    keras: str
    torchvision: str
    channels: int
    stride: int
    receptive_field: int
    paper: str = ""

    @property
    def name(self) -> str:
        """The canonical name."""
        return self.paper or self.keras


AnyArchitecture = Architecture | VggArchitecture
DENSENET121 = Architecture()
VGG16 = VggArchitecture(block_sizes=(2, 2, 3, 3, 3))
VGG19 = VggArchitecture()
ARCHITECTURES: dict[NetworkName, AnyArchitecture] = {
    architecture.network: architecture for architecture in (DENSENET121, VGG16, VGG19)
}

# torchvision has no module for a concatenation inside a block, for the last ReLU and for the
# input; these rows get names in its style.
_TORCHVISION_ALIASES = {
    r"features\.denseblock(\d+)\.denselayer(\d+)": r"features.denseblock\1.denselayer\2.conv2",
    r"features\.transition(\d+)": r"features.transition\1.pool",
    r"features": "features.norm5",
    r"(features\..*\.)(norm|relu|conv)\.(\d)": r"\1\2\3",
}


def _walk_densenet(architecture: Architecture) -> Iterator[Layer]:
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


def _walk_vgg(architecture: VggArchitecture) -> Iterator[Layer]:
    stride, field, index = 1, 1, 0
    yield Layer("input", "input", 3, stride, field, "input")
    sizes = zip(architecture.block_channels, architecture.block_sizes, strict=True)
    for block, (channels, size) in enumerate(sizes, start=1):
        for number in range(1, size + 1):
            field += 2 * stride
            keras, paper = f"block{block}_conv{number}", f"{block}_{number}"
            yield Layer("", f"features.{index}", channels, stride, field, f"conv{paper}")
            yield Layer(keras, f"features.{index + 1}", channels, stride, field, f"relu{paper}")
            index += 2
        field, stride = field + stride, 2 * stride
        names = f"block{block}_pool", f"features.{index}"
        yield Layer(*names, channels, stride, field, f"pool{block}")
        index += 1


@cache
def layer_table(architecture: AnyArchitecture = DENSENET121) -> dict[str, Layer]:
    """All feature maps in the order in which they are computed, by canonical name."""
    vgg = isinstance(architecture, VggArchitecture)
    layers = _walk_vgg(architecture) if vgg else _walk_densenet(architecture)
    return {layer.name: layer for layer in layers}


@cache
def _names_by_spelling(architecture: AnyArchitecture) -> dict[str, str]:
    known: dict[str, str] = {}
    for name, layer in layer_table(architecture).items():
        known |= {spelling: name for spelling in (layer.torchvision, layer.keras, name) if spelling}
    return known


def canonical_layer(name: str, architecture: AnyArchitecture = DENSENET121) -> str:
    """The canonical name of a layer given in any scheme.

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
    network = architecture.network
    lists = "stylejax layers" + ("" if network == "densenet121" else f" --network {network}")
    raise InputError(f"unknown layer {name!r} of {network}: {hint}`{lists}` lists all names")


def canonical_layers(
    names: Sequence[str], architecture: AnyArchitecture = DENSENET121
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
