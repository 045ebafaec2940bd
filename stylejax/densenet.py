"""DenseNet-121 without its classifier, as a Flax module that returns named feature maps.

Input is a batch x height x width x 3 array, already normalised as the weights want it; feature maps
are batch x height x width x channels. Batch norm uses its stored statistics unless told otherwise.
Source: Huang et al. (2017), in the form of torchvision and Keras, which agree layer by layer.
"""

from collections.abc import Iterator
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array

from stylejax.config import Pooling
from stylejax.convolution import Batch, conv3x3
from stylejax.layers import DENSENET121, Architecture


def _pool(x: Batch, pooling: Pooling) -> Batch:
    window: dict = {"window_shape": (3, 3), "strides": (2, 2), "padding": ((1, 1), (1, 1))}
    if pooling == "max":
        return nn.max_pool(x, **window)
    # The zeros of the padding are left out of the mean: no dark line along the border.
    return nn.avg_pool(x, count_include_pad=False, **window)


def _feature_maps(
    x: Batch, architecture: Architecture, norm: partial, pooling: Pooling, dtype: DTypeLike
) -> Iterator[tuple[str, Batch]]:
    """Compute the feature maps one after the other, each with its canonical name.

    A submodule's name is its key in torchvision's state dict, so converted weights need no map.
    """
    # A 1x1 convolution is a matrix product over channels; XLA's CPU backend runs it faster as one.
    pointwise = partial(nn.Dense, use_bias=False, dtype=dtype)
    conv = partial(nn.Conv, use_bias=False, dtype=dtype)
    spatial = partial(
        conv,
        kernel_size=(3, 3),
        conv_general_dilated=lambda x, kernel, *_, **__: conv3x3(x, kernel),
    )

    yield "input", x
    x = conv(architecture.stem_channels, (7, 7), strides=2, padding=3, name="conv0")(x)
    yield "conv1_conv", x
    x = norm(name="norm0")(x)
    yield "conv1_bn", x
    x = nn.relu(x)
    yield "conv1_relu", x
    x = _pool(x, pooling)
    yield "pool1", x
    for block, size in enumerate(architecture.block_sizes, start=1):
        for index in range(1, size + 1):
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
        if block < len(architecture.block_sizes):
            key, tap = f"transition{block}", f"pool{block + 1}"
            x = norm(name=f"{key}.norm")(x)
            yield f"{tap}_bn", x
            x = nn.relu(x)
            yield f"{tap}_relu", x
            x = pointwise(x.shape[-1] // 2, name=f"{key}.conv")(x)
            yield f"{tap}_conv", x
            x = nn.avg_pool(x, (2, 2), strides=(2, 2))
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
        norm = partial(
            nn.BatchNorm,
            use_running_average=not self.training,
            momentum=0.9,
            epsilon=self.epsilon,
            dtype=self.dtype,
        )
        maps = _feature_maps(x, self.architecture, norm, self.pooling, self.dtype)
        for name, feature_map in maps:
            if name in self.layers:
                features[name] = feature_map
                if len(features) == len(self.layers):
                    break
        return features
