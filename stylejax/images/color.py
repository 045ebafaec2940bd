"""Keep the photograph's colors: on its luminance alone, or by recoloring the painting first.

Pictures are height x width x 3 in [0, 1]; all on the host. Source: Gatys, Bethge, Hertzmann,
Shechtman, Preserving Color in Neural Artistic Style Transfer (2016), arXiv 1606.05897.
"""

from collections.abc import Sequence

import numpy as np

from stylejax.images.color_histogram import match_histogram
from stylejax.sizes import KeptColor
from stylejax.types import OtherPixels, Pixels

LUMA = np.asarray([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in luminance (ITU-R BT.601)."""
# A deviation far below a gray level (1 / 255), and as a variance just below one (0.003 squared): a
# picture of a single color is then divided by something, and all others come out as they would.
_REGULARIZATION = 1e-5


def _gray(luminance: np.ndarray) -> np.ndarray:
    return np.repeat(luminance[..., None], 3, axis=-1)


def luminance_of(pixels: OtherPixels) -> np.ndarray:
    """The luminance of each pixel, height x width, in [0, 1]."""
    return pixels @ LUMA


def match_luminance(style: OtherPixels, content: Pixels) -> OtherPixels:
    """The style picture in gray, with mean and deviation of the content's luminance (section 5)."""
    ours, theirs = luminance_of(style), luminance_of(content)
    spread = max(float(ours.std()), _REGULARIZATION)
    matched = (ours - ours.mean()) * (theirs.std() / spread) + theirs.mean()
    return _gray(np.clip(matched, 0.0, 1.0).astype(np.float32))


def _root(matrix: np.ndarray, power: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(np.maximum(values, 0.0) ** power) @ vectors.T


def match_colors(style: OtherPixels, content: Pixels) -> OtherPixels:
    """The style picture with the content's mean color and covariance of colors (section 4).

    The linear map that moves colors least (Monge and Kantorovich): A^-1/2 (A^1/2 B A^1/2)^1/2
    A^-1/2, with A and B the two covariances. A gray style picture has no covariance to scale in
    some directions; a small one is added to both.
    """
    flat = [each.reshape(-1, 3).astype(np.float64) for each in (style, content)]
    means = [each.mean(axis=0) for each in flat]
    ours, theirs = (
        (each - mean).T @ (each - mean) / len(each) + _REGULARIZATION * np.eye(3)
        for each, mean in zip(flat, means, strict=True)
    )
    # Where we leave the paper: it takes Cholesky factors, or the roots of A and B, whose maps give
    # the same covariance but move colors further.
    root, inverse = _root(ours, 0.5), _root(ours, -0.5)
    linear = inverse @ _root(root @ theirs @ root, 0.5) @ inverse
    matched = (flat[0] - means[0]) @ linear + means[1]
    return np.clip(matched, 0.0, 1.0).astype(np.float32).reshape(style.shape)


_MATCHES = {"match": match_colors, "histogram": match_histogram}


def _towards(given: OtherPixels, changed: OtherPixels, strength: float) -> OtherPixels:
    """From a picture, at strength 0, to what is made of it at 1: either to the bit."""
    if strength in (0.0, 1.0):
        return changed if strength else given
    return given + np.float32(strength) * (changed - given)


def colors_before(
    kept: KeptColor, content: Pixels, styles: Sequence[OtherPixels]
) -> tuple[Pixels, list[OtherPixels]]:
    """The content and style pictures that the solve is given."""
    if kept.mode == "none" or kept.strength == 0.0:
        return content, list(styles)
    if kept.mode == "luminance":
        gray = _gray(luminance_of(content).astype(np.float32))
        matched = [match_luminance(style, content) for style in styles]
        content = _towards(content, gray, kept.strength)
    else:
        matched = [_MATCHES[kept.mode](style, content) for style in styles]
    pairs = zip(styles, matched, strict=True)
    return content, [_towards(*pair, kept.strength) for pair in pairs]


def colors_after(kept: KeptColor, image: Pixels, content: Pixels) -> Pixels:
    """The result with the colors that were to be kept."""
    if kept.mode != "luminance":
        return image
    # The paper keeps the chrominance of YIQ: adding to all three channels alike does just that.
    lighter = luminance_of(image) - luminance_of(content)
    whole = np.clip(content + lighter[..., None], 0.0, 1.0).astype(np.float32)
    return _towards(image, whole, kept.strength)


def recolored(kept: KeptColor, image: Pixels, content: Pixels) -> Pixels:
    """A picture painted in the style's colors, with those that were to be kept."""
    if kept.mode in _MATCHES and kept.strength:
        image = _towards(image, _MATCHES[kept.mode](image, content), kept.strength)
    return colors_after(kept, image, content)
