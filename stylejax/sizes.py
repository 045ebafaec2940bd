"""How large a picture is to be, as options: default, meaning and range of each. No JAX here."""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from stylejax.errors import InputError
from stylejax.fields import option

# In pixels: four positions of the feature maps of stride 8, where content is compared.
SMALLEST_SIZE = 32

PreserveColor = Literal["none", "luminance", "match", "histogram"]


class KeptColor(NamedTuple):
    """How much of the photograph's colors is taken back, 0 to 1, and in which way."""

    mode: PreserveColor = "none"
    strength: float = 1.0


@dataclass(frozen=True)
class SizeOptions:
    """Size and colors of a result, by whatever method it is made."""

    size: int = option(
        512,
        "Longest side of the result in pixels; style pictures are scaled to it as well.",
        at_least=SMALLEST_SIZE,
    )
    output_size: str = option(
        "",
        "Width x height of the result in place of --size, as 640x480: the content picture is "
        "scaled to cover it, and cropped.",
    )
    style_scale: float = option(
        1.0,
        "Size of the strokes: that of the style pictures over that of the result.",
        above=0,
    )
    preserve_color: PreserveColor = option(
        "none",
        "Keep the content picture's colors: `luminance` takes the style in gray and leaves hue and "
        "saturation as they are; `match` first gives the style pictures mean and covariance of the "
        "content's colors, `histogram` all of their distribution.",
    )
    color_strength: float = option(
        1.0,
        "How much of these colors is kept with --preserve-color: 0 for the style's own, 1 for the "
        "content's.",
        at_least=0,
        at_most=1,
    )

    @property
    def kept_color(self) -> KeptColor:
        """Which colors are kept, and how much of them."""
        return KeptColor(self.preserve_color, self.color_strength)

    @property
    def height_and_width(self) -> tuple[int, int] | None:
        """The result's, where `output_size` gives them; None where it is empty.

        Raises:
            InputError: it is not two whole numbers with an x between, or they are too small.
        """
        if not self.output_size:
            return None
        match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", self.output_size)
        if match is None or min(int(match[1]), int(match[2])) < SMALLEST_SIZE:
            raise InputError(
                f"--output-size {self.output_size}: give width x height as 640x480, "
                f"{SMALLEST_SIZE} or more"
            )
        return int(match[2]), int(match[1])

    @property
    def longest(self) -> int:
        """The longest side of the result, in pixels.

        Raises:
            InputError: as in `height_and_width`.
        """
        shape = self.height_and_width
        return self.size if shape is None else max(shape)
