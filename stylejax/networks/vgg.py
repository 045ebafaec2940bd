"""VGG-16 and VGG-19 without their classifiers, as a Flax module that returns named feature maps.

Input is a batch x height x width x 3 array, already normalized as the weights want it; feature maps
are batch x height x width x channels. Source: Simonyan and Zisserman (2015), whose layers
torchvision and Keras have alike.
"""

from collections.abc import Iterator

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array

from stylejax.networks.kernels.convolution import Batch, conv3x3
from stylejax.networks.layers import VGG19, VggArchitecture
from stylejax.options import Pooling


def _pool(x: Batch, pooling: Pooling) -> Batch:
    """Pool 2 x 2 positions into one; a last odd row or column is left out.

    On CPU the gradient of this is twice as fast as that of a sliding window (docs/presets.md).
    """
    batch, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    windows = x[:, : 2 * rows, : 2 * columns].reshape(batch, rows, 2, columns, 2, channels)
    return windows.max((2, 4)) if pooling == "max" else windows.mean((2, 4))


def _feature_maps(
    x: Batch, architecture: VggArchitecture, pooling: Pooling, dtype: DTypeLike
) -> Iterator[tuple[str, Batch]]:
    """Compute the feature maps one after the other, each with its canonical name.

    A submodule's name is its index in torchvision's `features`, so converted weights need no map.
    """
    index = 0
    yield "input", x
    sizes = zip(architecture.block_channels, architecture.block_sizes, strict=True)
    for block, (channels, size) in enumerate(sizes, start=1):
        for number in range(1, size + 1):
            x = nn.Conv(
                channels,
                kernel_size=(3, 3),
                dtype=dtype,
                conv_general_dilated=lambda x, kernel, *_, **__: conv3x3(x, kernel),
                name=str(index),
            )(x)
            yield f"conv{block}_{number}", x
            x = nn.relu(x)
            yield f"relu{block}_{number}", x
            index += 2
        x = _pool(x, pooling)
        yield f"pool{block}", x
        index += 1


class Vgg(nn.Module):
    """VGG of 3x3 convolutions, up to the deepest of the layers asked for.

    Attributes:
        layers: canonical names of the feature maps to return (`stylejax.networks.layers`).
        architecture: channels and block sizes; VGG-19 unless told otherwise.
        pooling: of all pools; `max` as trained, `average` as in Gatys et al.
        dtype: of the products and of the feature maps between layers; parameters and the input
            stay as they are.
    """

    layers: tuple[str, ...]
    architecture: VggArchitecture = VGG19
    pooling: Pooling = "max"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Batch) -> dict[str, Array]:
        """Map a normalized batch to `{layer: feature map}`; nothing past the last one is run."""
        features: dict[str, Array] = {}
        for name, feature_map in _feature_maps(x, self.architecture, self.pooling, self.dtype):
            if name in self.layers:
                features[name] = feature_map
                if len(features) == len(self.layers):
                    break
        return features
