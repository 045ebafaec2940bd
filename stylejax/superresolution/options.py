"""The options of enlarging pictures, as frozen dataclasses. No JAX here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stylejax.errors import InputError
from stylejax.fields import OptionValue, flat_values, option, split_flat
from stylejax.options import check_bounds

FACTORS = (4, 8)


@dataclass(frozen=True)
class UpscaleOptions:
    """How large and how sharp."""

    factor: int = option(
        0,
        "How many times larger the result is along both sides: 4 or 8; 0 for 4, or for what the "
        "network of --weights was trained for.",
    )
    sharpness: float = option(
        0.5,
        "From 0, the smallest error of pixels, which is soft, to 1, that of a network's features, "
        "which has edges and textures that may not be those of the original.",
        at_least=0,
        at_most=1,
    )


@dataclass(frozen=True)
class UpscalePictureOptions:
    """How the result is written."""

    bits: Literal[8, 16] = option(8, "Bits of each channel in the file; 16 for PNG and TIFF.")
    quality: int = option(95, "Quality of JPEG, WebP and AVIF files.", at_least=1, at_most=100)


@dataclass(frozen=True)
class UpscaleSettings:
    """Every option that decides the pixels."""

    upscale: UpscaleOptions = field(default_factory=UpscaleOptions)
    picture: UpscalePictureOptions = field(default_factory=UpscalePictureOptions)

    @property
    def flat(self) -> dict[str, OptionValue]:
        """All of them in one dictionary."""
        return flat_values(self.upscale, self.picture)


def settings_from_flat(values: Mapping[str, OptionValue]) -> UpscaleSettings:
    """The inverse of `UpscaleSettings.flat`; options that `values` lacks keep their defaults.

    Raises:
        InputError: a name that is no option (a picture made by another version).
    """
    upscale, picture = split_flat(values, UpscaleOptions, UpscalePictureOptions)
    return UpscaleSettings(UpscaleOptions(**upscale), UpscalePictureOptions(**picture))


def check_factor(factor: int) -> None:
    """Refuse a factor that no network is for.

    Raises:
        InputError: says which there are.
    """
    if factor not in FACTORS:
        raise InputError(f"--factor is {factor}: give 4 or 8, which networks are for")


def check_upscale_options(options: UpscaleSettings) -> None:
    """Refuse numbers out of range.

    Raises:
        InputError: says which option, and what it may be.
    """
    check_bounds(options.upscale)
    check_bounds(options.picture)
    if options.upscale.factor != 0:
        check_factor(options.upscale.factor)
