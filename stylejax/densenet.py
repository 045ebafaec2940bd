"""DenseNet-121 without its classifier, as a Flax module that returns named feature maps.

Input is a batch x height x width x 3 array, already normalised as the weights want it; feature maps
are batch x height x width x channels. Batch norm uses its stored statistics unless told otherwise.
Source: Huang et al. (2017), in the form of torchvision and Keras, which agree layer by layer.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array

from stylejax.config import Pooling
from stylejax.convolution import Batch, conv3x3, stem
from stylejax.dense_block import DenseLayer, dense_block
from stylejax.layers import DENSENET121, Architecture
from stylejax.pooling import max_pool

Maps = Iterator[tuple[str, Batch]]


def _pool(x: Batch, pooling: Pooling) -> Batch:
    if pooling == "max":
        return max_pool(x)
    window: Any = {"window_shape": (3, 3), "strides": (2, 2), "padding": ((1, 1), (1, 1))}
    # The zeros of the padding are left out of the mean: no dark line along the border.
    return nn.avg_pool(x, count_include_pad=False, **window)


def _folded(network: "DenseNet", name: str) -> tuple[Array, Array]:
    """Scale and shift of a batch norm with stored statistics."""
    parameters, statistics = (network.variables[kind][name] for kind in ("params", "batch_stats"))
    scale = parameters["scale"] * lax.rsqrt(statistics["var"] + network.epsilon)
    return scale, parameters["bias"] - statistics["mean"] * scale


def _dense_layers(network: "DenseNet", block: int) -> tuple[DenseLayer, ...]:
    """The numbers of a block's layers as `dense_block` wants them."""
    layers = []
    for index in range(1, network.architecture.block_sizes[block - 1] + 1):
        key = f"denseblock{block}.denselayer{index}"
        scale, shift = _folded(network, f"{key}.norm1")
        second_scale, second_shift = _folded(network, f"{key}.norm2")
        pointwise, spatial = (
            network.variables["params"][f"{key}.{name}"]["kernel"] for name in ("conv1", "conv2")
        )
        layers.append(DenseLayer(scale, shift, pointwise * second_scale, second_shift, spatial))
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
        conv_general_dilated=lambda x, kernel, *_, **__: stem(x, kernel),
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
        last = f"conv{block + 1}_block{size}_concat"
        inside = any(
            name.startswith(f"conv{block + 1}_") for name in network.layers if name != last
        )
        if inside or network.training or network.is_initializing():
            for tap, x in _block_maps(network, norm, block, x):  # noqa: B020
                yield tap, x
        else:
            x = dense_block(x.astype(network.dtype), _dense_layers(network, block))
            yield last, x
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
        layers: canonical names of the feature maps to return (`stylejax.layers`).
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
        """Map a normalised batch to `{layer: feature map}`; nothing past the last one is run."""
        features: dict[str, Array] = {}
        for name, feature_map in _feature_maps(self, x):
            if name in self.layers:
                features[name] = feature_map
                if len(features) == len(self.layers):
                    break
        return features
