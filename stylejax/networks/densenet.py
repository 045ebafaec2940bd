"""DenseNet-121 without its classifier, as a Flax module that returns named feature maps.

Input is a batch x height x width x 3 array, already normalized as the weights want it; feature maps
are batch x height x width x channels. Batch norm uses its stored statistics unless told otherwise.
What is computed in which order is the architecture's to say (`stylejax.networks.architectures`).
Source: Huang et al. (2017), in the form of torchvision and Keras, which agree layer by layer.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array

from stylejax.networks.architectures import DENSENET121, Architecture, Layer
from stylejax.networks.kernels import network_kernels
from stylejax.networks.kernels.convolution import Batch
from stylejax.networks.kernels.folding import block_numbers, whole_blocks
from stylejax.networks.layers import layers_run
from stylejax.options import Kernels, Pooling

Maps = Iterator[tuple[str, Batch]]


class DenseNet(nn.Module):
    """DenseNet with bottleneck layers, up to the deepest of the layers asked for.

    Attributes:
        layers: canonical names of the feature maps to return (`stylejax.networks.layers`).
        architecture: channels and block sizes; DenseNet-121 unless told otherwise.
        epsilon: added to the variance in batch norm; 1e-5 in torchvision, 1.001e-5 in Keras.
        pooling: the stem's pooling.
        dtype: of the products and of the feature maps between layers; parameters, statistics and
            the input stay as they are.
        training: whether batch norm uses the statistics of the batch and keeps a running mean of
            them in the collection `batch_stats`, which must then be mutable.
        kernels: `fast` or `plain` functions (`stylejax.networks.kernels`).
        seamless: whether maps go on at their other side, of a picture that tiles; else zeros lie
            beyond their border.
    """

    layers: tuple[str, ...]
    architecture: Architecture = DENSENET121
    epsilon: float = 1e-5
    pooling: Pooling = "max"
    dtype: DTypeLike = jnp.float32
    training: bool = False
    kernels: Kernels | None = None
    seamless: bool = False

    @nn.compact
    def __call__(self, x: Batch) -> dict[str, Array]:
        """Map a normalized batch to `{layer: feature map}`; nothing past the last one is run."""
        # Dense blocks of which only the result is asked for are one function.
        whole: set[int] = set()
        if not self.training and not self.is_initializing():
            whole = whole_blocks(self.layers, self.architecture)
        features: dict[str, Array] = {}
        run = layers_run(self.layers, self.architecture.layers)
        for block, rows in groupby(run.values(), key=lambda layer: layer.block):
            if block in whole:
                *_, last = rows
                numbers = block_numbers(self.variables, block, self.architecture, self.epsilon)
                kernels = network_kernels(self.kernels, self.seamless)
                x = kernels.dense_block(x.astype(self.dtype), numbers)
                maps: Maps = iter([(last.name, x)])
            else:
                maps = _feature_maps(self, rows, x)
            for name, x in maps:
                if name in self.layers:
                    features[name] = x
        return features


def _feature_maps(network: DenseNet, rows: Iterable[Layer], x: Batch) -> Maps:
    """The network as the papers have it: the rows one after the other, from the map before them."""
    kernels = network_kernels(network.kernels, network.seamless)
    joined = before = x
    convolution = lambda x: x
    for layer in rows:
        match layer.kind:
            case "convolution":
                before, convolution = x, _convolution(network, layer)
                x = convolution(before)
            case "norm":
                x = nn.BatchNorm(
                    use_running_average=not network.training,
                    # torchvision's 0.1, which counts the other way round.
                    momentum=0.9,
                    epsilon=network.epsilon,
                    dtype=network.dtype,
                    name=layer.module,
                )(x)
            case "relu":
                x = nn.relu(x)
            case "max pool":
                x = kernels.pool(x, layer.window, network.pooling)
            case "average pool":
                x = kernels.transition(before, convolution)
            case "concat":
                x = joined = jnp.concatenate([joined, x], axis=-1)
        yield layer.name, x


def _convolution(network: DenseNet, layer: Layer) -> nn.Module:
    """A submodule's name is its key in torchvision's state dict, so weights need no map."""
    if layer.window == 1:
        # A matrix product over channels, which XLA's CPU backend runs faster as one.
        return nn.Dense(
            layer.channels, use_bias=layer.has_bias, dtype=network.dtype, name=layer.module
        )
    kernels = network_kernels(network.kernels, network.seamless)
    return nn.Conv(
        layer.channels,
        (layer.window, layer.window),
        use_bias=layer.has_bias,
        dtype=network.dtype,
        conv_general_dilated=lambda x, kernel, *_, **__: kernels.convolution(x, kernel, layer.step),
        name=layer.module,
    )
