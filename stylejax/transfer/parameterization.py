"""The picture as a function of the latent numbers that the solver works on.

Two maps make it, one after the other. `frequency_scaled` multiplies each spatial frequency, the low
ones most: along the latent axes the loss is curved more evenly, and a solver gets further with as
many evaluations. The frequencies of the grid that a strided network prints are held back there.
(The parameterization `pixel` leaves this map out.) `bounded` keeps the picture within [0, 1]: it is
the identity over most of the range and bends smoothly into 0 and 1 at the ends, where a picture
that is clipped after an unbounded solve shows flat, burnt patches that the network never saw.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stylejax.images.arrays import PictureLike, as_pixels
from stylejax.options import Parameterization
from stylejax.types import Image, Pixels

SOFTNESS = 0.02
"""Width of the bend at each end, in the picture's units (0.02 is 5 of 255 gray levels)."""

FREQUENCY_EXPONENT = 0.35
"""How much more low frequencies move: frequency f is scaled by (4 f) ** -FREQUENCY_EXPONENT."""

GRID_PERIOD = 4
"""In pixels: the stride of DenseNet's stem and pool, whose gradients print a weave of this period
and of its half (docs/pictures.md)."""
GRID_WIDTH = 0.04
"""How far around a grid's frequency others are held back with it, in cycles a pixel."""
GRID_SCALE = 0.05
"""What the grid's frequencies are multiplied by."""

CLOSEST = 1.0 / 512.0
"""How near to 0 and 1 a start picture may be: half a gray level of 8 bits."""

Latent = Float[Array, "height width 3"]
Planes = Float[Array, "3 height width"]


def bounded(latent: Float[Array, "*any"]) -> Float[Array, "*any"]:
    """Map unbounded numbers to (0, 1): the difference of two softplus functions of width SOFTNESS.

    Within [0.1, 0.9] it departs from the identity by less than 2e-4.
    """
    # The upper half is the lower one mirrored: far above 1 the difference of two large numbers
    # would be all rounding error. In the lower half the second softplus, whose bend is at 1, is
    # e^-50 of the first: nothing in float32.
    upper = latent > 0.5
    x = jnp.where(upper, 1.0 - latent, latent)
    y = SOFTNESS * jax.nn.softplus(x / SOFTNESS)
    return jnp.where(upper, 1.0 - y, y)


def unbounded(pixels: Pixels) -> np.ndarray:
    """The inverse of `bounded`, for start pictures; values in [0, 1].

    Values closer than half a gray level to 0 or 1 are first moved to that distance: at the very
    ends the inverse is infinite and no gradient would ever bring such a pixel back.
    """
    y = np.clip(pixels.astype(np.float64), CLOSEST, 1.0 - CLOSEST) / SOFTNESS
    latent = SOFTNESS * (np.log(np.expm1(y)) - np.log1p(-np.exp(y - 1.0 / SOFTNESS)))
    return latent.astype(np.float32)


def _frequencies(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Cycles a pixel along both axes of a real Fourier transform, to be broadcast."""
    return np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]


def _grid_share(height: int, width: int) -> np.ndarray:
    """1 at each frequency of the grid, falling to 0 around it as a normal distribution does."""
    harmonics = np.arange(-(GRID_PERIOD // 2), GRID_PERIOD // 2 + 1) / GRID_PERIOD
    vertical, horizontal = (
        np.min(np.abs(axis[..., None] - harmonics), axis=-1) for axis in _frequencies(height, width)
    )
    share = np.exp(-(vertical**2 + horizontal**2) / (2.0 * GRID_WIDTH**2))
    # The mean and its neighbors are of every grid's harmonics, and of none.
    lowest = np.hypot(*_frequencies(height, width)) < 0.5 / GRID_PERIOD
    return np.where(lowest, 0.0, share)


def frequency_scale(height: int, width: int) -> np.ndarray:
    """The factor of each frequency of a real Fourier transform, as height x columns x 1.

    The mean, of frequency 0, moves as the lowest frequency does.
    """
    frequency = np.hypot(*_frequencies(height, width))
    lowest = 1.0 / max(height, width)
    scale = (4.0 * np.maximum(frequency, lowest)) ** -FREQUENCY_EXPONENT
    scale *= 1.0 - (1.0 - GRID_SCALE) * _grid_share(height, width)
    return scale.astype(np.float32)[..., None]


def _inverse_transform(spectrum: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The inverse of NumPy's real Fourier transform along both axes, the same in all threads.

    It is divided here: NumPy 2.1 takes its own factor for one of double precision in all threads
    but the main one, and rounds otherwise there.
    """
    pixels = np.fft.irfft2(spectrum, size, axes=(0, 1), norm="forward")
    return pixels / pixels.dtype.type(size[0] * size[1])


def without_grid(pixels: Pixels) -> Pixels:
    """A picture of noise without the frequencies that are held back: they would stay in it."""
    size = pixels.shape[:2]
    kept = 1.0 - _grid_share(*size)[..., None]
    filtered = _inverse_transform(np.fft.rfft2(pixels, axes=(0, 1)) * kept, size)
    return np.clip(filtered, 0.0, 1.0).astype(np.float32)


def frequency_scaled(latent: Latent) -> Latent:
    """Scale each spatial frequency of each channel (a circular convolution; linear, invertible).

    A preconditioner, not a prior: every picture has its latent one. Source: the spatially
    decorrelated parameterization of Olah et al., Feature Visualization (2017), with a gentler
    exponent than the 1 of natural pictures.
    """
    return jnp.moveaxis(_scaled_planes(jnp.moveaxis(latent, -1, 0)), 0, -1)


def _scaled_planes(planes: Planes) -> Planes:
    size = planes.shape[1:]
    spectrum = jnp.fft.rfft2(planes) * frequency_scale(*size)[..., 0]
    return jnp.fft.irfft2(spectrum, size).astype(planes.dtype)


def image_from_latent(latent: Latent, *, parameterization: Parameterization = "fourier") -> Image:
    """The picture, in [0, 1], that the latent numbers stand for."""
    planes = jnp.moveaxis(latent, -1, 0)
    if parameterization == "fourier":
        planes = _scaled_planes(planes)
    return jnp.moveaxis(bounded(planes), 0, -1)


def latent_from_image(
    pixels: PictureLike, *, parameterization: Parameterization = "fourier"
) -> np.ndarray:
    """The latent numbers of a picture in [0, 1], to start a solve from; the inverse, as float32.

    Raises:
        InputError: it is no picture.
    """
    latent = unbounded(as_pixels(pixels, "pixels"))
    if parameterization == "pixel":
        return latent
    size = latent.shape[:2]
    spectrum = np.fft.rfft2(latent, axes=(0, 1)) / frequency_scale(*size)
    return _inverse_transform(spectrum, size).astype(np.float32)
