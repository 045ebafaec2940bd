"""Pictures made smaller and larger by cubic interpolation, as matrices that act along an axis.

The kernel is that of Keys, Cubic Convolution Interpolation for Digital Image Processing (1981),
equation 15. A reduction is a way in which published work makes its small pictures of large ones:

- `antialiased`: the kernel stretched by the factor, as MATLAB's imresize does it: the literature.
- `blurred`: a Gaussian blur of 1 pixel, then the kernel as it is, centers aligned: the words of
  Johnson et al. (2016), section 4.2.

Both see a picture as continued by its mirror image, the border repeated.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float

from stylejax.types import OtherPixels

Reduction = Literal["antialiased", "blurred"]
"""How a photograph is reduced to what is to be enlarged again."""
REDUCTIONS: tuple[Reduction, ...] = ("antialiased", "blurred")

Matrix = Float[np.ndarray, "results samples"]

_SUPPORT = 2.0
"""Half the width of the kernel."""
_BLUR, _BLUR_SUPPORT = 1.0, 4.0
"""Deviation of the Gaussian in pixels, and where it is cut off."""


def keys_kernel(distance: np.ndarray) -> np.ndarray:
    """The cubic kernel with a = -1/2 at distances in samples."""
    t = np.abs(distance)
    near = 1.0 - t**2 * (2.5 - 1.5 * t)
    far = 2.0 - t * (4.0 - t * (2.5 - 0.5 * t))
    return np.where(t <= 1.0, near, np.where(t <= _SUPPORT, far, 0.0))


def _gaussian(distance: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * np.square(distance / _BLUR))


def _mirrored(index: np.ndarray, length: int) -> np.ndarray:
    """Samples that stand in for those outside: d c b a | a b c d | d c b a."""
    along = np.mod(index, 2 * length)
    return np.minimum(along, 2 * length - 1 - along)


def _sampled(
    centers: np.ndarray, length: int, kernel: Callable[[np.ndarray], np.ndarray], reach: float
) -> Matrix:
    """The matrix that weighs an axis of `length` samples by a kernel around each center."""
    first = np.floor(centers - reach).astype(int)
    index = first[:, None] + np.arange(int(np.ceil(2 * reach)) + 2)
    distance = index - centers[:, None]
    weights = np.where(np.abs(distance) <= reach, kernel(distance), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((len(centers), length))
    np.add.at(matrix, (np.arange(len(centers))[:, None], _mirrored(index, length)), weights)
    return matrix


def reduction_matrix(length: int, factor: int, reduction: Reduction) -> Matrix:
    """The matrix that makes an axis of `length` pixels `factor` times shorter.

    Args:
        length: a multiple of `factor`.
        factor: how many pixels become one.
        reduction: in which way.
    """
    centers = (np.arange(length // factor) + 0.5) * factor - 0.5
    if reduction == "antialiased":
        stretched = lambda distance: keys_kernel(distance / factor)
        return _sampled(centers, length, stretched, _SUPPORT * factor)
    blur = _sampled(np.arange(length), length, _gaussian, _BLUR_SUPPORT)
    return _sampled(centers, length, keys_kernel, _SUPPORT) @ blur


def enlargement_matrix(length: int, factor: int) -> Matrix:
    """The matrix that makes an axis of `length` pixels `factor` times longer."""
    centers = (np.arange(length * factor) + 0.5) / factor - 0.5
    return _sampled(centers, length, keys_kernel, _SUPPORT)


def _along_both(pixels: OtherPixels, make: Callable[[int], Matrix]) -> OtherPixels:
    rows, columns = map(make, pixels.shape[:2])
    result = np.einsum("ai,bj,ijc->abc", rows, columns, pixels.astype(float), optimize=True)
    return result.astype(np.float32)


def reduced(pixels: OtherPixels, factor: int, reduction: Reduction) -> OtherPixels:
    """A picture `factor` times smaller, as a file of 8 bits would hold it.

    Args:
        pixels: height x width x 3 in [0, 1], both multiples of `factor`.
        factor: how many pixels become one along an axis.
        reduction: in which way.
    """
    small = _along_both(pixels, lambda length: reduction_matrix(length, factor, reduction))
    return np.rint(255.0 * np.clip(small, 0.0, 1.0)).astype(np.float32) / 255.0


def bicubic(pixels: OtherPixels, factor: int) -> OtherPixels:
    """A picture `factor` times larger: what all methods are compared with."""
    return np.clip(_along_both(pixels, lambda length: enlargement_matrix(length, factor)), 0.0, 1.0)
