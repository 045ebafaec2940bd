"""VGG-16 and VGG-19 without their classifiers, as a Flax module that returns named feature maps.

Input is a batch x height x width x 3 array, already normalized as the weights want it; feature maps
are batch x height x width x channels. What is computed in which order is the architecture's to say
(`stylejax.networks.architectures`). Source: Simonyan and Zisserman (2015), whose layers torchvision
and Keras have alike.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array

from stylejax.networks.architectures import VGG19, VggArchitecture
from stylejax.networks.kernels import network_kernels
from stylejax.networks.kernels.convolution import Batch
from stylejax.networks.layers import layers_run
from stylejax.options import Kernels, Pooling


class Vgg(nn.Module):
    """VGG of 3x3 convolutions, up to the deepest of the layers asked for.

    Attributes:
        layers: canonical names of the feature maps to return (`stylejax.networks.layers`).
        architecture: channels and block sizes; VGG-19 unless told otherwise.
        pooling: of all pools; `max` as trained, `average` as in Gatys et al.
        dtype: of the products and of the feature maps between layers; parameters and the input
            stay as they are.
        kernels: `fast` or `plain` functions (`stylejax.networks.kernels`).
        seamless: whether maps go on at their other side, of a picture that tiles; else zeros lie
            beyond their border.
    """

    layers: tuple[str, ...]
    architecture: VggArchitecture = VGG19
    pooling: Pooling = "max"
    dtype: DTypeLike = jnp.float32
    kernels: Kernels | None = None
    seamless: bool = False

    @nn.compact
    def __call__(self, x: Batch) -> dict[str, Array]:
        """Map a normalized batch to `{layer: feature map}`; nothing past the last one is run."""
        kernels = network_kernels(self.kernels, self.seamless)
        features: dict[str, Array] = {}
        for name, layer in layers_run(self.layers, self.architecture.layers).items():
            match layer.kind:
                case "convolution":
                    # The submodule's name is its index in torchvision's `features`.
                    x = nn.Conv(
                        layer.channels,
                        (layer.window, layer.window),
                        use_bias=layer.has_bias,
                        dtype=self.dtype,
                        conv_general_dilated=lambda x, kernel, *_, **__: kernels.convolution(
                            x, kernel
                        ),
                        name=layer.module,
                    )(x)
                case "relu":
                    x = nn.relu(x)
                case "max pool":
                    x = kernels.pool(x, layer.window, self.pooling)
            if name in self.layers:
                features[name] = x
        return features
