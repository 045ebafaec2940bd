"""What decoders are trained on: sources of pictures, and each step's batch of windows."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from training.decoder_features import MARGIN
from training.decoder_losses import Batches
from training.decoder_pictures import (
    Picture,
    mosaics,
    noise,
    paintings,
    read_pictures,
    recolored,
    window,
)

STYLE_SIZE = 256 + 2 * MARGIN
"""Side of the styles and of the photographs that take them, margins included."""
_TILES = 2000
"""Read of each archive at most, spread over it."""
_MOSAICS, _MOSAIC_SIDE = 256, 4
_PAINTED_SHARE = 2 / 3
"""Of the styles; the others are photographs, recolored more or less."""
_EVERY_NOISE = 12
"""Of the pictures that take a style every so many is noise: a texture begins with it."""
_DEEPEST = 0.6
"""How often the features enter at the deepest tap."""


class Sources(NamedTuple):
    """Pictures that windows are cut from; `contents` and `styles` are pairs."""

    photographs: list[Picture]
    mosaics: list[Picture]
    painted: list[Picture]
    styles: list[Picture]
    contents: list[Picture]


def read_sources(
    photographs: Path, tiles: Sequence[Path], styles: int, seed: int, workers: int = 1
) -> Sources:
    """Read the photographs, paint the styles; the same for the same seed."""
    given = read_pictures(photographs)
    small = [tile for archive in tiles for tile in read_pictures(archive, at_most=_TILES)]
    painted = paintings(given, int(_PAINTED_SHARE * styles), STYLE_SIZE, seed, workers)
    random = np.random.default_rng(seed)
    chosen = [given[random.integers(len(given))] for _ in range(styles - len(painted))]
    others = [recolored(random, window(random, each, STYLE_SIZE)) for each in chosen]
    order = random.permutation(len(given))
    contents = [
        noise(random, STYLE_SIZE)
        if number % _EVERY_NOISE == 1
        else window(random, given[order[number % len(order)]], STYLE_SIZE)
        for number in range(styles)
    ]
    laid = mosaics(small, _MOSAICS, _MOSAIC_SIDE, seed)
    return Sources(given, laid, painted, [*painted, *others], contents)


def draw_batch(
    sources: Sources, step: int, *, plain: int, groups: int, content: int, size: int, seed: int
) -> Batches:
    """The batch of a step: the same for the same seed and step.

    Args:
        sources: see there.
        step: number of the step.
        plain: windows to give back: of photographs, mosaics and paintings.
        groups: how many pairs of a photograph and a style.
        content: windows of each pair's photograph, to transform.
        size: side of their inner part in pixels.
        seed: of the run.
    """
    random = np.random.default_rng((seed, step))
    side = size + 2 * MARGIN
    any_of = lambda pictures: pictures[random.integers(len(pictures))]
    kinds = [sources.photographs, sources.photographs, sources.mosaics, sources.painted]
    given = [window(random, any_of(any_of(kinds)), side) for _ in range(plain)]
    if random.random() < 0.25:
        given[0] = recolored(random, given[0])
    pairs = random.integers(len(sources.styles), size=groups)
    places = random.integers(0, STYLE_SIZE - side + 1, (groups, content, 2))
    taken = [
        [sources.contents[pair][top : top + side, left : left + side] for top, left in each]
        for pair, each in zip(pairs, places, strict=True)
    ]
    return Batches(
        np.stack(given),
        np.stack([np.stack(each) for each in taken]),
        pairs.astype(np.int32),
        random.random(groups) < _DEEPEST,
    )


def batches_ahead(
    draw: Callable[[int], Batches], first: int, workers: int
) -> Generator[Batches, None, None]:
    """The batches of all steps from the first on, drawn by threads while steps are computed."""
    with ThreadPoolExecutor(workers) as pool:
        coming = deque(pool.submit(draw, first + number) for number in range(2 * workers))
        try:
            while True:
                coming.append(pool.submit(draw, first + len(coming)))
                yield coming.popleft().result()
                first += 1
        finally:
            for each in coming:
                each.cancel()
