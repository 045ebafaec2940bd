"""Decoders from feature maps back to the picture: one chain, entered at any of its taps.

Each block undoes one halving: `pool3_relu` to `pool2_relu`, that to `conv1_relu`, that to the
pixels; a deep tap's decoder is its block and those of all shallower taps, which are trained once
for all. Feature maps travel in units of fixed channel deviations, which are kept beside the
parameters; no block normalizes its input, which would undo a transform.

Maps are batch x height x width x channels. Upsampling comes before each 3x3 convolution of an
enlarged map, all padding is by reflection: no checkerboard, no dark border.
"""

from collections.abc import Mapping
from typing import Any, cast

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stylejax.networks.kernels.convolution import same_size_convolution
from stylejax.transfer.parameterization import bounded
from stylejax.types import Variables

LEVELS = ("pool3_relu", "pool2_relu", "conv1_relu")
"""The taps of the encoder, from the deepest to the shallowest: strides 8, 4 and 2."""
STRIDES = {"pool3_relu": 8, "pool2_relu": 4, "conv1_relu": 2}
CHANNELS = {"pool3_relu": 512, "pool2_relu": 256, "conv1_relu": 64}

REACH = {"pool3_relu": 80, "pool2_relu": 36, "conv1_relu": 4}
"""Pixels that the chain of decoders sees on either side, from each tap: 4 or 6 positions of the
residual blocks and 1 of the enlargement at its stride, 1 more at half of it; 2 at stride 2."""

Maps = Float[Array, "batch _ _ _"]
Kernel = Float[Array, "_ _ _ _"] | Float[np.ndarray, "_ _ _ _"]

_ZEROS = nn.initializers.zeros


def _inner_convolution(x: Maps, kernel: Kernel) -> Maps:
    """A convolution without padding, by a kernel of 2 or 3 rows and columns.

    It is cut out of one that pads with zeros: XLA's CPU backend takes the other form, of the same
    numbers, some two to ten times as long.
    """
    before = (kernel.shape[0] - 1) // 2
    padding = (before, kernel.shape[0] - 1 - before)
    whole = same_size_convolution(x, jnp.asarray(kernel), (padding, padding))
    inner = slice(before, -padding[1])
    return whole[:, inner, inner]


def _reflected(x: Maps) -> Maps:
    return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")


def upsampled_convolution(x: Maps, kernel: Kernel) -> Maps:
    """A 3x3 convolution, padded by reflection, of the map enlarged twice by its nearest neighbors.

    Every output sees only 2x2 positions of the small map: the kernel's rows and columns that meet
    the same position are added up beforehand, which leaves 4 products of 9. The enlarged map's
    reflected border is the small map's border once more.
    """
    batch, height, width, _ = x.shape
    outputs = kernel.shape[-1]
    # Of even rows the kernel's first row meets the row before, of odd ones the last the row behind.
    phases = lambda k: jnp.stack([jnp.stack([k[0], k[1] + k[2]]), jnp.stack([k[0] + k[1], k[2]])])
    rows = phases(kernel)  # phase, 2, 3, inputs, outputs
    both = phases(jnp.moveaxis(rows, 2, 0))  # column phase, 2 columns, row phase, 2 rows, ...
    taps = both.transpose(3, 1, 4, 2, 0, 5).reshape(2, 2, x.shape[-1], 4 * outputs)
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    each = _inner_convolution(padded, taps)
    each = each.reshape(batch, height + 1, width + 1, 2, 2, outputs)
    shifted = [
        [each[:, row : row + height, column : column + width, row, column] for column in (0, 1)]
        for row in (0, 1)
    ]
    beside = [jnp.stack(pair, axis=3) for pair in shifted]
    return jnp.stack(beside, axis=2).reshape(batch, 2 * height, 2 * width, outputs)


class Convolution(nn.Module):
    """A 3x3 convolution with a bias, padded by reflection; of the enlarged map where asked."""

    outputs: int
    upsample: bool = False
    start: Any = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: Maps) -> Maps:
        """Batch x height x width x channels to as many positions, or to four times as many."""
        kernel = self.param("kernel", self.start, (3, 3, x.shape[-1], self.outputs))
        bias = self.param("bias", nn.initializers.zeros, (self.outputs,))
        if self.upsample:
            return upsampled_convolution(x, kernel) + bias
        return _inner_convolution(_reflected(x), kernel) + bias


class Residual(nn.Module):
    """Two 3x3 convolutions whose result is added to their input; no norm."""

    @nn.compact
    def __call__(self, x: Maps) -> Maps:
        """A map of the same shape."""
        y = nn.relu(Convolution(x.shape[-1], name="first")(x))
        return x + Convolution(x.shape[-1], start=_ZEROS, name="second")(y)


def interleaved(x: Maps) -> Maps:
    """Channels by fours as 2x2 positions of a map of twice as many rows and columns."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height, width, 2, 2, channels // 4).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, 2 * height, 2 * width, channels // 4)


def enlarged(x: Maps) -> Maps:
    """A map of twice as many rows and columns by linear interpolation, the border's going on."""
    batch, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    near, before, behind = x[:, 1:-1], x[:, :-2], x[:, 2:]
    rows = jnp.stack([0.75 * near + 0.25 * before, 0.75 * near + 0.25 * behind], axis=2)
    rows = rows.reshape(batch, 2 * height, width + 2, channels)
    near, before, behind = rows[:, :, 1:-1], rows[:, :, :-2], rows[:, :, 2:]
    both = jnp.stack([0.75 * near + 0.25 * before, 0.75 * near + 0.25 * behind], axis=3)
    return both.reshape(batch, 2 * height, 2 * width, channels)


class FeatureBlock(nn.Module):
    """From a tap's feature map to that of the next shallower tap, of twice as many rows.

    A linear map of each position, interpolated, whose best numbers are known in closed form (least
    squares), and a network that adds what is not linear.

    Attributes:
        width: channels before the enlargement.
        residuals: residual blocks before it.
        finer_width: channels after it.
        outputs: channels of the shallower tap.
    """

    width: int
    residuals: int
    finer_width: int
    outputs: int

    @nn.compact
    def __call__(self, x: Maps) -> Maps:
        """Map features in units of deviations to such features."""
        straight = enlarged(nn.Dense(self.outputs, name="straight")(x))
        x = nn.relu(nn.Dense(self.width, name="enter")(x))
        for number in range(self.residuals):
            x = Residual(name=f"residual{number}")(x)
        x = nn.relu(Convolution(self.finer_width, upsample=True, name="enlarge")(x))
        return straight + Convolution(self.outputs, start=_ZEROS, name="leave")(x)


class PixelBlock(nn.Module):
    """From `conv1_relu` to the pixels, as `FeatureBlock`: a linear map and a network beside it.

    All convolutions run at half the picture's size; the last ones give the 2x2 pixels of each
    position. (A convolution to three channels at full size takes a CPU longer than the rest.)
    """

    width: int

    @nn.compact
    def __call__(self, x: Maps) -> Float[Array, "batch _ _ 3"]:
        """Map features in units of deviations to pixels in [0, 1]."""
        straight = Convolution(12, name="straight")(x)
        x = nn.relu(Convolution(self.width, name="enter")(x))
        x = Convolution(12, start=_ZEROS, name="leave")(x)
        return bounded(0.5 + interleaved(straight + x))


BLOCKS: Mapping[str, nn.Module] = {
    "pool3_relu": FeatureBlock(192, 2, 128, CHANNELS["pool2_relu"]),
    "pool2_relu": FeatureBlock(96, 3, 64, CHANNELS["conv1_relu"]),
    "conv1_relu": PixelBlock(48),
}
"""The block that each tap enters the chain by."""


def run_block(level: str, parameters: Variables, features: Maps) -> Maps:
    """The next shallower tap's features, or the pixels, of a tap's.

    Args:
        level: the tap, one of `LEVELS`.
        parameters: of its block.
        features: batch x height x width x channels, in units of deviations.
    """
    return cast(Maps, BLOCKS[level].apply(parameters, features))
