"""One picture's distribution of colors given to another: its histogram in all three channels.

Pictures are height x width x 3 in [0, 1]; all on the host. Source: Pitié, Kokaram, Dahyot,
Automated Colour Grading Using Colour Distribution Transfer (2007).
"""

import numpy as np
from jaxtyping import Float

from stylejax.types import OtherPixels, Pixels

ROUNDS = 24
"""Rotations in all: after these a painting's distribution differs from a photograph's by less than
a gray level in the mean over directions; after half as many by twice that."""
_BINS = 2**12
"""Along an axis: a value lies between two of them and counts for both, so that the map is
continuous, and resolves a 16th of a gray level."""
_SEED = 0

Values = Float[np.ndarray, " _"]
Planes = Float[np.ndarray, "3 _"]
Rotation = Float[np.ndarray, "3 3"]


def _rotations(count: int) -> list[Rotation]:
    """Axes in all directions alike, always the same ones; the last are the channels themselves."""
    random = np.random.default_rng(_SEED)
    # An orthogonal factor of normal numbers: the axes' signs do not matter.
    turned = [np.linalg.qr(random.standard_normal((3, 3)))[0] for _ in range(count - 1)]
    return [*turned, np.eye(3)]


def _turned(rotation: Rotation, planes: Planes) -> Planes:
    # Not as a matrix product, which may round equal pixels differently: they stay equal.
    return np.stack(
        [sum(x * plane for x, plane in zip(row, planes, strict=True)) for row in rotation]
    )


def transported(ours: Values, theirs: Values) -> Values:
    """Numbers moved so that they are distributed as others are, of which there may be more or less.

    The monotone map from quantile to quantile. Where many of ours are equal they stay so, and go to
    the mean of what they would be spread over: so a single number becomes the mean of theirs.
    """
    lowest = min(ours.min(), theirs.min())
    width = max(max(ours.max(), theirs.max()) - lowest, 1e-9) / (_BINS - 2)

    def placed(values: Values) -> tuple[np.ndarray, Values, Values]:
        """Each value's bin and how near it is to the next one, and the share of all in each bin."""
        at, beyond = np.divmod((values - lowest) / width, 1.0)
        at = at.astype(np.intp)
        counts = np.bincount(at, 1.0 - beyond, _BINS) + np.bincount(at + 1, beyond, _BINS)
        return at, beyond, counts / values.size

    at, beyond, share = placed(ours)
    _, _, of_theirs = placed(theirs)
    # The integral of their quantiles up to each share: its slope is the mean in between.
    sums = np.cumsum(of_theirs * (lowest + width * np.arange(_BINS)))
    up_to = np.concatenate([[0.0], np.cumsum(share)])
    steps = np.diff(np.interp(up_to, np.r_[0.0, np.cumsum(of_theirs)], np.r_[0.0, sums]))
    target = np.divide(steps, share, out=np.zeros(_BINS), where=share > 0.0)
    return (1.0 - beyond) * target[at] + beyond * target[at + 1]


def match_histogram(style: OtherPixels, content: Pixels) -> OtherPixels:
    """The style picture with the content's distribution of colors, in all channels together.

    Along three axes at a time each picture's numbers are ones of a single dimension, for which the
    map is known (`transported`); round after round the axes are turned.
    """
    ours, theirs = (each.reshape(-1, 3).T.astype(np.float64) for each in (style, content))
    for rotation in _rotations(ROUNDS):
        pairs = zip(_turned(rotation, ours), _turned(rotation, theirs), strict=True)
        ours = _turned(rotation.T, np.stack([transported(*pair) for pair in pairs]))
    return np.clip(ours.T, 0.0, 1.0).astype(np.float32).reshape(style.shape)
