"""Paint the sample style pictures from nothing: brush strokes along a flow field.

    python scripts/paint.py starlit-swirls stylejax/images/sample_pictures/starlit-swirls.jpg
    python scripts/paint.py sunlit-field stylejax/images/sample_pictures/sunlit-field.jpg
    python scripts/paint.py paper-waves stylejax/images/sample_pictures/paper-waves.jpg

A painting is data: regions with their colors, a scene that says which region lies where and how
the brush moves there, and brushes from broad to fine. One renderer paints them all. The same
`--seed` and `--size` always give the same picture.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFilter

Array = np.ndarray
Rng = np.random.Generator

OVERSAMPLE = 3  # the canvas is painted this much larger, then reduced
REFERENCE = 768  # brush sizes are pixels of a picture with this longest side
ASPECT = 4 / 3


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


# Discs in the sky (x, y, radius, spin), vortices (x, y, reach, spin), lights (x, width).
DISCS = (
    (1.15, 0.17, 0.075, 1.0), (0.13, 0.15, 0.040, -1.0), (0.36, 0.09, 0.028, 1.0),
    (0.83, 0.09, 0.034, -1.0), (0.10, 0.44, 0.032, 1.0), (0.33, 0.53, 0.024, -1.0),
    (1.24, 0.47, 0.036, 1.0), (0.60, 0.07, 0.018, 1.0), (1.02, 0.36, 0.020, -1.0),
)  # fmt: skip
VORTICES = ((0.52, 0.30, 0.20, 1.0), (0.84, 0.42, 0.13, -1.0), (0.20, 0.29, 0.09, -1.0))
LIGHTS = (
    (0.14, 0.014), (0.31, 0.012), (0.55, 0.020), (0.61, 0.012), (0.70, 0.024), (0.76, 0.014),
    (0.94, 0.016), (1.19, 0.022), (1.27, 0.012),
)  # fmt: skip


def starlit(rng: Rng, x: Array, y: Array) -> Scene:
    """Build a night: vortices and glowing discs over far hills, a lake with lights, dark land."""
    u, v = np.ones_like(x), 0.55 * np.sin(5.2 * x + 2.0 * y) - 0.1
    glow, spiral, warm = np.zeros((3, *x.shape))
    label = np.zeros(x.shape, int)
    for cx, cy, reach, spin in VORTICES:
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy)
        pull = 6 * np.exp(-((r / reach) ** 2)) * spin / reach
        u, v = u - pull * (dy + 0.25 * spin * dx), v + pull * (dx - 0.25 * spin * dy)
        arm = np.cos(2 * (np.arctan2(dy, dx) - 4.0 * spin * np.log(r / reach + 0.08)))
        spiral += np.exp(-((r / reach) ** 2)) * arm
    for cx, cy, radius, spin in DISCS:
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy) / radius
        pull = 9 * np.exp(-((r / 2.4) ** 2)) * spin / radius
        u, v = u - pull * dy, v + pull * dx
        glow += np.exp(-((r / 2.3) ** 2)) * (0.8 + 0.2 * np.cos(5 * r))
        warm = np.maximum(warm, 1.25 - r)
    label[warm > 0] = 1
    angle = np.arctan2(v, u)
    tone = 0.05 + 0.5 * streaks(rng, angle, 16) + 0.3 * spiral + 0.55 * glow + 0.25 * y**2
    tone += 0.22 * np.exp(-(((y - 0.6 + 0.05 * np.sin(4 * x)) / 0.05) ** 2))
    tone = np.where(warm > 0, warm, tone)
    far = 0.70 - 0.05 * np.sin(3.1 * x + 0.6) - 0.03 * np.sin(9 * x) - 0.02 * np.sin(17 * x + 2)
    near = 0.93 - 0.10 * np.exp(-((x / 0.35) ** 2)) - 0.03 * np.sin(5 * x + 1) + 0.02 * x
    slope = np.arctan(0.5 * np.gradient(far, axis=1) / np.gradient(x, axis=1))
    grain = streaks(rng, slope, 22)
    hill, lake, land = (y > far) & (y < 0.79), y >= 0.79, y > near
    ways = [-0.5 + 0.9 * np.sin(4 * x + 5 * y), 0.15 * np.sin(40 * y + 6 * x), slope + 0.3 * grain]
    angle = np.select([land, lake, hill], ways, angle)
    label = np.select([land, lake, hill], [4, 3, 2], label)
    tone = np.where(y > far, grain, tone)
    for at, width in LIGHTS:
        dash = np.sin(150 * y + 70 * at) > -0.1 + 0.4 * (y - 0.79) / 0.1
        trail = width * (1.2 - 4 * (y - 0.79)) * (0.7 + 0.5 * np.sin(47 * y + 90 * at))
        column = dash & (np.abs(x - at) < trail) & lake & (y < 0.81 + 5 * width)
        lamp = np.hypot(x - at, y - 0.775 + 0.02 * np.sin(70 * at)) < 0.6 * width
        label[(column & ~land) | lamp] = 5
        halo = np.exp(-((np.hypot(x - at, (y - 0.79) / 1.3) / (3 * width)) ** 2))
        tone = tone + 0.45 * halo * (y > far)
    return Scene(label.astype(np.uint8), np.clip(tone, 0, 1), angle)


# Flame-like trees (x, foot, height, half width).
FLAMES = ((1.14, 0.70, 0.38, 0.045), (0.41, 0.80, 0.50, 0.060), (0.19, 1.08, 1.06, 0.130))


def sunlit(rng: Rng, x: Array, y: Array) -> Scene:
    """Build a sunset: rings about the sun, far hills, furrowed fields and flame-like trees."""
    sun_x, sun_y = 0.84, 0.26
    r = np.hypot(x - sun_x, y - sun_y)
    wave = noise(rng, x, 5) - 0.5
    ring = along(r + 0.16 * wave)
    tone = 1.0 - 1.1 * np.clip(r / 0.8, 0, 1) ** 0.8 + 0.42 * (streaks(rng, ring, 13) - 0.5)
    label = np.where(r < 0.10, 1, 0)
    tone = np.where(r < 0.10, 1 - r / 0.10, tone)
    ridge = y - 0.45 + 0.05 * np.sin(4 * x + 0.5) + 0.02 * np.sin(11 * x)
    slope = along(ridge + 0.05 * wave)
    field = y > 0.56 + 0.03 * np.sin(6 * x + 2)
    label[ridge > 0] = 2
    angle = np.where(ridge > 0, slope, ring)
    tone = np.where(ridge > 0, 0.9 * streaks(rng, slope, 20) - 1.5 * ridge + 0.1, tone)
    bearing = np.arctan2(x - 0.72, y - 0.38) + 0.35 * (noise(rng, x, 3) - 0.5)
    furrow = along(bearing)
    rows = np.sin(30 * bearing) * 0.5 + 0.5
    strip = np.floor(2.9 * bearing) * 2 + np.floor(3.1 * np.log(np.maximum(y + 0.1 * wave, 0.1)))
    crops = np.array([3, 4, 3, 6, 3, 4, 6])[np.mod(strip, 7).astype(int)]
    label = np.where(field, crops, label)
    angle = np.where(field, furrow, angle)
    tone = np.where(field, 0.55 * rows + 0.5 * streaks(rng, furrow, 24) - 0.05, tone)
    lick = noise(rng, x, 17)
    for at, foot, height, half in FLAMES:
        t = (foot - y) / height
        inside = np.clip(t, 0, 1)
        sway = at + half * (0.3 * np.sin(6 * t + 40 * at) + 0.1 * np.sin(17 * t))
        body = half * (1 - inside) ** 0.8 * np.minimum(1, 0.45 + 3 * inside) * (0.6 + 0.9 * lick)
        tree = (np.abs(x - sway) < body) & (t > 0) & (t < 1)
        label[tree] = 5
        lean = 0.9 * (x - sway) / half + 1.3 * (lick - 0.5) + 0.4 * np.sin(22 * t)
        angle = np.where(tree, lean - np.pi / 2, angle)
        tone = np.where(tree, 0.45 + 0.35 * (x - sway) / half + 0.7 * (lick - 0.5), tone)
    return Scene(label.astype(np.uint8), np.clip(tone, 0, 1), angle)


# Far to near: rows of waves (base, height, length, lean) and after each a curling wave
# (x, y, radius, spin) that stands on the next row; bars of mist (x, y, half length, half height).
ROWS = (
    (0.66, 0.05, 0.23, 0.2), (0.76, 0.08, 0.37, 0.3),
    (0.87, 0.09, 0.52, -0.3), (0.98, 0.10, 0.43, 0.4),
)  # fmt: skip
BREAKERS = ((0.50, 0.36, 0.19, 1.0), (1.02, 0.63, 0.12, -1.0), (0.34, 0.76, 0.12, 1.0))
MIST = (
    (0.95, 0.32, 0.20, 0.022), (1.12, 0.36, 0.25, 0.022), (0.05, 0.15, 0.22, 0.025),
    (0.22, 0.195, 0.16, 0.020), (0.66, 0.09, 0.12, 0.018),
)  # fmt: skip


def breaker(x: Array, y: Array, wave: tuple[float, ...], base: float) -> Array:
    """Return the depth below the surface of a curling wave, in turns about its eye."""
    eye_x, eye_y, radius, spin = wave
    ahead = (x - eye_x) * spin
    fall = 1 - np.exp(-((np.maximum(-ahead, 0) / (2.6 * radius)) ** 1.7))
    back = eye_y - radius + (base - eye_y + radius) * fall
    foot = np.clip((base - y) / (base - eye_y), 0.05, 1)
    face = -0.5 * radius * np.log(foot) + 1.5 * np.maximum(eye_y - y, 0) - ahead
    body = np.where((ahead > 0) & (y < eye_y), -1, np.minimum(y - back, face))
    winding = np.mod(np.arctan2(y - eye_y, ahead) / (2 * np.pi) + 0.25, 1)
    lobes = 0.12 * radius * np.abs(np.sin(7 * np.pi * winding)) * (winding < 4 / 7)
    roll = radius + lobes - np.hypot(ahead, y - eye_y) - 0.5 * radius * winding
    return np.where(roll > 0, roll, body) / (0.5 * radius)


def papery(rng: Rng, x: Array, y: Array) -> Scene:
    """Build waves of cut paper: striped rows and breakers under a pale sky with a red sun."""
    label = np.zeros(x.shape, np.uint8)
    wobble = noise(rng, x, 4) - 0.5
    level = y + 0.12 * wobble
    label[np.hypot(x - 1.02, y - 0.25) < 0.145] = 1
    for mist_x, mist_y, length, thick in MIST:
        beyond = np.maximum(np.abs(x - mist_x) - length, 0)
        label[np.hypot(beyond, y - mist_y) < thick] = 6
    stripes = np.array([2, 2, 2, 3, 3, 4, 4, 5, 5, 5], np.uint8)
    for i, (base, height, length, lean) in enumerate(ROWS):
        phase = (x + lean * (y - base)) / length + base * 7 + 0.7 * wobble
        crest = base - height * (1 - np.abs(np.sin(np.pi * phase)) ** 0.8) * (1 + wobble)
        layers = [np.minimum((y - crest) / 0.14, 0.99)]
        if i < len(BREAKERS):
            layers.append(breaker(x, y, BREAKERS[i], ROWS[i + 1][0] + 0.06))
        for depth in layers:
            label = np.where(depth > 0, stripes[(np.mod(depth, 1) * 10).astype(int) % 10], label)
            level = np.where(depth > 0, depth, level)
    return Scene(label, 0.35 * noise(rng, x, 9), along(level))


PAINTINGS = {
    "starlit-swirls": Painting(
        starlit,
        (
            "#0a1a4f #12348a #1f5fb4 #4a93c9 #9fcdc4 #f0e6a0 | #2d2a7a #2a8f9c #7fb4de",
            "#e39a1c #f6c52f #fbe27a #fff6cf | #f08a1d #fdf2b0",
            "#0d2148 #1c3f6e #2f6a7d #5f9a92 | #3b3a7c",
            "#0c2a63 #1a4c8f #3b86b5 #8cc0c0 | #f0c24a #27407f",
            "#050d22 #0e1f2e #1b3a38 #33543c | #5a3a2a",
            "#f0a02a #fbd95c #fff3c0 | #ff8a2a",
        ),
        (
            Brush((16, 24), (90, 170), 3.0, 0.07, -0.08, turn=0.1),
            Brush((9, 15), (60, 140), 3.0, 0.09, 0.0, 0.07),
            Brush((4, 7), (40, 110), 1.1, 0.10, 0.10, 0.12),
            Brush((4, 7), (14, 40), 3.0, 0.06, 0.0, 0.1, regions=(1, 5)),
        ),
    ),
    "sunlit-field": Painting(
        sunlit,
        (
            "#134a63 #23818c #6fb7a2 #e3b98a #e8683a #f59a2f #ffcf4d #fff0a6 | #d8401f #f7b08a",
            "#ffb21f #ffd94a #fff2a8 | #ff8a1f",
            "#1f2f66 #3f4f94 #7a639f #c87a86 | #1f7f8f #e0906a",
            "#8a4a14 #c97a1c #e6a92c #f6d25a | #d8401f #5f8a4a #fbe9a0",
            "#8f2414 #cf3d1c #ec6a2a #f7a03c | #1f7f74 #f6d25a",
            "#051a1c #0c3531 #17594a #3f8a45 #a3b83f | #12305a #c9641c",
            "#1d4a34 #3b7a42 #7fa83f #d3cf5a | #1f7f84 #e8a832",
        ),
        (
            Brush((18, 26), (60, 120), 3.0, 0.07, -0.05),
            Brush((12, 18), (40, 90), 3.0, 0.09, 0.0, 0.10, hair=1.6, turn=0.2),
            Brush((7, 11), (28, 60), 1.8, 0.10, 0.06, 0.16, hair=1.6, turn=0.2),
            Brush((5, 8), (30, 70), 2.0, 0.08, 0.0, 0.10, regions=(1, 5)),
        ),
        relief=1.5,
    ),
    "paper-waves": Painting(
        papery,
        (
            "#efe2c4 #f1e6cb #dfcda6 | #cdb88e", "#d9553a #dd6044 #c2452f",
            "#f8f3e2 #faf6e8 #dfe3d6", "#93c1ba #9ac6be #6fa8a8",
            "#3c7c94 #438499 #2a6684", "#1b3c63 #20436b #3f6f96",
            "#ecc9a4 #efcfac #dfb188",
        ),
        (
            Brush((1.5, 3.5), (50, 200), 0.3, 0.05, 0.6, 0.1, 1.0, 0.02, (0, 1, 6)),
            Brush((1.5, 3), (20, 90), 0.16, 0.05, 0.7, 0.0, 1.0, 0.03, (3, 4, 5)),
        ),
        relief=0.1,
        ink="#14233c",
    ),
}  # fmt: skip


def rgb(colors: str) -> Array:
    """Return the colors of a string of them, one row each, channels 0 to 255."""
    return np.array([ImageColor.getrgb(color) for color in colors.split()], float)


def mixed(region: str, tone: Array) -> Array:
    """Return the colors of a region's ramp at `tone`."""
    ramp = rgb(region.partition("|")[0])
    knots = np.linspace(0, 1, len(ramp))
    return np.stack([np.interp(tone, knots, ramp[:, c]) for c in range(3)], -1)


def trace(scene: Scene, seeds: Array, reach: Array, turn: Array, step: float) -> list[Array]:
    """Follow the flow from every seed, both ways, until the length or the region ends."""
    home = pick(scene.label, *seeds.T)
    halves = []
    for sign in (-1, 1):
        at, alive, points = seeds.copy(), np.ones(len(seeds), bool), []
        heading = np.zeros((len(seeds), 2))
        for i in range(int(reach.max() / step / 2) + 1):
            angle = pick(scene.angle, *at.T) + turn
            move = sign * np.stack([np.cos(angle), np.sin(angle)], -1)
            alive = alive & (i * step * 2 <= reach) & (pick(scene.label, *at.T) == home)
            alive &= (move * heading).sum(-1) >= 0 if i else True
            points.append(np.where(alive[:, None], at, np.nan))
            at, heading = at + step * move, move
        halves.append(np.stack(points, 1))
    paths = np.concatenate([halves[0][:, :0:-1], halves[1]], 1)
    return [path[~np.isnan(path[:, 0])] for path in paths]


def stroke(
    rng: Rng, canvas: ImageDraw.ImageDraw, path: Array, width: float, colors: Array, hair: float
) -> None:
    """Draw one stroke: bristles side by side, each with its own shade, start, end and height.

    Args:
        rng: Source of the bristles' differences.
        canvas: Picture to draw on; its alpha channel is the height of the paint.
        path: Points of the stroke's middle line.
        width: Full width of the stroke.
        colors: The colors at the brush's two edges.
        hair: Thickness of one bristle.
    """
    count, knots = max(1, round(width / hair)), len(path)
    t = np.linspace(0, 1, knots)
    profile = np.minimum(1, (t + 0.02) / 0.15) ** 0.5 * np.minimum(1, (1.02 - t) / 0.4) ** 0.6
    way = np.gradient(path, axis=0)
    normal = np.stack([-way[:, 1], way[:, 0]], -1) / (np.hypot(*way.T)[:, None] + 1e-9)
    across = np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
    across = across + rng.normal(0, 0.3 / count, count)
    wave = np.sin(across * rng.uniform(1, 4) + rng.uniform(0, 6))
    shade = 1 + 0.06 * wave + rng.normal(0, 0.07, count)
    blend = np.clip(0.5 + 0.5 * across + rng.normal(0, 0.2, count), 0, 1)[:, None]
    paint = (colors[0] * blend + colors[1] * (1 - blend)) * shade[:, None]
    height = 95 + 40 * rng.random() + 30 * np.abs(across) ** 3 + 45 * rng.random(count)
    paint = np.clip(np.column_stack([paint, height]), 0, 255).astype(int)
    first = (rng.random(count) * 0.10 * knots).astype(int)
    last = knots - np.minimum(rng.exponential(0.12, count) * knots, 0.6 * knots).astype(int)
    for i in rng.permutation(count):
        part = slice(first[i], max(last[i], first[i] + 2))
        points = path[part] + normal[part] * (across[i] * width / 2 * profile[part])[:, None]
        thick = max(1, round(hair * rng.uniform(0.9, 1.7)))
        canvas.line(points.ravel().tolist(), fill=tuple(paint[i].tolist()), width=thick)


def lay(
    rng: Rng, painting: Painting, scene: Scene, brush: Brush, scale: float, easel: Image.Image
) -> None:
    """Paint one layer: scatter its strokes evenly, follow the flow, draw them in random order."""
    rows, columns = scene.label.shape
    area = np.mean(brush.width) * np.mean(brush.length) * scale**2
    pitch = np.sqrt(area / brush.cover)
    grid = np.mgrid[-1 : rows / pitch + 1, -1 : columns / pitch + 1].reshape(2, -1).T[:, ::-1]
    seeds = rng.permutation((grid + rng.uniform(-0.2, 1.2, grid.shape)) * pitch)
    if brush.regions:
        seeds = seeds[np.isin(pick(scene.label, *seeds.T), brush.regions)]
    home = pick(scene.label, *seeds.T)
    n = len(seeds)
    reach, width = (rng.uniform(*span, n) * scale for span in (brush.length, brush.width))
    paths = trace(scene, seeds, reach, rng.normal(0, brush.turn, n), 2.5 * scale)
    tone = pick(scene.tone, *seeds.T) + brush.lift + rng.normal(0, brush.jitter, (2, n))
    clump = 5 * pick(noise(rng, scene.label, 6), *seeds.T) ** 4
    colors = np.zeros((2, n, 3))
    for number, region in enumerate(painting.regions):
        mine = home == number
        colors[:, mine] = mixed(region, np.clip(tone, 0, 1))[:, mine]
        accents = rgb(region.partition("|")[2])
        chosen = mine & (rng.random(n) < brush.accent * clump * bool(len(accents)))
        if chosen.any():
            colors[:, chosen] = accents[rng.integers(len(accents), size=chosen.sum())]
    colors = colors * rng.normal(1, 0.5 * brush.jitter, (n, 1))
    colors = colors + rng.normal(0, 60 * brush.jitter, (n, 3))
    canvas = ImageDraw.Draw(easel)
    for i, path in enumerate(paths):
        if len(path) >= 4:
            narrow = width[i] * min(1, 0.45 + len(path) / 24)
            stroke(rng, canvas, path, narrow, colors[:, i], brush.hair * scale)


def contours(rng: Rng, label: Array, scale: float) -> Array:
    """Return how much ink lies on each pixel: lines between the regions, of varying width."""
    edge = np.zeros(label.shape, np.uint8)
    edge[:, 1:] |= label[:, 1:] != label[:, :-1]
    edge[1:] |= label[1:] != label[:-1]
    soft = Image.fromarray(edge * 255).filter(ImageFilter.GaussianBlur(1.6 * scale))
    level = 9 + 32 * noise(rng, label, 14)
    return np.clip((np.asarray(soft, float) * scale / 2 - level) / 8 + 0.5, 0, 1)[..., None]


def lit(easel: Image.Image, strength: float, scale: float) -> Array:
    """Return the picture with light from the upper left on the paint's height."""
    height = easel.getchannel("A").filter(ImageFilter.GaussianBlur(0.5 * scale))
    gy, gx = np.gradient(np.asarray(height, float))
    slope = np.clip(strength * 0.006 * scale * (gx + gy), -0.2, 0.25)[..., None]
    return np.asarray(easel, float)[..., :3] * (1 + slope) + 160 * np.maximum(slope - 0.1, 0)


def paint(painting: Painting, size: int, seed: int) -> Image.Image:
    """Return a painting, RGB, 4 : 3, `size` pixels wide."""
    rng = np.random.default_rng(seed)
    width, height = size * OVERSAMPLE, round(size / ASPECT) * OVERSAMPLE
    scale = width / REFERENCE
    y, x = np.indices((height, width), np.float32) / np.float32(height)
    scene = painting.scene(rng, x, y)
    ground = np.full((height, width, 4), 100.0)
    for number, region in enumerate(painting.regions):
        mine = scene.label == number
        ground[mine, :3] = mixed(region, scene.tone[mine])
    easel = Image.fromarray(ground.astype(np.uint8))
    for brush in painting.brushes:
        lay(rng, painting, scene, brush, scale, easel)
    picture = lit(easel, painting.relief, scale)
    if painting.ink:
        ink = contours(rng, scene.label, scale)
        picture = picture * (1 - ink) + rgb(painting.ink) * ink
    full = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    return full.resize((size, round(size / ASPECT)), Image.Resampling.LANCZOS)


def main() -> None:
    """Read the command line, paint, save."""
    parser = argparse.ArgumentParser(description="Paint a sample style picture from nothing.")
    parser.add_argument("painting", choices=PAINTINGS, help="which painting")
    parser.add_argument("output", type=Path, help="file to write; its ending says the format")
    parser.add_argument("--size", type=int, default=768, help="longest side in pixels")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random")
    options = parser.parse_args()
    picture = paint(PAINTINGS[options.painting], options.size, options.seed)
    jpeg = options.output.suffix.lower() in (".jpg", ".jpeg")
    picture.save(options.output, **({"quality": 88, "optimize": True} if jpeg else {}))
    print(f"{options.output}: {picture.width} x {picture.height}")


if __name__ == "__main__":
    main()
