"""How near an enlarged picture is to the one that was made small: PSNR and SSIM of luminance.

As the tables of super-resolution have them: luminance is Y of ITU-R BT.601 in 16 to 235, rounded.
Whoever calls this cuts off as many pixels at each border as the factor.
"""

import numpy as np
from jaxtyping import Float

from stylejax.types import OtherPixels

Plane = Float[np.ndarray, "height width"]

_OF_COLORS, _BLACK = (65.481, 128.553, 24.966), 16.0
_WINDOW, _DEVIATION = 11, 1.5
_STABILIZERS = ((0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2)


def luminance(pixels: OtherPixels) -> Plane:
    """The luminance of pixels in [0, 1], in whole numbers."""
    return np.rint(_BLACK + pixels.astype(np.float64) @ np.array(_OF_COLORS))


def psnr(plane: Plane, truth: Plane) -> float:
    """The peak signal-to-noise ratio in decibels, of samples in 0 to 255."""
    return float(10.0 * np.log10(255.0**2 / np.mean(np.square(plane - truth))))


def _blurred(plane: Plane) -> Plane:
    """Means under a Gaussian window of 11 samples, where all of it is inside."""
    at = np.arange(_WINDOW) - _WINDOW // 2
    window = np.exp(-0.5 * np.square(at / _DEVIATION))
    window /= window.sum()
    for axis in range(2):
        near = np.lib.stride_tricks.sliding_window_view(plane, _WINDOW, axis=axis)
        plane = near @ window
    return plane


def ssim(plane: Plane, truth: Plane) -> float:
    """The structural similarity (Wang et al., 2004, equation 13), mean over windows."""
    means = [_blurred(each) for each in (plane, truth)]
    product = lambda a, b, i, j: _blurred(a * b) - means[i] * means[j]
    variances = product(plane, plane, 0, 0) + product(truth, truth, 1, 1)
    covariance = product(plane, truth, 0, 1)
    first, second = _STABILIZERS
    squares = np.square(means[0]) + np.square(means[1])
    similar = (2.0 * means[0] * means[1] + first) * (2.0 * covariance + second)
    return float(np.mean(similar / ((squares + first) * (variances + second))))
