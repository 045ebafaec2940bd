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

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, PRNGKeyArray

from stylejax.feedforward.convolutions import (
    FOLD,
    Layer,
    convolution,
    doubled,
    enlarging_convolution,
    folded_convolution,
    halving_convolution,
    unfolded,
)
from stylejax.feedforward.geometry import STRIDE, Grid, Length, framed_pixels, reflected
from stylejax.feedforward.normalization import (
    AllStatistics,
    Mixture,
    Place,
    Statistics,
    Tables,
    color_logits,
    palette_of,
)
from stylejax.images.pictures import PictureLike, as_picture
from stylejax.options import Kernels
from stylejax.types import Image

RESIDUAL_BLOCKS = 5
FAINTEST = 0.1
"""Scale that a residual block's result begins training with: at first the photograph goes past."""
CHANNELS = (32, 64, 128)
"""Of the paper's maps at full, half and quarter size."""
_RESIDUAL = [Layer(f"residual{n}{half}", 2) for n in range(1, RESIDUAL_BLOCKS + 1) for half in "ab"]
LAYERS = {
    layer.name: layer
    for layer in (
        Layer("conv", 0, window=9),
        Layer("down1", 1, step=2),
        Layer("down2", 2, step=2),
        *_RESIDUAL,
        Layer("up1", 1, enlarges=True),
        Layer("up2", 0, enlarges=True),
        Layer("colors", 3, window=9),
    )
}
"""All convolutions, in their order."""
FOLDED = ("up2", "colors")
"""Those whose results are full-size maps, which the tuned form keeps folded."""
_SECONDS = tuple(f"residual{number}b" for number in range(1, RESIDUAL_BLOCKS + 1))
PHOTOGRAPH = "photograph"
"""Under this name the photograph's own statistics are, beside those of the layers."""

Parameters = Mapping[str, Array | Mapping[str, Array]]
"""Of a painter: kernels, scales and shifts by name, and those of a layer by theirs."""


def convolved(layer: Layer, x: Array, kernel: Array, kernels: Kernels) -> Array:
    """A layer's convolution of what comes in; tuned, that of a folded layer is folded."""
    if kernels == "plain":
        return convolution(doubled(x) if layer.enlarges else x, kernel, layer.step)
    if layer.enlarges:
        result = enlarging_convolution(x, kernel)
        return result if layer.name in FOLDED else unfolded(result)
    if layer.name == "down1":
        height, width = ((side - layer.window) // FOLD + 1 for side in x.shape[:2])
        return halving_convolution(x, kernel)[:height, :width]
    if layer.name in FOLDED:
        return folded_convolution(x, kernel)
    return convolution(x, kernel, layer.step)


def fold_of(layer: Layer, kernels: Kernels) -> int:
    """How many positions of a layer's result stand side by side, along each axis."""
    return FOLD if kernels == "fast" and layer.name in FOLDED else 1


class _Kernel(nn.Module):
    """The numbers of a convolution. What follows takes the mean away: a bias would do nothing."""

    shape: tuple[int, int, int, int]

    @nn.compact
    def __call__(self) -> Array:
        return self.param("kernel", nn.initializers.lecun_normal(), self.shape)


class Painter(nn.Module):
    """The network, for one picture; `jax.vmap` makes it one for several.

    Attributes:
        styles: how many it has learned, the identity not counted.
        width: the paper's channels are multiplied by it.
        dtype: of the convolutions and the maps between them; statistics, colors and parameters are
            float32.
        kernels: the `plain` convolutions, or those that are `fast` on a processor.
    """

    styles: int
    width: float = 0.5
    dtype: DTypeLike = jnp.float32
    kernels: Kernels = "plain"

    @nn.compact
    def __call__(
        self,
        picture: Image,
        mixture: Mixture,
        size: tuple[Length, Length] | None = None,
        held: AllStatistics | None = None,
    ) -> tuple[Image, dict[str, Statistics]]:
        """Paint a picture; `paint` says what comes in and goes out."""
        place = Place(mixture, *(picture.shape[:2] if size is None else size))
        rows = reflected(framed_pixels(picture.shape[0]), place.height)
        columns = reflected(framed_pixels(picture.shape[1]), place.width)
        framed = jnp.asarray(picture)[rows][:, columns]
        seen = {PHOTOGRAPH: place.statistics(color_logits(framed), Grid())}
        palette = palette_of((seen if held is None else held)[PHOTOGRAPH])

        def run(name: str, x: Array, grid: Grid) -> tuple[Array, Grid]:
            layer, fold = LAYERS[name], fold_of(LAYERS[name], self.kernels)
            inputs = x.shape[-1] // (fold**2 if name == "colors" else 1)
            shape = (layer.window, layer.window, inputs, self.channels(layer))
            kernel = _Kernel(shape, name=name)().astype(self.dtype)
            x = convolved(layer, x.astype(self.dtype), kernel, self.kernels)
            x = x.astype(jnp.float32) if name == "colors" else x
            grid = grid.after(layer)
            tables = self._tables(layer)
            seen[name] = place.statistics(x.astype(jnp.float32), grid, fold)
            used = (seen if held is None else held)[name]
            return place.normalized(x, grid, fold, tables, used, palette), grid

        x = framed - 0.5
        x, grid = run("conv", x, Grid())
        x, grid = run("down1", nn.relu(x), grid)
        x, grid = run("down2", nn.relu(x), grid)
        x = nn.relu(x)
        for number in range(1, RESIDUAL_BLOCKS + 1):
            inner, beside = run(f"residual{number}a", x, grid)
            inner, beside = run(f"residual{number}b", nn.relu(inner), beside)
            x, grid = x[2:-2, 2:-2] + inner, beside
        x, grid = run("up1", x, grid)
        x, grid = run("up2", nn.relu(x), grid)
        x, grid = run("colors", nn.relu(x), grid)
        logits = unfolded(x) if self.kernels == "fast" else x
        # A frame of one pixel is left.
        painted = jax.nn.sigmoid(logits[-grid.start :, -grid.start :])
        return painted[: picture.shape[0], : picture.shape[1]], seen

    def channels(self, layer: Layer) -> int:
        """How many channels a layer's result has."""
        return (*(max(1, round(self.width * each)) for each in CHANNELS), 3)[layer.channels]

    def _tables(self, layer: Layer) -> Tables:
        """The parameters of the normalization after a layer."""
        shape = (self.styles + 1, self.channels(layer))
        begin = FAINTEST if layer.name in _SECONDS else 1.0
        scales = self.param(f"{layer.name}_scales", nn.initializers.constant(begin), shape)
        shifts = self.param(f"{layer.name}_shifts", nn.initializers.zeros, shape)
        if layer.name != "colors":
            return Tables(scales, shifts)
        return Tables(scales, shifts, self.param("keeps", _only_the_identity, (shape[0], 1)))


def _only_the_identity(_: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32):
    return jnp.zeros(shape, dtype).at[0].set(1.0)


def init_parameters(painter: Painter, key: PRNGKeyArray) -> Parameters:
    """Parameters to begin training with: all styles alike."""
    mixture = jnp.zeros(painter.styles + 1).at[0].set(1.0)
    return painter.init(key, jnp.zeros((STRIDE, STRIDE, 3)), mixture)["params"]


def paint(
    painter: Painter,
    parameters: Parameters,
    picture: PictureLike,
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

    Raises:
        InputError: what is given is no picture.
    """
    picture = as_picture(picture, "picture", bounded=False)
    return painter.apply({"params": parameters}, picture, mixture, size, held)  # pyright: ignore
