"""The picture that a solve starts from."""

from collections.abc import Sequence

import numpy as np

from stylejax.errors import InputError
from stylejax.images.scaling import cover_and_crop
from stylejax.options import STARTS, Options
from stylejax.transfer.parameterization import without_grid
from stylejax.types import OtherPixels, Pixels
from stylejax.weights.read import IMAGENET_MEAN

NOISE_AMPLITUDE = 0.1
"""Half the range of the noise around gray that `init="noise"` starts from."""
MEAN_DEVIATION = np.float32(0.001 / 255.0)
"""Standard deviation of the noise around the mean color that `init="mean"` starts from."""


def start_picture(
    options: Options,
    content: Pixels,
    styles: Sequence[OtherPixels],
    given: OtherPixels | None = None,
) -> Pixels:
    """The picture that the solve starts from; `given` is the one that a file name stood for."""
    height, width = content.shape[:2]
    if given is not None:
        fits = given.shape == content.shape
        return given if fits else cover_and_crop(given, height, width)
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
        return cover_and_crop(styles[heaviest], height, width)
    if init == "content":
        return content
    if init == "universal":
        raise InputError("init 'universal': make that picture with universal_transfer and pass it")
    raise InputError(f"init {init!r} is none of {', '.join(STARTS)}: pass the picture itself")
