"""DenseNet-121 without its classifier, as a Flax module that returns named feature maps.

Input is a batch x height x width x 3 array, already normalized as the weights want it; feature maps
are batch x height x width x channels. Batch norm uses its stored statistics unless told otherwise.
Source: Huang et al. (2017), in the form of torchvision and Keras, which agree layer by layer.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array

from stylejax.networks.kernels.convolution import Batch, conv3x3, stem_convolution
from stylejax.networks.kernels.dense_block import DenseLayer, dense_block, dense_layer
from stylejax.networks.kernels.pooling import max_pool
from stylejax.networks.layers import DENSENET121, Architecture
from stylejax.options import Pooling
from stylejax.types import Variables

FOLDED = "folded"
"""The collection of variables that `DenseNet.fold` adds."""

Maps = Iterator[tuple[str, Batch]]


def _pool(x: Batch, pooling: Pooling) -> Batch:
    if pooling == "max":
        return max_pool(x)
    window: Any = {"window_shape": (3, 3), "strides": (2, 2), "padding": ((1, 1), (1, 1))}
    # The zeros of the padding are left out of the mean: no dark line along the border.
    return nn.avg_pool(x, count_include_pad=False, **window)


def _folded(variables: Any, name: str, epsilon: float) -> tuple[Any, Any]:
    """Scale and shift of a batch norm with stored statistics."""
    parameters, statistics = (variables[kind][name] for kind in ("params", "batch_stats"))
    scale = parameters["scale"] * (statistics["var"] + epsilon) ** -0.5
    return scale, parameters["bias"] - statistics["mean"] * scale


def _dense_layers(variables: Any, block: int, size: int, epsilon: float) -> tuple[DenseLayer, ...]:
    """The numbers of a block's layers as `dense_block` wants them."""
    name = f"denseblock{block}"
    if name in variables.get(FOLDED, {}):
        return variables[FOLDED][name]
    layers = []
    for index in range(1, size + 1):
        key = f"{name}.denselayer{index}"
        before, after = (
            _folded(variables, f"{key}.{norm}", epsilon) for norm in ("norm1", "norm2")
        )
        pointwise, spatial = (
            variables["params"][f"{key}.{name}"]["kernel"] for name in ("conv1", "conv2")
        )
        layers.append(dense_layer(*before, pointwise, after, spatial))
    return tuple(layers)


def _block_maps(network: "DenseNet", norm: partial, block: int, x: Batch) -> Maps:
    """A dense block layer by layer, for the maps inside it and for training."""
    # A 1x1 convolution is a matrix product over channels; XLA's CPU backend runs it faster as one.
    pointwise = partial(nn.Dense, use_bias=False, dtype=network.dtype)
    spatial = partial(
        nn.Conv,
        use_bias=False,
        dtype=network.dtype,
        kernel_size=(3, 3),
        conv_general_dilated=lambda x, kernel, *_, **__: conv3x3(x, kernel),
    )
    architecture = network.architecture
    for index in range(1, architecture.block_sizes[block - 1] + 1):
        key, tap = f"denseblock{block}.denselayer{index}", f"conv{block + 1}_block{index}"
        y = norm(name=f"{key}.norm1")(x)
        yield f"{tap}_0_bn", y
        y = nn.relu(y)
        yield f"{tap}_0_relu", y
        y = pointwise(architecture.bottleneck_channels, name=f"{key}.conv1")(y)
        yield f"{tap}_1_conv", y
        y = norm(name=f"{key}.norm2")(y)
        yield f"{tap}_1_bn", y
        y = nn.relu(y)
        yield f"{tap}_1_relu", y
        y = spatial(architecture.growth_rate, name=f"{key}.conv2")(y)
        yield f"{tap}_2_conv", y
        x = jnp.concatenate([x, y], axis=-1)
        yield f"{tap}_concat", x


def _feature_maps(network: "DenseNet", x: Batch) -> Maps:
    """Compute the feature maps one after the other, each with its canonical name.

    A submodule's name is its key in torchvision's state dict, so converted weights need no map.
    """
    architecture = network.architecture
    norm = partial(
        nn.BatchNorm,
        use_running_average=not network.training,
        momentum=0.9,
        epsilon=network.epsilon,
        dtype=network.dtype,
    )

    yield "input", x
    x = nn.Conv(
        architecture.stem_channels,
        (7, 7),
        use_bias=False,
        dtype=network.dtype,
        conv_general_dilated=lambda x, kernel, *_, **__: stem_convolution(x, kernel),
        name="conv0",
    )(x)
    yield "conv1_conv", x
    x = norm(name="norm0")(x)
    yield "conv1_bn", x
    x = nn.relu(x)
    yield "conv1_relu", x
    x = _pool(x, network.pooling)
    yield "pool1", x
    for block, size in enumerate(architecture.block_sizes, start=1):
        if network.runs_whole(block) and not network.is_initializing():
            layers = _dense_layers(network.variables, block, size, network.epsilon)
            x = dense_block(x.astype(network.dtype), layers)
            yield f"conv{block + 1}_block{size}_concat", x
        else:
            for tap, x in _block_maps(network, norm, block, x):  # noqa: B020
                yield tap, x
        if block < len(architecture.block_sizes):
            key, tap = f"transition{block}", f"pool{block + 1}"
            x = norm(name=f"{key}.norm")(x)
            yield f"{tap}_bn", x
            x = nn.relu(x)
            yield f"{tap}_relu", x
            halve = nn.Dense(
                x.shape[-1] // 2, use_bias=False, dtype=network.dtype, name=f"{key}.conv"
            )
            yield f"{tap}_conv", halve(x)
            # The mean of the products is the product of the means, of a quarter of the positions.
            x = halve(nn.avg_pool(x, (2, 2), strides=(2, 2)))
            yield f"{tap}_pool", x
    x = norm(name="norm5")(x)
    yield "bn", x
    yield "relu", nn.relu(x)


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
    """

    layers: tuple[str, ...]
    architecture: Architecture = DENSENET121
    epsilon: float = 1e-5
    pooling: Pooling = "max"
    dtype: DTypeLike = jnp.float32
    training: bool = False

    @nn.compact
    def __call__(self, x: Batch) -> dict[str, Array]:
        """Map a normalized batch to `{layer: feature map}`; nothing past the last one is run."""
        features: dict[str, Array] = {}
        for name, feature_map in _feature_maps(self, x):
            if name in self.layers:
                features[name] = feature_map
                if len(features) == len(self.layers):
                    break
        return features

    def runs_whole(self, block: int) -> bool:
        """Whether none of the layers asked for lies inside a dense block, counted from 1."""
        last = f"conv{block + 1}_block{self.architecture.block_sizes[block - 1]}_concat"
        inside = (name.startswith(f"conv{block + 1}_") for name in self.layers if name != last)
        return not self.training and not any(inside)

    def fold(self, variables: Variables) -> Variables:
        """The variables with the numbers of whole dense blocks computed beforehand, by NumPy.

        In a program they are most of what there is to compile, though none of what there is to do.
        """
        folded = {}
        for block, size in enumerate(self.architecture.block_sizes, start=1):
            if self.runs_whole(block):
                layers = _dense_layers(variables, block, size, self.epsilon)
                folded[f"denseblock{block}"] = layers
        kept = {
            kind: {key: leaf for key, leaf in values.items() if key.split(".")[0] not in folded}
            for kind, values in variables.items()
        }
        return kept | {FOLDED: folded}
