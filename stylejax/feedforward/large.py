"""A large photograph painted in strips of rows, with the statistics of the whole.

The network is run layer by layer, each in two sweeps: one convolves strip after strip and gathers
mean and variance, one normalizes with them. Maps stay on the host between the sweeps, and on the
device there is one strip at a time, so its memory does not grow with the picture. It is exact but
for the order of additions, since no convolution of the network pads.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stylejax.feedforward.convolutions import FOLD, Layer, unfolded
from stylejax.feedforward.geometry import Grid, framed_pixels, reflected
from stylejax.feedforward.network import (
    LAYERS,
    PHOTOGRAPH,
    RESIDUAL_BLOCKS,
    Painter,
    Parameters,
    convolved,
    fold_of,
)
from stylejax.feedforward.normalization import (
    AllStatistics,
    Mixture,
    Place,
    Statistics,
    Tables,
    color_logits,
    palette_of,
)
from stylejax.feedforward.run import Painting
from stylejax.images.arrays import PictureLike, as_pixels
from stylejax.options import Kernels

HostMap = Float[np.ndarray, "_ _ _"]


class _Gathered(NamedTuple):
    """Of a strip: how many positions count, their mean, and the squares around it added up."""

    positions: Array
    mean: Array
    squares: Array


class _Blocks(NamedTuple):
    """How a layer's rows come about: a block of `gives` rows sees `needs` rows, each `step` on."""

    needs: int
    step: int
    gives: int

    def number(self, rows: int) -> int:
        """How many blocks come of a map of so many rows."""
        return (rows - self.needs) // self.step + 1


def _blocks(layer: Layer, kernels: Kernels) -> _Blocks:
    if layer.enlarges:
        return _Blocks(2, 1, FOLD // fold_of(layer, kernels))
    if fold_of(layer, kernels) > 1:
        return _Blocks(-(-(layer.window + 1) // FOLD), 1, 1)
    return _Blocks(layer.window, layer.step, 1)


def _gather(x: Array, place: Place, grid: Grid, fold: int, fresh: Array) -> _Gathered:
    """The moments of a strip's rows from the `fresh`th on: those before are known already."""
    known = (jnp.arange(x.shape[0]) < fresh)[:, None, None, None]
    share = jnp.where(known, 0.0, place.shares(x, grid, fold))
    parts = x.astype(jnp.float32).reshape(*x.shape[:2], fold**2, -1)
    count = jnp.sum(share)
    mean = jnp.sum(share * parts, axis=(0, 1, 2)) / jnp.maximum(count, 1.0)
    return _Gathered(count, mean, jnp.sum(share * jnp.square(parts - mean), axis=(0, 1, 2)))


def _merged(strips: list[_Gathered]) -> Statistics:
    """The statistics of all strips together (Chan, Golub, LeVeque, 1979), in double precision."""
    count, mean, squares = (np.stack(each).astype(np.float64) for each in zip(*strips, strict=True))
    share = (count / count.sum())[:, None]
    whole = (share * mean).sum(0)
    apart = (share * np.square(mean - whole)).sum(0)
    variance = squares.sum(0) / count.sum() + apart
    return Statistics(jnp.asarray(whole, jnp.float32), jnp.asarray(variance, jnp.float32))


@partial(jax.jit, static_argnames=("layer", "kernels", "grid"))
def _convolve(
    x: Array, kernel: Array, place: Place, fresh: Array, layer: Layer, kernels: Kernels, grid: Grid
) -> tuple[Array, _Gathered]:
    result = convolved(layer, x, kernel, kernels)
    return result, _gather(result, place, grid, fold_of(layer, kernels), fresh)


@partial(jax.jit, static_argnames=("layer", "kernels", "grid", "relu"))
def _normalize(
    x: Array,
    beside: Array | None,
    place: Place,
    tables: Tables,
    statistics: Statistics,
    palette: Statistics,
    layer: Layer,
    kernels: Kernels,
    grid: Grid,
    relu: bool,
) -> Array:
    result = place.normalized(x, grid, fold_of(layer, kernels), tables, statistics, palette)
    result = result if beside is None else beside + result
    if layer.name == "colors":
        return jax.nn.sigmoid(unfolded(result) if kernels == "fast" else result)
    return jax.nn.relu(result) if relu else result


@jax.jit
def _gather_colors(x: Array, place: Place, fresh: Array) -> _Gathered:
    return _gather(color_logits(x), place, Grid(), 1, fresh)


class _Sweeps:
    """The network at work on one photograph; `x` is the map so far, on the host."""

    def __init__(
        self,
        painter: Painter,
        parameters: Parameters,
        place: Place,
        held: AllStatistics | None,
        rows: int,
    ) -> None:
        self.painter, self.parameters, self.place = painter, parameters, place
        self.held, self.rows = held, rows
        self.seen: dict[str, Statistics] = {}

    def starts(self, count: int, length: int) -> list[tuple[int, int]]:
        """Where strips of so many rows begin, and how many of their rows are known by then."""
        firsts = range(0, count, length)
        # The last one ends with the map, so that all are of one shape.
        moved = [min(first, count - length) for first in firsts]
        return [(place, first - place) for place, first in zip(moved, firsts, strict=True)]

    def used(self, name: str) -> Statistics:
        """The statistics to normalize with."""
        return (self.seen if self.held is None else self.held)[name]

    def look_at_colors(self, framed: HostMap) -> None:
        """Gather the photograph's own statistics."""
        length = min(self.rows, len(framed))
        self.seen[PHOTOGRAPH] = _merged(
            [
                jax.device_get(
                    _gather_colors(
                        framed[at : at + length], self.place._replace(first=at), np.int32(fresh)
                    )
                )
                for at, fresh in self.starts(len(framed), length)
            ]
        )

    def run(
        self, name: str, x: HostMap, grid: Grid, beside: HostMap | None = None, relu: bool = True
    ) -> tuple[HostMap, Grid]:
        """A layer and its normalization; `beside` is added to what comes out."""
        layer, kernels = LAYERS[name], self.painter.kernels
        blocks, grid = _blocks(layer, kernels), grid.after(layer)
        count = blocks.number(len(x))
        pixels = grid.stride * fold_of(layer, kernels) * blocks.gives
        length = min(count, max(1, self.rows // pixels))
        kernel = cast(dict[str, Array], self.parameters[name])["kernel"]
        result, gathered = np.zeros((0, 0, 0), np.float32), []
        for at, fresh in self.starts(count, length):
            first = at * blocks.step
            part = x[first : first + (length - 1) * blocks.step + blocks.needs]
            place = self.place._replace(first=at * blocks.gives)
            fresh = np.int32(fresh * blocks.gives)
            made, moments = _convolve(part, kernel, place, fresh, layer, kernels, grid)
            gathered.append(jax.device_get(moments))
            if not result.size:
                result = np.empty((count * blocks.gives, *made.shape[1:]), np.float32)
            result[at * blocks.gives : (at + length) * blocks.gives] = made
        self.seen[name] = _merged(gathered)
        tables = Tables(*(cast(Array, self.parameters[f"{name}_{kind}"]) for kind in _TABLES))
        if name == "colors":
            tables = tables._replace(keeps=cast(Array, self.parameters["keeps"]))
        finish = partial(
            _normalize,
            tables=tables,
            statistics=self.used(name),
            palette=palette_of(self.used(PHOTOGRAPH)),
            layer=layer,
            kernels=kernels,
            grid=grid,
            relu=relu,
        )
        return self.finished(result, beside, finish, length * blocks.gives), grid

    def finished(
        self, x: HostMap, beside: HostMap | None, finish: Callable[..., Array], length: int
    ) -> HostMap:
        """A map normalized strip by strip, in its own place where the shape stays."""
        scaled = x
        for at, fresh in self.starts(len(x), length):
            rows = slice(at, at + length)
            # What is known already has been normalized in its place.
            own = slice(at + fresh, at + length)
            place = self.place._replace(first=at)
            made = np.asarray(finish(x[rows], None if beside is None else beside[rows], place))
            if made.shape[1:] != x.shape[1:] and scaled is x:
                scaled = np.empty((FOLD * len(x), *made.shape[1:]), np.float32)
            scale = len(made) // length
            scaled[scale * own.start : scale * own.stop] = made[scale * fresh :]
        return scaled


_TABLES = ("scales", "shifts")


def paint_in_strips(
    photograph: PictureLike,
    painter: Painter,
    parameters: Parameters,
    mixture: Mixture,
    held: AllStatistics | None = None,
    *,
    rows: int,
) -> Painting:
    """Paint a photograph in strips of about so many rows of pixels; as `paint_photograph`."""
    photograph = as_pixels(photograph, "photograph")
    height, width = photograph.shape[:2]
    down, across = (np.asarray(reflected(framed_pixels(side), side)) for side in (height, width))
    framed = photograph[down][:, across]
    sweeps = _Sweeps(painter, parameters, Place(jnp.asarray(mixture), height, width), held, rows)
    sweeps.look_at_colors(framed)
    x, grid = sweeps.run("conv", framed - np.float32(0.5), Grid())
    x, grid = sweeps.run("down1", x, grid)
    x, grid = sweeps.run("down2", x, grid)
    for number in range(1, RESIDUAL_BLOCKS + 1):
        inner, between = sweeps.run(f"residual{number}a", x, grid)
        beside = x[2:-2, 2:-2]
        x, grid = sweeps.run(f"residual{number}b", inner, between, beside, relu=False)
    x, grid = sweeps.run("up1", x, grid)
    x, grid = sweeps.run("up2", x, grid)
    x, grid = sweeps.run("colors", x, grid)
    image = x[-grid.start :, -grid.start :][:height, :width]
    return Painting(np.ascontiguousarray(image), sweeps.seen)
