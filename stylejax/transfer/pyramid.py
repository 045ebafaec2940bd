"""Coarse to fine: which sizes a picture is solved at, one after the other, and how long at each.

A large stroke is out of reach of a layer's receptive field at full size; at a quarter of the
size it is not. So the picture is solved small first, and each solution, enlarged, is the start of
the next level (Gatys et al., Controlling Perceptual Factors in Neural Style Transfer (2017),
section 6). Numbers only, no JAX.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from stylejax.errors import InputError
from stylejax.options import Options

COARSEST_SIZE = 128
"""About how long the longest side is at the coarsest level."""
COARSEST_SHORT_SIDE = 32
"""The shorter side of a level that is not the only one has no fewer pixels."""
COARSEST_UNIT = 32
"""What the shorter side of the coarsest of several levels is solved at a multiple of."""
ITERATIONS_GROWTH = 0.8
"""A level's share of the iterations over that of the next coarser level."""


class Level(NamedTuple):
    """One solve of the pyramid.

    `scale` is its size over the full size; `iterations` and `evaluations` are its own share of the
    whole's (0 evaluations: no limit); the weights multiply those of the whole. `grid` is the height
    and width that it is solved at, its pictures stretched to that.
    """

    height: int
    width: int
    scale: float
    iterations: int
    evaluations: int
    content_weight: float
    tv_weight: float
    grid: tuple[int, int]


def _per_level(options: Options) -> dict[str, Sequence[float]]:
    solve = options.solve
    return {
        "level-iterations": solve.level_iterations,
        "level-content-weights": solve.level_content_weights,
        "level-tv-weights": solve.level_tv_weights,
    }


def _count(options: Options, height: int, width: int) -> int:
    """How many levels there are."""
    room = 1 + max(0, math.floor(math.log2(min(height, width) / COARSEST_SHORT_SIDE)))
    asked = options.solve.levels or max(map(len, _per_level(options).values()))
    if asked > room:
        raise InputError(
            f"--levels {asked}: {width} x {height} pixels can be halved {room - 1} times; "
            f"give {room} or less, or 0"
        )
    if asked > options.solve.iterations:
        raise InputError(f"--iterations {options.solve.iterations} for {asked} levels: give more")
    # As many halvings as bring the longest side closest to COARSEST_SIZE.
    fitting = 1 + max(0, round(math.log2(max(height, width) / COARSEST_SIZE)))
    return asked or min(fitting, room, options.solve.iterations)


def _parts(total: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers, 1 or more, in about these shares, that add up to the total."""
    # Each level has an iteration of its own; the rest is rounded at the ends of the shares, not one
    # by one, so that it adds up.
    left = total - len(shares)
    ends = [round(left * sum(shares[: n + 1]) / sum(shares)) for n in range(len(shares))]
    return [1 + end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def _coarsest_grid(height: int, width: int) -> tuple[int, int]:
    """What the coarsest of several levels is solved at.

    Photographs of the shapes that cameras have, 4:3 and 3:2 above all, share it, and so what is
    compiled for it: the one level that a run waits for.
    """
    short = min(height, width)
    rounded = max(1, round(short / COARSEST_UNIT)) * COARSEST_UNIT
    return (rounded, width) if height == short else (height, rounded)


def pyramid_levels(options: Options, height: int, width: int) -> tuple[Level, ...]:
    """The levels of a solve whose result is height x width, coarsest first.

    Raises:
        InputError: more levels than the picture can be halved, or not as many numbers as levels.
    """
    count = _count(options, height, width)
    for name, numbers in _per_level(options).items():
        if numbers and len(numbers) != count:
            raise InputError(f"--{name} has {len(numbers)} numbers for {count} levels")
    shares = options.solve.level_iterations or [ITERATIONS_GROWTH**n for n in range(count)]
    iterations = _parts(options.solve.iterations, shares)
    evaluations = [0] * count
    if options.solve.evaluations:
        evaluations = _parts(max(options.solve.evaluations, count), shares)
    scales = [0.5 ** (count - 1 - n) for n in range(count)]
    sizes = [(max(1, round(height * scale)), max(1, round(width * scale))) for scale in scales]
    # A tile is not stretched: what meets at its borders would no longer.
    stretched = count > 1 and not options.loss.seamless
    coarsest = _coarsest_grid(*sizes[0]) if stretched else sizes[0]
    return tuple(
        Level(
            height=sizes[n][0],
            width=sizes[n][1],
            scale=scale,
            iterations=iterations[n],
            evaluations=evaluations[n],
            content_weight=(options.solve.level_content_weights or [1.0] * count)[n],
            tv_weight=(options.solve.level_tv_weights or [1.0] * count)[n],
            grid=coarsest if n == 0 else sizes[n],
        )
        for n, scale in enumerate(scales)
    )


def tile_unit(levels: Sequence[Level], stride: int) -> int:
    """What both sides of a picture that tiles are multiples of, at a network's deepest stride."""
    return stride * 2 ** (len(levels) - 1)


def check_tile(levels: Sequence[Level], stride: int) -> None:
    """Refuse sizes at which a picture does not tile, at one level or another.

    Raises:
        InputError: says which would do.
    """
    unit, (height, width) = tile_unit(levels, stride), levels[-1][:2]
    if height % unit or width % unit:
        near = " x ".join(str(max(unit, round(side / unit) * unit)) for side in (width, height))
        raise InputError(
            f"--seamless: {width} x {height} pixels do not tile: at {len(levels)} levels both "
            f"sides are multiples of {unit}, as {near}; give such a size, or fewer --levels"
        )


def single_level(options: Options, height: int, width: int) -> Level:
    """The level of a solve that has no other."""
    solve = options.solve
    grid = height, width
    return Level(height, width, 1.0, solve.iterations, solve.evaluations, 1.0, 1.0, grid)
