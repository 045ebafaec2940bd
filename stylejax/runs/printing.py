"""Pictures to be printed: how many pixels a size of paper takes, and what a file says of it."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil
from jaxtyping import Float

from stylejax.errors import DoesNotFit, InputError
from stylejax.fields import option, unasked
from stylejax.images.scaling import cover_and_crop, fitted_size
from stylejax.images.write import BYTES_TO_WRITE, DotsPerInch, longest_side
from stylejax.options import check_bounds
from stylejax.sizes import SMALLEST_SIZE, SizeOptions
from stylejax.types import Alpha, OtherPixels, Pixels

_UNITS_AN_INCH = {"cm": 2.54, "mm": 25.4, "in": 1.0}
_SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)x(\d{1,6}(?:\.\d{1,6})?) ?(cm|mm|in)")
_MOST_PIXELS = 999_999
"""Along a side: as many as `output_size` can say."""
PictureOptionsOf = TypeVar("PictureOptionsOf", bound=SizeOptions)


@dataclass(frozen=True)
class PrintOptions:
    """The size of a print, and how fine it is."""

    print: str = option(
        "",
        "Width x height of a print, as 60x80cm, 400x600mm or 16x20in: the picture is scaled to "
        "cover it, and cropped; the file says the size.",
    )
    dpi: float = option(
        0.0,
        "Dots per inch of the print: they choose its pixels, and a --size given beside them is "
        "painted and enlarged. 0 leaves the pixels to --size.",
        at_least=0,
        at_most=4800,
    )
    is_enlarged: bool = unasked(False)
    """Whether a picture of another size is enlarged to the print's pixels."""

    def check(self) -> None:
        """Refuse what is no size, or one of too few or too many pixels.

        Raises:
            InputError: says what to give.
        """
        check_bounds(self)
        pixels = self.pixels
        if pixels is not None and not SMALLEST_SIZE <= min(pixels) <= max(pixels) <= _MOST_PIXELS:
            raise InputError(
                f"{self}: {pixels[1]} x {pixels[0]} pixels; {SMALLEST_SIZE} to {_MOST_PIXELS} "
                "along a side are possible: give another --dpi"
            )

    def __str__(self) -> str:
        """As on the command line."""
        given = [f"--print {self.print}"] if self.print else []
        return " ".join([*given, f"--dpi {self.dpi:g}"] if self.dpi else given)

    @property
    def inches(self) -> tuple[float, float] | None:
        """Height and width of the print; None where there is none.

        Raises:
            InputError: they are not two lengths with an x between and a unit behind.
        """
        if not self.print:
            return None
        match = _SIZE.fullmatch(self.print.strip().lower())
        if match is None or not min(float(match[1]), float(match[2])) > 0:
            raise InputError(
                f"--print {self.print}: give width x height with cm, mm or in behind, as 60x80cm"
            )
        unit = _UNITS_AN_INCH[match[3]]
        return float(match[2]) / unit, float(match[1]) / unit

    @property
    def pixels(self) -> tuple[int, int] | None:
        """Height and width of the print in pixels, where dots per inch choose them."""
        if self.inches is None or not self.dpi:
            return None
        height, width = self.inches
        return round(height * self.dpi), round(width * self.dpi)

    def painted_shape(self, longest: int, *, is_asked: bool) -> tuple[int, int] | None:
        """Height and width in pixels of what is to be painted; None where nothing is printed.

        Args:
            longest: the longer side where the print does not choose it.
            is_asked: whether it goes before what the print would choose.
        """
        if self.inches is None:
            return None
        if self.pixels is not None and not is_asked:
            return self.pixels
        shape = fitted_size(*self.inches, longest)
        if min(shape) < SMALLEST_SIZE:
            raise InputError(
                f"{self}: {shape[1]} x {shape[0]} pixels at --size {longest}; give a larger --size"
            )
        return shape

    def printed(
        self, image: Pixels, alpha: Alpha | None
    ) -> tuple[OtherPixels, Float[np.ndarray, "_ _"] | None, DotsPerInch | None]:
        """A painted picture and its transparency as they are printed, and the file's resolution."""
        asked = (self.dpi, self.dpi) if self.dpi else None
        if self.inches is None:
            return image, alpha, asked
        shape = self.pixels or self._inside(*image.shape[:2])
        if shape != image.shape[:2]:
            image = cover_and_crop(image, *shape)
            alpha = None if alpha is None else cover_and_crop(alpha, *shape)
        (height, width), (rows, columns) = self.inches, shape
        return image, alpha, asked or (columns / width, rows / height)

    def _inside(self, rows: int, columns: int) -> tuple[int, int]:
        """The largest shape in a picture that has the print's; its own, if but for rounding."""
        assert self.inches is not None
        height, width = self.inches
        if abs(rows * width - columns * height) <= max(height, width):
            return rows, columns
        scale = min(rows / height, columns / width)
        return max(1, round(height * scale)), max(1, round(width * scale))


def print_size(picture: PictureOptionsOf, paper: PrintOptions) -> PictureOptionsOf:
    """The options of a picture that is to be printed: of the size that is painted.

    Raises:
        InputError: the print has no size, or one of too few or too many pixels.
    """
    paper.check()
    if not paper.print or picture.output_size:
        return picture
    shape = paper.painted_shape(picture.size, is_asked=paper.is_enlarged)
    assert shape is not None
    return replace(picture, output_size=f"{shape[1]}x{shape[0]}")


def print_entry(paper: PrintOptions) -> dict[str, object]:
    """What a record has of a print; nothing where there is none."""
    if not (paper.print or paper.dpi):
        return {}
    return {"print": {"print": paper.print, "dpi": paper.dpi}}


def check_print_fits(paper: PrintOptions, output: Path) -> None:
    """Refuse a print that no memory or its format can hold.

    Raises:
        InputError: says what would fit.
    """
    pixels = paper.pixels
    if pixels is None:
        return
    assert paper.inches is not None
    height, width = pixels
    name, most = longest_side(output)
    if most < max(pixels):
        raise InputError(
            f"{paper}: {width} x {height} pixels, {name} has {most} at most along a side; write "
            ".png or .tiff"
        )
    needed, free = height * width * BYTES_TO_WRITE, psutil.virtual_memory().available
    if needed > free:
        fits = int(paper.dpi * (0.95 * free / needed) ** 0.5)
        raise InputError(
            f"{paper}: {width} x {height} pixels need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB "
            f"are free: --dpi {fits} would fit"
        )


@contextlib.contextmanager
def print_advice(paper: PrintOptions) -> Iterator[None]:
    """Say of a picture that memory does not hold what print would fit.

    Raises:
        InputError: as the body raises it, with that behind.
    """
    try:
        yield
    except DoesNotFit as error:
        if paper.pixels is None or paper.inches is None or error.longest < SMALLEST_SIZE:
            raise
        dots = error.longest / max(paper.inches)
        raise InputError(
            f"{paper}: {error} (enlarged to the print; or --dpi {int(dots)})"
        ) from error
