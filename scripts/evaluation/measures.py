"""How good a stylized picture is, as pure functions of arrays: what `evaluate.py` tabulates.

Pictures are height x width x 3, float32 in [0, 1], sRGB. Style and content distances are ratios, so
that they mean the same for every pair, layer and network; feature maps are height x width x
channels.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stylejax.losses.gram import gram_matrix, style_loss
from stylejax.types import FeatureMap, OtherPixels, Pixels, Scalar

FeatureMaps = Mapping[str, Array]

TILE = 128
"""Side in pixels of the tiles that `grid_energy` takes spectra of, where the picture has room."""
LUMINANCE = (0.2126, 0.7152, 0.0722)
_NEIGHBORS = (3, 8)
"""Distance in bins of the frequencies that tell what power there would be without a grid."""

_DIRECTIONS, _QUANTILES = 32, 512


@jax.jit
def style_distance(result: FeatureMaps, style: FeatureMaps, photograph: FeatureMaps) -> Scalar:
    """How far a picture's style is from the painting's: 0 has its statistics, 1 is the photograph.

    For each layer the squared distance of Gram matrices (equation 4 of Gatys et al. 2015) of result
    and painting, over that of photograph and painting; the mean over layers.
    """

    def distance(picture: Array, layer: str) -> Scalar:
        return style_loss(gram_matrix(picture), gram_matrix(style[layer]))

    ratios = [
        distance(result[layer], layer) / distance(photograph[layer], layer) for layer in result
    ]
    return jnp.mean(jnp.stack(ratios))


def _unlikeness(a: FeatureMap, b: FeatureMap) -> Scalar:
    """Mean over positions of |a - b|^2, where each position's features have unit length."""
    unit = lambda x: x / (jnp.linalg.norm(x, axis=-1, keepdims=True) + 1e-10)
    return jnp.mean(jnp.sum(jnp.square(unit(a) - unit(b)), axis=-1))


@jax.jit
def content_distance(result: FeatureMaps, photograph: FeatureMaps, painting: FeatureMaps) -> Scalar:
    """How much of the photograph is lost: 0 is the photograph, 1 as unlike it as the painting.

    For each layer the distance of features of unit length, position by position (that of Zhang et
    al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, 2018, equation 1,
    all channels weighed alike) of result and photograph, over that of painting and photograph; the
    mean over layers. All three pictures are of one size: the painting is stretched to it.
    """
    ratios = [
        _unlikeness(result[layer], photograph[layer])
        / _unlikeness(painting[layer], photograph[layer])
        for layer in result
    ]
    return jnp.mean(jnp.stack(ratios))


def _vertical_spectrum(luminance: Float[np.ndarray, "_ _"], tile: int) -> Float[np.ndarray, " _"]:
    """Power at the frequencies 0, 1/tile ... of waves that run down the picture.

    Hann-windowed tiles that overlap by half; of each tile's spectrum the frequencies across are
    summed up to 1/32, where the crests of a grid lie.
    """
    window = np.outer(*2 * [np.hanning(tile + 1)[:-1]])
    across = np.abs(np.fft.fftfreq(tile)) <= 1.0 / 32.0
    height, width = luminance.shape
    power = np.zeros(tile)
    for top in range(0, height - tile + 1, tile // 2):
        for left in range(0, width - tile + 1, tile // 2):
            part = luminance[top : top + tile, left : left + tile]
            spectrum = np.fft.fft2((part - np.mean(part)) * window)
            power += np.sum(np.square(np.abs(spectrum[:, across])), axis=1)
    return power


def grid_energy(pixels: Pixels, periods: Sequence[int] = (4, 8)) -> float:
    """Power at a grid's periods over what neighboring frequencies make one expect: 1 is no grid.

    For each period and each of the two axes: power of the luminance at the frequency 1 / period, in
    a band of 1/128 cycles a pixel, over the value there of a parabola through the logarithm of the
    power at neighboring frequencies (3 to 8 bins away on both sides; beyond 1/2 the spectrum is
    its own mirror image). The mean over periods and axes. Fifteen photographs and paintings at
    512 px score 0.86 to 1.14 at periods 4 and 8, and 0.76 to 1.30 at period 2.

    Args:
        pixels: 64 x 64 or larger.
        periods: in pixels, at least 2, divisors of 64.

    Raises:
        ValueError: the picture is too small.
    """
    luminance = pixels.astype(np.float64) @ np.array(LUMINANCE)
    tile = TILE if min(luminance.shape) >= TILE else TILE // 2
    if min(luminance.shape) < tile:
        raise ValueError(f"grid_energy: the picture is {luminance.shape}, {tile} x {tile} is least")
    nearest, farthest = _NEIGHBORS
    farthest = min(farthest, tile // max(periods) - 1)
    away = np.concatenate([np.arange(-farthest, 1 - nearest), np.arange(nearest, farthest + 1)])
    ratios = []
    for axis in (luminance, luminance.T):
        power = _vertical_spectrum(axis, tile) + np.finfo(np.float64).tiny
        for period in periods:
            place = tile // period
            expected = np.polyval(np.polyfit(away, np.log(power[place + away]), 2), 0.0)
            ratios.append(power[place] / np.exp(expected))
    return float(np.mean(ratios))


def lab(colors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """CIE L*a*b* (white D65) of sRGB colors in [0, 1]; L* is 0 to 100. IEC 61966-2-1, CIE 15."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x = linear @ np.transpose(to_xyz) / (0.95047, 1.0, 1.08883)
    root = np.where(x > (6 / 29) ** 3, np.cbrt(x), x / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [
            116 * root[:, 1] - 16,
            500 * (root[:, 0] - root[:, 1]),
            200 * (root[:, 1] - root[:, 2]),
        ],
        axis=-1,
    )


def color_distance(pixels: OtherPixels, style: OtherPixels) -> float:
    """How far two palettes are apart, wherever in the pictures the colors lie.

    Twice the sliced 1-Wasserstein distance of the distributions of colors in L*a*b*: the mean over
    directions, evenly spread, of the mean difference of quantiles along them. A palette that is
    moved as a whole scores about the length of the move; 2 is just noticeable side by side.
    """
    heights = (np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS
    angles = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(_DIRECTIONS)
    radii = np.sqrt(1.0 - heights**2)
    directions = np.stack([radii * np.cos(angles), radii * np.sin(angles), heights])
    shares = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    first, second = (
        np.quantile(lab(picture.reshape(-1, 3).astype(np.float64)) @ directions, shares, axis=0)
        for picture in (pixels, style)
    )
    return float(2.0 * np.mean(np.abs(first - second)))
