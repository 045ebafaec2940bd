"""The network that paints a photograph in one pass, in as many styles as it has learned.

The body is that of Johnson, Alahi, Fei-Fei, Perceptual Losses for Real-Time Style Transfer and
Super-Resolution (2016), arXiv 1603.08155: c9s1-32, d64, d128, five R128, u64, u32, c9s1-3, here
times a width. It departs from the paper in three places. Every normalization has scales and shifts
for each style (Dumoulin, Shlens, Kudlur, A Learned Representation for Artistic Style (2017), arXiv
1610.07629), and what is used of them is a mixture given as weights, of which row 0 belongs to the
identity: so strength, blends and masks need no training. Maps grow by repetition and a convolution,
since a transposed one prints a grid. And the last map, of the colors, is normalized too, by
statistics that are the style's, the photograph's or between them: the identity needs the latter.
"""

from collections.abc import Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from stylejax.feedforward.geometry import STRIDE, Grid, Length, framed_pixels, reflected
from stylejax.types import Image

EPSILON = 1e-3
"""Added to variances. A hundred times the usual: where a photograph is flat, its noise would be
made as large as anything."""
RESIDUAL_BLOCKS = 5
FAINTEST = 0.1
"""Scale that a residual block's result begins training with: at first the photograph goes past."""
CHANNELS = (32, 64, 128)
"""Of the paper's maps at full, half and quarter size."""
DARKEST = 1.0 / 64.0
"""Black and white are taken for this far from the ends of [0, 1], where the sigmoid never comes."""

Parameters = Mapping[str, Array | Mapping[str, Array]]
Mixture = Float[Array, " rows"] | Float[Array, "height width rows"]
"""How much of each row of scales and shifts is used: for all of the picture, or pixel by pixel.

Row 0 is the identity's, row n that of the nth style; they conventionally sum to 1.
"""


class Statistics(NamedTuple):
    """A map's mean and variance over the picture, channel by channel."""

    mean: Float[Array, " channels"]
    variance: Float[Array, " channels"]


AllStatistics = Mapping[str, Statistics]


class _Place(NamedTuple):
    """Where in the picture a map's positions are, and how the styles are mixed there."""

    mixture: Mixture
    height: Length
    width: Length

    def statistics(self, x: Array, grid: Grid) -> Statistics:
        """Mean and variance over the positions on the picture."""
        rows, columns = grid.own(x.shape[0], self.height), grid.own(x.shape[1], self.width)
        share = (rows / jnp.sum(rows))[:, None, None] * (columns / jnp.sum(columns))[:, None]
        mean = jnp.sum(share * x, axis=(0, 1))
        return Statistics(mean, jnp.sum(share * jnp.square(x - mean), axis=(0, 1)))

    def mixed(self, table: Float[Array, "rows channels"], x: Array, grid: Grid) -> Array:
        """The rows of a table mixed, for the whole map or for each of its positions."""
        mixture = self.mixture
        if mixture.ndim == 3:
            rows = reflected(grid.pixels(x.shape[0]), self.height)
            columns = reflected(grid.pixels(x.shape[1]), self.width)
            mixture = mixture[rows][:, columns]
        # A GPU would round the rows to 10 bits.
        return jnp.matmul(mixture, table, precision="highest")


class Painter(nn.Module):
    """The network, for one picture; `jax.vmap` makes it one for several.

    Attributes:
        styles: how many it has learned, the identity not counted.
        width: the paper's channels are multiplied by it.
        dtype: of the convolutions and the maps between them; statistics, colors and parameters are
            float32.
    """

    styles: int
    width: float = 0.5
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        picture: Image,
        mixture: Mixture,
        size: tuple[Length, Length] | None = None,
        held: AllStatistics | None = None,
    ) -> tuple[Image, dict[str, Statistics]]:
        """Paint a picture; `paint` says what comes in and goes out."""
        place = _Place(mixture, *(picture.shape[:2] if size is None else size))
        rows = reflected(framed_pixels(picture.shape[0]), place.height)
        columns = reflected(framed_pixels(picture.shape[1]), place.width)
        framed = jnp.asarray(picture)[rows][:, columns]
        first, second, third = (max(1, round(self.width * each)) for each in CHANNELS)
        seen: dict[str, Statistics] = {}

        def layer(name: str, x: Array, grid: Grid, channels: int, window: int, step: int = 1):
            x, grid = (
                self._convolution(name, channels, window, step)(x),
                grid.convolved(window, step),
            )
            return self._normalized(name, x, grid, place, held, seen), grid

        x, grid = layer("conv", framed - 0.5, Grid(), first, 9)
        x, grid = layer("down1", nn.relu(x), grid, second, 3, 2)
        x, grid = layer("down2", nn.relu(x), grid, third, 3, 2)
        x = nn.relu(x)
        for number in range(1, RESIDUAL_BLOCKS + 1):
            inner, beside = layer(f"residual{number}a", x, grid, third, 3)
            inner, beside = layer(f"residual{number}b", nn.relu(inner), beside, third, 3)
            x, grid = x[2:-2, 2:-2] + inner, beside
        x, grid = layer("up1", _doubled(x), grid.doubled(), second, 3)
        x, grid = layer("up2", _doubled(nn.relu(x)), grid.doubled(), first, 3)
        logits = self._convolution("colors", 3, 9, 1)(nn.relu(x))
        logits, grid = logits.astype(jnp.float32), grid.convolved(9, 1)
        palette = self._palette(framed, place, held, seen)
        logits = self._normalized("colors", logits, grid, place, held, seen, palette)
        # A frame of one pixel is left.
        painted = jax.nn.sigmoid(logits[-grid.start :, -grid.start :])
        return painted[: picture.shape[0], : picture.shape[1]], seen

    def _convolution(self, name: str, channels: int, window: int, step: int) -> nn.Conv:
        # What follows takes the mean away, so a bias would do nothing.
        return nn.Conv(
            channels, (window, window), step, "VALID", use_bias=False, dtype=self.dtype, name=name
        )

    def _normalized(
        self,
        name: str,
        x: Array,
        grid: Grid,
        place: _Place,
        held: AllStatistics | None,
        seen: dict[str, Statistics],
        palette: Statistics | None = None,
    ) -> Array:
        """The map with the mixture's mean and deviation in each channel; `seen` gets its own.

        A `palette` has deviations and means to be added to the mixture's, in their share.
        """
        table = (self.styles + 1, x.shape[-1])
        begin = FAINTEST if name.startswith("residual") and name.endswith("b") else 1.0
        scales = self.param(f"{name}_scales", nn.initializers.constant(begin), table)
        shifts = self.param(f"{name}_shifts", nn.initializers.zeros, table)
        wide = x.astype(jnp.float32)
        seen[name] = place.statistics(wide, grid)
        mean, variance = seen[name] if held is None else held[name]
        scale, shift = place.mixed(scales, x, grid), place.mixed(shifts, x, grid)
        if palette is not None:
            keeps = self.param("keeps", _only_the_identity, (self.styles + 1, 1))
            keep = place.mixed(keeps, x, grid)
            scale, shift = scale + keep * palette.variance, shift + keep * palette.mean
        scale = scale * jax.lax.rsqrt(variance + EPSILON)
        return (wide * scale + (shift - mean * scale)).astype(x.dtype)

    def _palette(
        self,
        framed: Array,
        place: _Place,
        held: AllStatistics | None,
        seen: dict[str, Statistics],
    ) -> Statistics:
        """Mean and, in place of the variance, deviation of the photograph's colors as logits."""
        colors = jnp.clip(framed.astype(jnp.float32), DARKEST, 1.0 - DARKEST)
        seen["photograph"] = place.statistics(jax.scipy.special.logit(colors), Grid())
        mean, variance = seen["photograph"] if held is None else held["photograph"]
        return Statistics(mean, jnp.sqrt(variance + EPSILON))


def _only_the_identity(_: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32):
    return jnp.zeros(shape, dtype).at[0].set(1.0)


def _doubled(x: Array) -> Array:
    """Each position repeated along both axes."""
    height, width, channels = x.shape
    repeated = jnp.broadcast_to(x[:, None, :, None], (height, 2, width, 2, channels))
    return repeated.reshape(2 * height, 2 * width, channels)


def init_parameters(painter: Painter, key: PRNGKeyArray) -> Parameters:
    """Parameters to begin training with: all styles alike."""
    mixture = jnp.zeros(painter.styles + 1).at[0].set(1.0)
    return painter.init(key, jnp.zeros((STRIDE, STRIDE, 3)), mixture)["params"]


def paint(
    painter: Painter,
    parameters: Parameters,
    picture: Image,
    mixture: Mixture,
    size: tuple[Length, Length] | None = None,
    held: AllStatistics | None = None,
) -> tuple[Image, dict[str, Statistics]]:
    """Paint a picture; a pure function that can be compiled, differentiated and mapped.

    Args:
        painter: the network.
        parameters: its numbers, of `init_parameters` or of a weight file.
        picture: height x width x 3 in [0, 1], of any size from one pixel up.
        mixture: weights of the identity and of each style, for all of the picture or for each of
            its pixels (`stylejax.feedforward.mixtures`).
        size: height and width of the picture where it only fills the upper left corner of the
            array; whatever is beyond is not looked at. Numbers that may be traced.
        held: statistics to use in place of the picture's own, as of another frame of a film.

    Returns:
        The painted picture, of the array's size and in (0, 1), and the statistics of its maps. What
        is beyond `size` is of no meaning.
    """
    return painter.apply({"params": parameters}, picture, mixture, size, held)  # pyright: ignore
