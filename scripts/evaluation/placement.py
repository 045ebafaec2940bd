"""Whether things are in their place: calm areas calm, busy ones busy, nothing where nothing was.

Pictures are height x width x 3, float32 in [0, 1], sRGB; result and photograph are of one size.
Statistics of a whole picture see none of this. The figures are to be read beside a style distance:
a picture that paints nothing is calm too.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata

from evaluation.measures import LUMINANCE
from stylejax.types import OtherPixels, Pixels

BLURS = (0.7, 2.0)
"""Standard deviations in pixels: with the first `leak` sees grain and strokes, then forms."""
FLAT_SHARE = 0.3
"""So much of a picture counts as its calm areas: where the local energy is lowest."""
NEIGHBORHOOD = 4.0
"""Standard deviation, in pixels, of what is local."""
_POSITIONS = 512

Plane = Float[np.ndarray, "height width"]


class Leak(NamedTuple):
    """How busy the calm areas of the photograph are in the result.

    Attributes:
        ratio: their gradient energy over that of the painting's own calm areas: 1 is as calm as
            these.
        share: over that of all of the result; it does not explode where the painting has a black
            ground.
        of_painting: the same share of the painting's own calm areas.
    """

    ratio: float
    share: float
    of_painting: float


def gradient_energy(pixels: OtherPixels, blur: float) -> Float[np.ndarray, "_ _"]:
    """Squared length of the luminance's gradient, after a blur (its standard deviation)."""
    smooth = gaussian_filter(pixels.astype(np.float64) @ np.array(LUMINANCE), blur)
    return np.sum(np.square(np.gradient(smooth)), axis=0)


def local_energy(pixels: OtherPixels) -> Float[np.ndarray, "_ _"]:
    """The gradient energy around each pixel."""
    return gaussian_filter(gradient_energy(pixels, BLURS[0]), NEIGHBORHOOD)


def calm_area(pixels: OtherPixels) -> Bool[np.ndarray, "_ _"]:
    """Where a picture's local energy is lowest."""
    energy = local_energy(pixels)
    return energy <= np.quantile(energy, FLAT_SHARE)


def leak(result: Pixels, photograph: Pixels, painting: OtherPixels, blur: float) -> Leak:
    """How much of the painting gets into the photograph's calm areas."""
    ours, theirs = gradient_energy(result, blur), gradient_energy(painting, blur)
    inside, of_painting = np.mean(ours[calm_area(photograph)]), np.mean(theirs[calm_area(painting)])
    tiny = np.finfo(np.float64).tiny
    return Leak(
        float(inside / (of_painting + tiny)),
        float(inside / (np.mean(ours) + tiny)),
        float(of_painting / (np.mean(theirs) + tiny)),
    )


def energy_correlation(result: Pixels, photograph: Pixels) -> float:
    """Spearman's rank correlation of local energy: 1 where what is busy is what was busy."""
    # Neighboring pixels say the same.
    step = int(NEIGHBORHOOD)
    energies = [local_energy(picture)[::step, ::step].ravel() for picture in (result, photograph)]
    return float(np.corrcoef(*map(rankdata, energies))[0, 1])


def blotch(result: Pixels, photograph: Pixels) -> float:
    """Foreign color in the photograph's calm areas: root mean square, in the picture's units.

    That of the blurred result there, less the affine map of the photograph's blurred colors that
    comes closest to it: a new palette is no blotch, a patch that nothing in the photograph
    corresponds to is one.
    """
    calm = calm_area(photograph)
    blurred = lambda pixels: gaussian_filter(
        pixels.astype(np.float64), (NEIGHBORHOOD, NEIGHBORHOOD, 0.0)
    )[calm]
    found, colors = blurred(result), blurred(photograph)
    affine = np.concatenate([colors, np.ones((len(colors), 1))], axis=1)
    left = found - affine @ np.linalg.lstsq(affine, found, rcond=None)[0]
    return float(np.sqrt(np.mean(np.sum(np.square(left), axis=1))))


def self_similarity_distance(
    result: Float[Array, "height width channels"], photograph: Float[Array, "height width channels"]
) -> float:
    """Mean difference of the cosines of any two positions' features, of 512 positions.

    Things that are alike in the photograph are to be alike in the result, in whatever colors
    (Kolkin et al. 2019, section 3.2, without its division by column sums).
    """

    def cosines(feature_map: Float[Array, "height width channels"]) -> np.ndarray:
        features = np.asarray(feature_map, np.float64).reshape(-1, feature_map.shape[-1])
        count = min(_POSITIONS, len(features))
        at = np.sort(np.random.default_rng(0).choice(len(features), count, replace=False))
        centered = features[at] - features.mean(axis=0)
        unit = centered / (np.linalg.norm(centered, axis=1, keepdims=True) + 1e-12)
        return unit @ unit.T

    return float(np.mean(np.abs(cosines(result) - cosines(photograph))))
