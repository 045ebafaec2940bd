"""BVLC GoogLeNet as a Flax module: the teacher that `pretrain.py` distils from.

A training tool: neither it nor its weights ship with stylejax. Input is a batch x height x width
x 3 array, RGB in [0, 1]; feature maps are batch x height x width x channels, after their ReLU.
Source: Szegedy et al., Going Deeper with Convolutions (2015), as released in Caffe's model zoo.
"""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float
from safetensors.numpy import load_file

BGR_MEAN = (104.0, 117.0, 123.0)

# Output channels of each inception module: 1x1; 3x3 reduce and 3x3; 5x5 reduce and 5x5; projection.
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
CHANNELS = {"conv1": 64, "conv2": 192, "3b": 480, "4e": 832, "5b": 1024, "logits": 1000}


def _halve(x: Array) -> Array:
    """Max pool 3x3, stride 2, no padding before; Caffe counts windows that reach past the end."""
    padding: Any = [(0, (side - 3) % 2) for side in x.shape[1:3]]
    return nn.max_pool(x, (3, 3), strides=(2, 2), padding=padding)


def _local_response_norm(x: Array) -> Array:
    """Compute x / (1 + alpha / size * sum of squares over `size` neighboring channels) ** beta."""
    size, alpha, beta = 5, 1e-4, 0.75
    channel = np.arange(x.shape[-1])
    near = np.abs(channel[:, None] - channel) <= size // 2
    return x * (1.0 + alpha / size * (x * x) @ jnp.asarray(near, x.dtype)) ** -beta


class GoogLeNet(nn.Module):
    """GoogLeNet up to the deepest feature map asked for.

    Attributes:
        outputs: names of the feature maps to return: conv1, conv2, 3a ... 5b, logits.
        dtype: of products and feature maps.
    """

    outputs: tuple[str, ...]
    dtype: DTypeLike = jnp.float32

    def _convolve(self, x: Array, name: str, channels: int, size: int, stride: int = 1) -> Array:
        if size == 1:
            return nn.relu(nn.Dense(channels, name=name, dtype=self.dtype)(x))
        padding = size // 2
        conv = nn.Conv(channels, (size, size), stride, padding=padding, name=name, dtype=self.dtype)
        return nn.relu(conv(x))

    def _inception(self, x: Array, name: str) -> Array:
        one, reduce3, three, reduce5, five, projection = INCEPTIONS[name]
        key = f"inception_{name}."
        y3 = self._convolve(x, f"{key}3x3_reduce", reduce3, 1)
        y5 = self._convolve(x, f"{key}5x5_reduce", reduce5, 1)
        pooled = nn.max_pool(x, (3, 3), padding="SAME")
        branches = (
            self._convolve(x, f"{key}1x1", one, 1),
            self._convolve(y3, f"{key}3x3", three, 3),
            self._convolve(y5, f"{key}5x5", five, 5),
            self._convolve(pooled, f"{key}pool_proj", projection, 1),
        )
        return jnp.concatenate(branches, axis=-1)

    @nn.compact
    def __call__(self, pictures: Float[Array, "batch height width 3"]) -> dict[str, Array]:
        """Map pictures to `{name: feature map}`; nothing past the deepest name is computed."""
        found: dict[str, Array] = {}

        def keep(name: str, value: Array) -> bool:
            if name in self.outputs:
                found[name] = value
            return len(found) == len(self.outputs)

        x = (pictures[..., ::-1] * 255.0 - jnp.array(BGR_MEAN)).astype(self.dtype)
        x = self._convolve(x, "conv1.7x7_s2", 64, 7, 2)
        if keep("conv1", x):
            return found
        x = _local_response_norm(_halve(x))
        x = self._convolve(self._convolve(x, "conv2.3x3_reduce", 64, 1), "conv2.3x3", 192, 3)
        if keep("conv2", x):
            return found
        x = _halve(_local_response_norm(x))
        for name in INCEPTIONS:
            x = self._inception(_halve(x) if name in ("4a", "5a") else x, name)
            if keep(name, x):
                return found
        keep("logits", nn.Dense(1000, name="loss3.classifier")(x.mean((1, 2))))
        return found


def read_googlenet(path: Path) -> dict:
    """The module's variables from a safetensors file with Caffe's names and OIHW kernels."""
    params: dict[str, dict[str, np.ndarray]] = {}
    for key, value in load_file(path).items():
        module, entry = key.replace("/", ".").rsplit(".", 1)
        value = value.astype(np.float32)
        if entry == "weight":
            spatial = value.ndim == 4 and value.shape[2] > 1
            value = value.transpose(2, 3, 1, 0) if spatial else value.reshape(value.shape[:2]).T
        name = "kernel" if entry == "weight" else "bias"
        params.setdefault(module, {})[name] = np.ascontiguousarray(value)
    return {"params": params}
