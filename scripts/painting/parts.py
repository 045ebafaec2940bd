"""What a painting is made of: brushes, scenes, and the noise and flow that scenes are built from.

Fields are height x width arrays over the canvas.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

Array = np.ndarray
Rng = np.random.Generator

ASPECT = 4 / 3
"""Width over height of every painting."""


@dataclass(frozen=True)
class Brush:
    """One layer of strokes; sizes in pixels of a 768-pixel picture."""

    width: tuple[float, float]  # narrowest and widest stroke
    length: tuple[float, float]  # shortest and longest stroke
    cover: float  # how many times the strokes cover their regions
    jitter: float = 0.08  # spread of the strokes' tone
    lift: float = 0.0  # shift of the tone, darker below zero
    accent: float = 0.0  # share of the strokes that take one of the region's accents
    hair: float = 1.3  # thickness of one bristle
    turn: float = 0.12  # spread of the direction about the flow, in radians
    regions: tuple[int, ...] = ()  # regions to paint; empty for all of them


class Scene(NamedTuple):
    """Per canvas pixel: the region's number, the tone in its ramp, the direction of the brush."""

    label: Array
    tone: Array
    angle: Array


@dataclass(frozen=True)
class Painting:
    """A painting: what lies where, in which colors, painted with which brushes."""

    scene: Callable[[Rng, Array, Array], Scene]  # from coordinates x, y; y runs from 0 to 1
    regions: tuple[str, ...]  # by number: a ramp of colors from tone 0 to 1, "|", accents
    brushes: tuple[Brush, ...]  # first layer to last
    relief: float = 1.0  # strength of the light on the thickness of the paint
    ink: str = ""  # color of the contours between regions; empty for none


def noise(rng: Rng, like: Array, cells: int) -> Array:
    """Return smooth noise of the shape of `like`, between 0 and 1, `cells` bumps high."""
    grid = rng.random((cells + 1, round(cells * ASPECT) + 1), dtype=np.float32)
    field = np.asarray(Image.fromarray(grid).resize(like.shape[::-1], Image.Resampling.BICUBIC))
    return (field - field.min()) / (field.max() - field.min())


def pick(field: Array, x: Array, y: Array) -> Array:
    """Return `field` at the pixels nearest to (x, y), the border's outside the picture."""
    column = np.clip(x, 0, field.shape[-1] - 1).astype(np.int32)
    return field[..., np.clip(y, 0, field.shape[-2] - 1).astype(np.int32), column]


def streaks(rng: Rng, angle: Array, cells: int, steps: int = 24) -> Array:
    """Return noise smeared along the flow, so that its bands follow the brush."""
    grain, step = noise(rng, angle, cells), angle.shape[0] / 110
    total, flow = np.zeros_like(grain), np.stack([np.cos(angle), np.sin(angle)]) * step
    for sign in (1, -1):
        at: Array = np.indices(angle.shape, np.float32)[::-1]
        for _ in range(steps):
            total += pick(grain, *at)
            at = at + sign * pick(flow, *at)
    low, high = np.percentile(total, (2, 98))
    return np.clip((total - low) / (high - low), 0, 1)


def along(field: Array) -> Array:
    """Return the direction of the level lines of `field`."""
    gy, gx = np.gradient(field)
    return np.arctan2(gx, -gy)
