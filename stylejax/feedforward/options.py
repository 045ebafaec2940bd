"""The options of painting a photograph in learned styles, as frozen dataclasses. No JAX here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stylejax.errors import InputError
from stylejax.fields import OptionValue, flat_values, option, split_flat
from stylejax.options import check_bounds, check_shares
from stylejax.sizes import PreserveColor

HoldStatistics = Literal["none", "first"]


@dataclass(frozen=True)
class ApplyOptions:
    """Which styles, and how much of them."""

    style: tuple[str, ...] = option(
        (),
        "The style, or several separated by commas: names that `stylejax styles` lists, weight "
        "files that `stylejax train style` wrote, or FILE:NAME where such a file has several.",
    )
    style_blend: tuple[float, ...] = option(
        (),
        "Relative weights of several styles, such as 3,1; all alike unless given.",
        at_least=0,
    )
    strength: float = option(
        1.0, "How far to go from the photograph, 0, to the style, 1.", at_least=0, at_most=1
    )


@dataclass(frozen=True)
class ApplyPictureOptions:
    """Size and colors of the result, and how it is written."""

    size: int = option(
        0, "Longest side of the result in pixels; 0 for the photograph's own.", at_least=0
    )
    preserve_color: PreserveColor = option(
        "none",
        "Keep the photograph's colors: `luminance` takes lightness alone from the painted picture, "
        "`match` gives it mean and covariance of the photograph's colors.",
    )
    hold_statistics: HoldStatistics = option(
        "none",
        "`first` normalizes all pictures by the statistics of the first one, so that frames of a "
        "film do not flicker.",
    )
    bits: Literal[8, 16] = option(8, "Bits of each channel in the file; 16 for PNG and TIFF.")
    quality: int = option(95, "Quality of JPEG, WebP and AVIF files.", at_least=1, at_most=100)


@dataclass(frozen=True)
class ApplySettings:
    """Every option that decides the pixels."""

    paint: ApplyOptions = field(default_factory=ApplyOptions)
    picture: ApplyPictureOptions = field(default_factory=ApplyPictureOptions)

    @property
    def flat(self) -> dict[str, OptionValue]:
        """All of them in one dictionary, tuples as lists (as in JSON)."""
        return flat_values(self.paint, self.picture)


def settings_from_flat(values: Mapping[str, object]) -> ApplySettings:
    """The inverse of `ApplySettings.flat`; options that `values` lacks keep their defaults.

    Raises:
        InputError: a name that is no option (a picture made by another version).
    """
    paint, picture = split_flat(values, ApplyOptions, ApplyPictureOptions)
    return ApplySettings(ApplyOptions(**paint), ApplyPictureOptions(**picture))


def check_apply_options(options: ApplySettings) -> None:
    """Refuse numbers out of range, and styles that are none, or named twice.

    Raises:
        InputError: says which option, and what it may be.
    """
    check_bounds(options.paint)
    check_bounds(options.picture)
    styles = options.paint.style
    if not styles:
        raise InputError("no --style: name one of those that `stylejax styles` lists")
    twice = [name for name in styles if styles.count(name) > 1]
    if twice:
        raise InputError(f"--style {twice[0]} is named twice: name it once, and weigh it more")
    check_shares("style_blend", options.paint.style_blend, len(styles), "styles")
