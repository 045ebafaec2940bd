"""The options of universal style transfer, as frozen dataclasses. No JAX here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stylejax.errors import InputError
from stylejax.fields import LARGEST_SEED, OptionValue, flat_values, option, split_flat
from stylejax.options import check_bounds, check_shares, normalized_shares
from stylejax.sizes import SizeOptions

Transform = Literal["transport", "whitening", "moments"]
Mixture = Literal["maps", "barycenter"]
Solver = Literal["products", "eigenvalues"]

LEVEL_NAMES = ("pool3_relu", "pool2_relu", "conv1_relu", "input")
"""Where a transform is applied, in this order; `input` is the picture itself."""


@dataclass(frozen=True)
class UniversalOptions:
    """How a picture takes the statistics of a painting."""

    alpha: float = option(
        1.0,
        "How far to go from the photograph, 0, to the painting's statistics, 1.",
        at_least=0,
        at_most=1,
    )
    level_alphas: tuple[float, ...] = option(
        (0.5, 1.0, 1.0, 1.0),
        "Factors of alpha for pool3_relu (the broadest strokes), pool2_relu, conv1_relu and the "
        "pixels (the palette); 0 leaves a level out.",
        at_least=0,
        at_most=1,
    )
    transform: Transform = option(
        "transport",
        "`transport` moves the features least, `whitening` (and coloring) is the map of Li et al. "
        "(2017), `moments` matches each channel's mean and deviation alone (adaptive instance "
        "normalization).",
    )
    ridge: float = option(
        1e-3,
        "Share of the mean eigenvalue that is added to the covariances: more of it leaves the rare "
        "directions of the features alone.",
        at_least=1e-6,
        at_most=1,
    )
    style_blend: tuple[float, ...] = option(
        (),
        "Relative weights of several style pictures, such as 3,1; all alike unless given.",
        at_least=0,
    )
    style_mixture: Mixture = option(
        "maps",
        "How several styles mix: `maps` adds up what each gives, `barycenter` first makes a style "
        "that lies between them.",
    )


@dataclass(frozen=True)
class UniversalPictureOptions(SizeOptions):
    """Size and colors of the result, and how it is written."""

    seed: int = option(
        0, "Seed of the noise that a texture is made from.", at_least=0, at_most=LARGEST_SEED
    )
    bits: Literal[8, 16] = option(8, "Bits of each channel in the file; 16 for PNG and TIFF.")
    quality: int = option(95, "Quality of JPEG, WebP and AVIF files.", at_least=1, at_most=100)


@dataclass(frozen=True)
class UniversalSettings:
    """Every option that decides the pixels."""

    transfer: UniversalOptions = field(default_factory=UniversalOptions)
    picture: UniversalPictureOptions = field(default_factory=UniversalPictureOptions)

    @property
    def flat(self) -> dict[str, OptionValue]:
        """All of them in one dictionary, tuples as lists (as in JSON)."""
        return flat_values(self.transfer, self.picture)


def settings_from_flat(values: Mapping[str, object]) -> UniversalSettings:
    """The inverse of `UniversalSettings.flat`; options that `values` lacks keep their defaults.

    Raises:
        InputError: a name that is no option (a picture made by another version).
    """
    transfer, picture = split_flat(values, UniversalOptions, UniversalPictureOptions)
    return UniversalSettings(UniversalOptions(**transfer), UniversalPictureOptions(**picture))


def check_universal_options(options: UniversalOptions) -> None:
    """Refuse numbers out of range.

    Raises:
        InputError: says which option, and what it may be.
    """
    check_bounds(options)
    if len(options.level_alphas) != len(LEVEL_NAMES):
        raise InputError(
            f"--level-alphas has {len(options.level_alphas)} numbers for {len(LEVEL_NAMES)} "
            f"levels: give one for each of {', '.join(LEVEL_NAMES)}"
        )


def blend_weights(options: UniversalOptions, styles: int) -> tuple[float, ...]:
    """The weights of the style pictures, with a sum of 1.

    Raises:
        InputError: there are not as many weights as style pictures, or all of them are 0.
    """
    check_shares("style_blend", options.style_blend, styles, "style pictures")
    return tuple(normalized_shares(options.style_blend, styles))
