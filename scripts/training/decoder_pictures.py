"""Pictures to train decoders on: windows of photographs, and paintings painted by program.

Everything is uint8, height x width x 3, and follows from the seed alone.
"""

import io
import zipfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFilter

Picture = UInt8[np.ndarray, "_ _ 3"]

_GREATEST_REDUCTION = 4.0


def read_pictures(archive: Path, at_most: int | None = None) -> list[Picture]:
    """Decode the pictures of a zip archive in the order of their names, or some spread over it."""
    with zipfile.ZipFile(archive) as file, ThreadPoolExecutor() as pool:
        names = [name for name in sorted(file.namelist()) if name.endswith((".webp", ".png"))]
        every = 1 if at_most is None else -(-len(names) // at_most)
        read = [file.read(name) for name in names[::every]]
        # Pillow decodes without holding the interpreter's lock.
        return list(
            pool.map(lambda each: np.asarray(Image.open(io.BytesIO(each)).convert("RGB")), read)
        )


def noise(random: np.random.Generator, size: int) -> Picture:
    """Uniform noise, blurred more or less and spread to the full range again."""
    x = random.random((size, size, 3), np.float32)
    blurred = Image.fromarray((255.0 * x).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(float(random.choice([0.0, 0.7, 1.5, 3.0, 6.0])))
    )
    x = np.asarray(blurred, np.float32)
    x = (x - x.mean()) * (73.6 / max(float(x.std()), 1.0)) + x.mean()
    return np.clip(x + 0.5, 0, 255).astype(np.uint8)


def mosaics(tiles: Sequence[Picture], count: int, side: int, seed: int) -> list[Picture]:
    """Pictures of side x side random square tiles each."""
    random = np.random.default_rng(seed)
    length = len(tiles[0])
    chosen = random.integers(0, len(tiles), (count, side, side))
    return [
        np.stack([[tiles[index] for index in row] for row in grid])
        .transpose(0, 2, 1, 3, 4)
        .reshape(side * length, side * length, 3)
        for grid in chosen
    ]


def window(random: np.random.Generator, picture: Picture, size: int) -> Picture:
    """A square window at a random place, scale and direction, reduced to size x size pixels.

    A window is cut at its own resolution in a third of the cases: nothing is blurred then.
    """
    most = min(min(picture.shape[:2]) / size, _GREATEST_REDUCTION)
    scale = max(1.0, most ** random.uniform(-0.5, 1.0))
    side = scale * size
    top, left = (random.uniform(0.0, length - side) for length in picture.shape[:2])
    if scale == 1.0:
        top, left = int(top), int(left)
        cut = picture[top : top + size, left : left + size]
    else:
        first, before = int(top), int(left)
        part = picture[first : int(top + side) + 1, before : int(left + side) + 1]
        box = (left - before, top - first, left - before + side, top - first + side)
        whole = Image.fromarray(np.ascontiguousarray(part))
        cut = np.asarray(whole.resize((size, size), Image.Resampling.BOX, box, reducing_gap=None))
    return cut[:, ::-1] if random.random() < 0.5 else cut


def recolored(random: np.random.Generator, picture: Picture) -> Picture:
    """The picture with its colors mixed, spread and shifted at random."""
    x = picture.astype(np.float32) / 255.0
    mean = x.mean((0, 1))
    strength = random.uniform(0.0, 1.0)
    mix = np.eye(3) + strength * random.normal(0.0, 0.4, (3, 3))
    contrast = np.exp(strength * random.uniform(-0.4, 0.6))
    x = (x - mean) @ (contrast * mix).T.astype(np.float32)
    middle = np.clip(mean + strength * random.normal(0.0, 0.2, 3), 0.1, 0.9)
    x = x + middle.astype(np.float32)
    return (np.clip(x, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _field(random: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Smooth noise with values around 0, some `cells` bumps across."""
    grid = random.normal(0.0, 1.0, (cells + 3, cells + 3)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC))


def _flow(random: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """The direction of the brush at each pixel: along edges in part, in part as a field turns."""
    size = len(picture)
    grey = Image.fromarray(picture).convert("L").filter(ImageFilter.GaussianBlur(size / 64))
    down, across = np.gradient(np.asarray(grey, np.float32))
    turning = random.uniform(0.5, 3.0) * _field(random, size, int(random.integers(1, 5)))
    # Directions are averaged as doubled angles: a stroke has no front.
    along = np.exp(2j * (np.arctan2(down, across) + np.pi / 2)) * np.hypot(down, across)
    return np.angle(along + random.choice([0.0, 1.0, 4.0]) * np.exp(2j * turning)) / 2


def _strokes(
    random: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    colors: np.ndarray,
    angle: np.ndarray,
    width: float,
    count: int,
) -> None:
    """Curved strokes in the colors of the places where they begin."""
    size = len(angle)
    length, jitter = random.uniform(2.0, 8.0) * width, random.uniform(2.0, 30.0)
    steps = max(2, int(length / max(width, 4.0)))
    place = random.uniform(0, size - 1, (count, 2))
    color = colors[place[:, 0].astype(int), place[:, 1].astype(int)].astype(np.float32)
    color += random.normal(0.0, jitter, (count, 1)) + random.normal(0.0, jitter / 3, (count, 3))
    color = np.clip(color, 0, 255).astype(np.uint8)
    paths = [place]
    for _ in range(steps):
        here = np.clip(paths[-1], 0, size - 1).astype(int)
        turn = angle[here[:, 0], here[:, 1]]
        paths.append(paths[-1] + (length / steps) * np.stack([np.sin(turn), np.cos(turn)], 1))
    lines = np.stack(paths, 1)[:, :, ::-1]
    widths = np.maximum(1, width * random.uniform(0.5, 1.3, count)).astype(int)
    for line, shade, thick in zip(lines, color, widths, strict=True):
        draw.line([tuple(point) for point in line.tolist()], tuple(shade.tolist()), int(thick))


def _plane_colors(random: np.random.Generator, size: int) -> np.ndarray:
    """Regions of few flat or shaded colors, as cut by smooth noise or straight lines."""
    palette = random.integers(0, 256, (int(random.integers(3, 8)), 3)).astype(np.float32)
    if random.random() < 0.5:
        fields = [_field(random, size, int(random.integers(2, 9))) for _ in palette]
    else:
        axes = np.meshgrid(*2 * [np.linspace(-1, 1, size)])
        fields = [
            np.sin(random.uniform(1, 12) * (np.cos(a) * axes[0] + np.sin(a) * axes[1]) + a)
            for a in random.uniform(0, 6.3, len(palette))
        ]
    region = np.argmax(fields, axis=0)
    shade = 40.0 * random.uniform(0, 1) * _field(random, size, 6)
    return np.clip(palette[region] + shade[..., None], 0, 255).astype(np.uint8)


def _painted(random: np.random.Generator, source: Picture | None, size: int) -> Picture:
    """One painted picture, after a photograph or, where none is given, after flat regions."""
    large = 2 * size
    if source is None:
        colors = _plane_colors(random, large)
    else:
        given = Image.fromarray(recolored(random, source)).resize((large, large))
        colors = np.asarray(given.filter(ImageFilter.GaussianBlur(random.uniform(1, 8))))
    angle = _flow(random, colors)
    canvas = Image.fromarray(colors)
    draw = ImageDraw.Draw(canvas)
    width = random.uniform(6.0, 40.0)
    for _ in range(random.integers(1, 4)):
        many = int(min(2500, 0.5 * large**2 / (4.0 * width**2)))
        _strokes(random, draw, colors, angle, width, many)
        width = max(3.0, width / random.uniform(1.5, 3.0))
    if random.random() < 0.3:
        ink = np.broadcast_to(random.integers(0, 60, 3).astype(np.uint8), colors.shape)
        _strokes(random, draw, ink, angle, random.uniform(2, 8), int(random.integers(30, 400)))
    return np.asarray(canvas.resize((size, size), Image.Resampling.BOX))


def paintings(
    photographs: Sequence[Picture], count: int, size: int, seed: int, workers: int = 1
) -> list[Picture]:
    """Painted pictures: strokes along a flow over a recolored photograph, or over flat regions.

    Layers of strokes from broad to fine, and outlines in some; drawn at twice the size. Each has
    its own random numbers, so several processes paint the same pictures as one.
    """
    randoms = [np.random.default_rng((seed, number)) for number in range(count)]
    sources = [
        window(random, photographs[int(random.integers(len(photographs)))], size)
        if random.random() < 0.75
        else None
        for random in randoms
    ]
    if workers == 1:
        return [_painted(*given, size) for given in zip(randoms, sources, strict=True)]
    # A forked copy of a process with JAX's threads can hang; a fresh one cannot.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_painted, randoms, sources, [size] * count, chunksize=4))
