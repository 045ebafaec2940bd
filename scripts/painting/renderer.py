"""The one renderer: strokes of bristles along a scene's flow, then light and ink."""

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFilter

from painting.parts import ASPECT, Array, Brush, Painting, Rng, Scene, noise, pick

# The canvas is painted this much larger, then reduced, which smooths the bristles' edges.
OVERSAMPLE = 3
# Brush sizes are pixels of a picture with this longest side.
REFERENCE = 768


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
