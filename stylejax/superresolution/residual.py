"""The network that enlarges a picture 4 or 8 times, on its way from exact to sharp.

What comes out is bicubic interpolation plus what a body of residual blocks adds, all of whose maps
have the small picture's size: its last convolution makes each position's factor x factor pixels at
once (Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
Convolutional Neural Network, 2016, arXiv 1609.05158). It has no normalization, which would shift
colors (Lim et al., Enhanced Deep Residual Networks for Single Image Super-Resolution, 2017, arXiv
1707.02921), and so each pixel depends on those near it alone.

How sharp the result is to be is an input: `sharpness` scales and shifts the maps inside each block
and adds a second kernel to the last convolution's. At 0 all of that is off.

A picture is height x width x 3 in [0, 1].
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from stylejax.superresolution.form import Enlarger
from stylejax.superresolution.reduction import keys_kernel
from stylejax.types import OtherImage, Scalar

Map = Float[Array, "_ _ _"]
Parameters = PyTree

FAINTEST = 0.1
"""Deviation of a block's second kernel at first, over that which keeps a map's size."""
_TAPS = 5
"""Samples that all phases of the cubic kernel lie on."""
_LAYOUT = ("NHWC", "HWIO", "NHWC")


def _kernel(key: PRNGKeyArray, inputs: int, outputs: int, gain: float = 1.0) -> Array:
    deviation = gain * np.sqrt(2.0 / (9 * inputs))
    return deviation * jax.random.normal(key, (3, 3, inputs, outputs))


def init_residual(enlarger: Enlarger, key: PRNGKeyArray) -> dict[str, Array | dict[str, Array]]:
    """Parameters to begin training with: those of bicubic interpolation."""
    channels = enlarger.channels
    zeros = lambda: jnp.zeros(channels)
    head, *keys = jax.random.split(key, 1 + 2 * enlarger.blocks)
    parameters: dict[str, Array | dict[str, Array]] = {
        "head": {"kernel": _kernel(head, 3, channels), "bias": zeros()},
        "tail": {
            "kernel": jnp.zeros((3, 3, channels, 3 * enlarger.factor**2)),
            "sharp_kernel": jnp.zeros((3, 3, channels, 3 * enlarger.factor**2)),
            "bias": jnp.zeros(3 * enlarger.factor**2),
        },
    }
    for number in range(enlarger.blocks):
        first, second = keys[2 * number : 2 * number + 2]
        parameters[f"block{number + 1}"] = {
            "kernel_a": _kernel(first, channels, channels),
            "bias_a": zeros(),
            "kernel_b": _kernel(second, channels, channels, FAINTEST),
            "bias_b": zeros(),
            "sharp_scale": zeros(),
            "sharp_shift": zeros(),
        }
    return parameters


def _convolution(x: Map, kernel: Array) -> Map:
    """A convolution that pads with zeros: on a processor XLA is far slower at one that does not."""
    return lax.conv_general_dilated(x[None], kernel, (1, 1), "SAME", dimension_numbers=_LAYOUT)[0]


def body_features(
    enlarger: Enlarger, parameters: Parameters, picture: OtherImage, sharpness: Scalar | float
) -> Map:
    """The map that the last convolution sees.

    Around the picture the body sees zeros: what it says of the outer pixels depends on them.
    """
    head = parameters["head"]
    x = _convolution(jnp.asarray(picture) - 0.5, head["kernel"]) + head["bias"]
    for number in range(1, enlarger.blocks + 1):
        block = parameters[f"block{number}"]
        inner = _convolution(x, block["kernel_a"]) + block["bias_a"]
        scale, shift = 1.0 + sharpness * block["sharp_scale"], sharpness * block["sharp_shift"]
        inner = jax.nn.relu(scale * inner + shift)
        x = x + _convolution(inner, block["kernel_b"]) + block["bias_b"]
    return x


def residual_details(
    enlarger: Enlarger, parameters: Parameters, picture: OtherImage, sharpness: Scalar | float
) -> Map:
    """What the network adds to bicubic interpolation, its pixels still side by side as channels."""
    x, tail = body_features(enlarger, parameters, picture, sharpness), parameters["tail"]
    return _convolution(x, tail["kernel"] + sharpness * tail["sharp_kernel"]) + tail["bias"]


def unfolded_pixels(x: Map, factor: int) -> OtherImage:
    """The picture whose factor x factor pixels are the channels of one position."""
    height, width = x.shape[:2]
    pixels = x.reshape(height, width, factor, factor, 3).transpose(0, 2, 1, 3, 4)
    return pixels.reshape(factor * height, factor * width, 3)


def _cubic_phases(factor: int) -> np.ndarray:
    """Weights of the samples around a position for each of its `factor` results."""
    centers = (np.arange(factor) + 0.5) / factor - 0.5
    taps = np.arange(_TAPS) - _TAPS // 2
    return keys_kernel(taps[:, None] - centers).astype(np.float32)


def cubic_enlargement(x: OtherImage, factor: int) -> OtherImage:
    """Bicubic interpolation of the pixels that have two neighbors on each side."""
    phases = jnp.asarray(_cubic_phases(factor))
    for axis in range(2):
        length = x.shape[axis] - _TAPS + 1
        near = [lax.slice_in_dim(x, tap, tap + length, axis=axis) for tap in range(_TAPS)]
        each = jnp.tensordot(jnp.stack(near), phases, axes=(0, 0))
        each = jnp.moveaxis(each, -1, axis + 1)
        x = each.reshape(*x.shape[:axis], factor * length, *x.shape[axis + 1 :])
    return x


def cubic_interior(framed: OtherImage, factor: int, frame: int) -> OtherImage:
    """Bicubic interpolation of a picture in a frame, without the frame."""
    rest = frame - _TAPS // 2
    return cubic_enlargement(framed[rest:-rest, rest:-rest], factor)
