"""How a finished picture is written, by whatever method it was made."""

from pathlib import Path

from stylejax.feedforward.options import ApplyPictureOptions
from stylejax.images.write import write_picture
from stylejax.options import PictureOptions
from stylejax.runs.printing import PrintOptions
from stylejax.superresolution.options import UpscalePictureOptions
from stylejax.types import Alpha, Pixels
from stylejax.universal.options import UniversalPictureOptions

FileOptions = PictureOptions | UniversalPictureOptions | ApplyPictureOptions | UpscalePictureOptions
"""Options that say how a picture's file is encoded, among others."""


def write_result(
    path: Path,
    image: Pixels,
    alpha: Alpha | None,
    options: FileOptions,
    description: str,
    paper: PrintOptions | None = None,
) -> None:
    """Write a finished picture with its transparency; a print at its pixels and resolution.

    Raises:
        InputError: the file cannot be written.
    """
    pixels, opacity, resolution = (paper or PrintOptions()).printed(image, alpha)
    write_picture(
        path,
        pixels,
        opacity,
        bits=options.bits,
        quality=options.quality,
        description=description,
        dpi=resolution,
    )
