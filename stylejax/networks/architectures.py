"""Each architecture once, as data: every feature map in the order in which it is computed.

What a network is stands here and nowhere else: the Flax modules run these rows one after the other,
the readers of weight files take names and shapes of parameters from them, the memory estimate their
sizes, and the command line their names. Three schemes of names are in use:

- torchvision's module (`features.denseblock1.denselayer1.norm1`, `features.0`), under which weight
  files keep its parameters;
- Keras's layer (`conv2_block1_0_bn`, `block1_conv1`), as `keras.applications` lists it;
- for VGG the name of the papers and of Caffe (`conv1_1`, `relu1_1`).

Sources: Huang et al., Densely Connected Convolutional Networks (2017), table 1 and section 3;
Simonyan, Zisserman, Very Deep Convolutional Networks (2015), table 1, columns D and E.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Literal, NamedTuple

from stylejax.options import NetworkName

Kind = Literal["input", "convolution", "norm", "relu", "max pool", "average pool", "concat"]
JOINED: tuple[Kind, ...] = ("max pool", "average pool", "concat")
"""The kinds of layers that a concatenation joins new channels to."""


class Layer(NamedTuple):
    """One feature map: its channels, its geometry, and what computes it from the one before.

    `stride` is the distance of neighboring positions, `receptive_field` the side of the square that
    one position depends on, both in pixels of the network's input. The layers of a network of one's
    own (`stylejax.networks.layers.Network`) need no more than these three numbers.

    `kind` is the operation; `window` the side of the square of positions that it looks at and
    `step` the distance of neighboring squares, both in positions of the map before; `inputs` that
    map's channels. A max pool averages instead where a run asks for it. A concatenation joins the
    map before to that of the last pool or concatenation. `has_bias` belongs to a convolution;
    `block` is the number of the dense block that the layer lies in, or 0.

    A name is empty where its scheme has none for this feature map.
    """

    channels: int
    stride: int
    receptive_field: int
    kind: Kind | None = None
    window: int = 1
    step: int = 1
    inputs: int = 0
    has_bias: bool = False
    block: int = 0
    keras: str = ""
    torchvision: str = ""
    paper: str = ""

    @property
    def name(self) -> str:
        """The canonical name: the paper's where there is one, Keras's otherwise."""
        return self.paper or self.keras

    @property
    def module(self) -> str:
        """The name under which the network's variables hold the layer's parameters."""
        return self.torchvision.removeprefix("features.")

    @property
    def kernel(self) -> tuple[int, int, int, int]:
        """The shape of a convolution's kernel: height x width x input x output channels."""
        return (self.window, self.window, self.inputs, self.channels)


class Architecture(NamedTuple):
    """What fixes the shapes of a DenseNet with bottleneck layers; DenseNet-121 by default."""

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

    @property
    def layers(self) -> Mapping[str, Layer]:
        """All feature maps in the order in which they are computed, by canonical name."""
        return layer_table(self)


class VggArchitecture(NamedTuple):
    """What fixes the shapes of a VGG: channels and convolutions of each block (VGG-19's)."""

    block_channels: tuple[int, ...] = (64, 128, 256, 512, 512)
    block_sizes: tuple[int, ...] = (2, 2, 4, 4, 4)

    @property
    def network(self) -> NetworkName:
        """The network's name; one with other widths goes by the same."""
        return "vgg16" if self.block_sizes == VGG16.block_sizes else "vgg19"

    @property
    def layers(self) -> Mapping[str, Layer]:
        """All feature maps in the order in which they are computed, by canonical name."""
        return layer_table(self)


AnyArchitecture = Architecture | VggArchitecture
"""Of a network that stylejax knows the layers of."""
# The widths of the papers are the classes' defaults.
DENSENET121 = Architecture()
"""DenseNet-121 (Huang et al., 2017), without its classifier."""
VGG16 = VggArchitecture(block_sizes=(2, 2, 3, 3, 3))
"""VGG-16 (Simonyan and Zisserman, 2014), without its classifier."""
VGG19 = VggArchitecture()
"""VGG-19, likewise."""
ARCHITECTURES: dict[NetworkName, AnyArchitecture] = {
    architecture.network: architecture for architecture in (DENSENET121, VGG16, VGG19)
}
"""By the name of the network in options and weight files."""
TITLES: dict[NetworkName, str] = {
    "densenet121": "DenseNet-121",
    "vgg16": "VGG-16",
    "vgg19": "VGG-19",
}


def _row(
    kind: Kind, keras: str, torchvision: str, channels: int = 0, window: int = 1, step: int = 1
) -> Layer:
    """What a layer computes, of which map follows from its place (`_placed`)."""
    return Layer(channels, 0, 0, kind, window, step, keras=keras, torchvision=torchvision)


def _placed(rows: Iterable[Layer]) -> Iterator[Layer]:
    """The rows with what follows from those before: inputs, channels, geometry."""
    stride = receptive_field = 1
    channels = joined = 0
    for row in rows:
        inputs = channels
        channels = row.channels or inputs
        if row.kind == "concat":
            channels = joined + inputs
        if row.kind in JOINED:
            joined = channels
        receptive_field += (row.window - 1) * stride
        stride *= row.step
        yield row._replace(
            channels=channels, stride=stride, receptive_field=receptive_field, inputs=inputs
        )


def _bottleneck_layer(architecture: Architecture, block: int, index: int) -> Iterator[Layer]:
    """BN-ReLU-Conv(1x1)-BN-ReLU-Conv(3x3), joined to what it was given (section 3, equation 2)."""
    keras = f"conv{block + 1}_block{index}"
    torchvision = f"features.denseblock{block}.denselayer{index}"
    last = index == architecture.block_sizes[block - 1]
    # torchvision has no module for a concatenation inside a block; this is in its style.
    joined = f"features.denseblock{block}" if last else f"{torchvision}.concat"
    bottleneck, growth = architecture.bottleneck_channels, architecture.growth_rate
    rows = (
        _row("norm", f"{keras}_0_bn", f"{torchvision}.norm1"),
        _row("relu", f"{keras}_0_relu", f"{torchvision}.relu1"),
        _row("convolution", f"{keras}_1_conv", f"{torchvision}.conv1", bottleneck),
        _row("norm", f"{keras}_1_bn", f"{torchvision}.norm2"),
        _row("relu", f"{keras}_1_relu", f"{torchvision}.relu2"),
        _row("convolution", f"{keras}_2_conv", f"{torchvision}.conv2", growth, window=3),
        _row("concat", f"{keras}_concat", joined),
    )
    return (row._replace(block=block) for row in rows)


def _densenet_rows(architecture: Architecture) -> Iterator[Layer]:
    yield _row("input", "input", "input", 3)
    channels = architecture.stem_channels
    yield _row("convolution", "conv1_conv", "features.conv0", channels, window=7, step=2)
    yield _row("norm", "conv1_bn", "features.norm0")
    yield _row("relu", "conv1_relu", "features.relu0")
    yield _row("max pool", "pool1", "features.pool0", window=3, step=2)
    for block, size in enumerate(architecture.block_sizes, start=1):
        for index in range(1, size + 1):
            yield from _bottleneck_layer(architecture, block, index)
        channels += size * architecture.growth_rate
        if block < len(architecture.block_sizes):
            # Transition layers keep half of the channels: compression 0.5 (section 3).
            channels //= 2
            keras, torchvision = f"pool{block + 1}", f"features.transition{block}"
            yield _row("norm", f"{keras}_bn", f"{torchvision}.norm")
            yield _row("relu", f"{keras}_relu", f"{torchvision}.relu")
            yield _row("convolution", f"{keras}_conv", f"{torchvision}.conv", channels)
            yield _row("average pool", f"{keras}_pool", f"{torchvision}.pool", window=2, step=2)
    yield _row("norm", "bn", "features.norm5")
    yield _row("relu", "relu", "features.relu5")


def _vgg_rows(architecture: VggArchitecture, with_norms: bool) -> Iterator[Layer]:
    yield _row("input", "input", "input", 3)._replace(paper="input")
    # torchvision numbers its modules, norms among them.
    number = itertools.count()
    sizes = zip(architecture.block_channels, architecture.block_sizes, strict=True)
    for block, (channels, size) in enumerate(sizes, start=1):
        for index in range(1, size + 1):
            convolution = _row("convolution", "", f"features.{next(number)}", channels, window=3)
            yield convolution._replace(paper=f"conv{block}_{index}", has_bias=True)
            if with_norms:
                norm = _row("norm", "", f"features.{next(number)}")
                yield norm._replace(paper=f"norm{block}_{index}")
            # What Keras's layer gives is what comes out of its ReLU.
            relu = _row("relu", f"block{block}_conv{index}", f"features.{next(number)}")
            yield relu._replace(paper=f"relu{block}_{index}")
        pool = _row("max pool", f"block{block}_pool", f"features.{next(number)}", window=2, step=2)
        yield pool._replace(paper=f"pool{block}")


def vgg_layers(architecture: VggArchitecture, *, with_norms: bool = False) -> tuple[Layer, ...]:
    """All layers of a VGG, or of its variant with a batch norm after each convolution."""
    return tuple(_placed(_vgg_rows(architecture, with_norms)))


@cache
def layer_table(architecture: AnyArchitecture = DENSENET121) -> dict[str, Layer]:
    """All feature maps in the order in which they are computed, by canonical name."""
    if isinstance(architecture, VggArchitecture):
        layers = vgg_layers(architecture)
    else:
        layers = _placed(_densenet_rows(architecture))
    return {layer.name: layer for layer in layers}
