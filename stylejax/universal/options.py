"""The options of universal style transfer, as a frozen dataclass. No JAX here."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stylejax.errors import InputError

Transform = Literal["transport", "whitening", "moments"]
Mixture = Literal["maps", "barycenter"]
Solver = Literal["auto", "eigenvalues", "products"]

LEVEL_NAMES = ("pool3_relu", "pool2_relu", "conv1_relu", "input")
"""Where a transform is applied, in this order; `input` is the picture itself."""


@dataclass(frozen=True)
class UniversalOptions:
    """How a picture takes the statistics of a painting."""

    transform: Transform = "transport"
    """`transport` moves the features least, `whitening` is the paper's map, `moments` matches each
    channel's mean and deviation alone (adaptive instance normalization)."""
    ridge: float = 1e-3
    """Share of the mean eigenvalue that is added to the covariances, above 0 and at most 1: more of
    it leaves the rare directions of the features alone."""
    alpha: float = 1.0
    """How far to go from the photograph, 0, to the painting's statistics, 1."""
    level_alphas: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    """Factors of alpha for pool3_relu, pool2_relu, conv1_relu and the pixels, 0 to 1 each; 0 leaves
    a level out."""
    style_blend: tuple[float, ...] = ()
    """Weights of several style pictures, divided by their sum; all alike unless given."""
    style_mixture: Mixture = "maps"
    """How several styles mix: `maps` adds up what each gives, `barycenter` first makes a style that
    lies between them."""
    style_scale: float = 1.0
    """Size of the strokes: that of the style pictures over that of the result, above 0."""


def check_options(options: UniversalOptions) -> None:
    """Refuse numbers out of range.

    Raises:
        InputError: says which option, and what it may be.
    """
    if not 0.0 < options.ridge <= 1.0:
        raise InputError(f"--ridge {options.ridge:g}: give a number above 0 and at most 1")
    if not 0.0 <= options.alpha <= 1.0:
        raise InputError(f"--alpha {options.alpha:g}: give a number from 0 to 1")
    alphas = options.level_alphas
    if len(alphas) != len(LEVEL_NAMES):
        raise InputError(
            f"--level-alphas: {len(alphas)} numbers, there are {len(LEVEL_NAMES)} levels: give one "
            f"for each of {', '.join(LEVEL_NAMES)}"
        )
    if not all(0.0 <= alpha <= 1.0 for alpha in alphas):
        raise InputError(f"--level-alphas {_listed(alphas)}: give numbers from 0 to 1")
    if not (0.0 < options.style_scale < math.inf):
        raise InputError(f"--style-scale {options.style_scale:g}: give a number above 0")
    if options.style_blend:
        valid = all(0.0 <= weight < math.inf for weight in options.style_blend)
        if not valid or not sum(options.style_blend) > 0.0:
            given = _listed(options.style_blend)
            raise InputError(f"--style-blend {given}: give numbers of 0 or more, not all 0")


def blend_weights(options: UniversalOptions, styles: int) -> tuple[float, ...]:
    """The weights of the style pictures, with a sum of 1.

    Raises:
        InputError: there are not as many weights as style pictures.
    """
    given = options.style_blend or (1.0,) * styles
    if len(given) != styles:
        raise InputError(
            f"--style-blend: {len(given)} weights for {styles} style pictures: give one for each"
        )
    return tuple(weight / sum(given) for weight in given)


def _listed(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)
