"""The picture that a solve starts from."""

from collections.abc import Sequence

import numpy as np

from stylejax.errors import InputError
from stylejax.images.scaling import cover_and_crop, enlarged_tile
from stylejax.options import STARTS, Options
from stylejax.transfer.parameterization import CLOSEST, without_grid
from stylejax.transfer.pictures import Pictures, fit_picture
from stylejax.transfer.pyramid import Level
from stylejax.types import OtherPixels, Pixels
from stylejax.weights.read import IMAGENET_MEAN

NOISE_AMPLITUDE = 0.1
"""Half the range of the noise around gray that `init="noise"` starts from."""
MEAN_DEVIATION = np.float32(0.001 / 255.0)
"""Standard deviation of the noise around the mean color that `init="mean"` starts from."""

SATURATED_SHARE = 0.05
"""From this share of a picture's values at 0 or 1 on, it is drawn in to start from."""
DRAWN_IN = 0.15
"""How far from 0 and 1 a start that is drawn in stays."""


def drawn_in(pixels: Pixels) -> Pixels:
    """A start without pure white and black, where it has much of them; else the very same.

    At its ends the map to [0, 1] (`parameterization.bounded`) has a tenth of its slope. So a
    drawing's gradient is small almost everywhere, the first step is ten times too long, and what it
    throws beyond an end, where there is no slope at all, never comes back: bars and specks that
    glow (docs/pictures.md). Most photographs have too little of them for that.
    """
    saturated = (pixels <= CLOSEST) | (pixels >= 1.0 - CLOSEST)
    if np.mean(saturated) < SATURATED_SHARE:
        return pixels
    return np.clip(pixels, np.float32(DRAWN_IN), np.float32(1.0 - DRAWN_IN))


def start_picture(
    options: Options,
    content: Pixels,
    styles: Sequence[OtherPixels],
    given: OtherPixels | None = None,
) -> Pixels:
    """The picture that the solve starts from; `given` is the one that a file name stood for.

    Pictures are `drawn_in`, unless the content picture is to be styled by itself: it is there
    already.
    """
    height, width = content.shape[:2]
    identical = any(np.array_equal(content, style) for style in styles)
    usable = (lambda picture: picture) if identical else drawn_in
    if given is not None:
        scaled = enlarged_tile if options.loss.seamless else cover_and_crop
        fits = given.shape == content.shape
        return usable(given if fits else scaled(given, height, width))
    init, random = options.picture.init, np.random.default_rng(options.picture.seed)
    if init in ("noise", "uniform"):
        noise = random.random(content.shape, np.float32)
        if init == "noise":
            noise = 0.5 + NOISE_AMPLITUDE * (2.0 * noise - 1.0)
        # In Fourier form the grid's frequencies barely move, so noise with them would keep them.
        return without_grid(noise) if options.solve.parameterization == "fourier" else noise
    if init == "mean":
        noise = random.standard_normal(content.shape, np.float32)
        return np.asarray(IMAGENET_MEAN, np.float32) + MEAN_DEVIATION * noise
    if init == "style":
        heaviest = int(np.argmax(options.loss.style_blend or (1.0,)))
        return usable(cover_and_crop(styles[heaviest], height, width))
    if init == "content":
        return usable(content)
    if init == "universal":
        raise InputError("init 'universal': make that picture with universal_transfer and pass it")
    raise InputError(f"init {init!r} is none of {', '.join(STARTS)}: pass the picture itself")


def level_start(
    options: Options, pictures: Pictures, level: Level, given: OtherPixels | None = None
) -> Pixels:
    """The picture that one level starts from, stretched to its grid.

    `pictures` are those of the level; `given` is the solution of the level before, or as in
    `start_picture`.
    """
    shape = level.height, level.width
    if given is not None and level.grid != shape:
        given = fit_picture(cover_and_crop(given, *shape), level.grid)
    return start_picture(options, pictures.content, pictures.styles, given)
