"""What enlarging pictures is asked to do, as far as it can be checked without opening a file."""

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from stylejax.errors import InputError
from stylejax.fields import option, positional, required, unasked
from stylejax.options import DeviceName, check_bounds
from stylejax.runs.picture_jobs import is_one_picture
from stylejax.runs.repeated import Expected
from stylejax.superresolution.options import UpscaleSettings, check_upscale_options

_SMALLEST_TILE = 16


@dataclass(frozen=True)
class UpscaleRequest:
    """What one run of enlarging pictures is asked to do."""

    photos: tuple[Path, ...] = positional((), "The pictures to enlarge, or folders of pictures.")
    _: KW_ONLY
    output: Path = required(
        "The picture to write: .png, .jpg, .webp, .avif or .tiff; of several pictures, or of a "
        "folder, a folder."
    )
    options: UpscaleSettings = field(default_factory=UpscaleSettings)
    weights: Path | None = option(
        None, "Weight file that `stylejax train upscale` wrote; the bundled ones unless given."
    )
    tile: int = option(
        0,
        "Side in pixels of the squares of the small picture that are worked on at a time; 0 "
        "chooses.",
        at_least=0,
    )
    device: DeviceName | None = option(
        None, "Run on this kind of device and no other; JAX's choice unless given."
    )
    expected: Expected = unasked(())

    @property
    def is_single(self) -> bool:
        """Whether one picture is enlarged into one picture file."""
        return is_one_picture(self.photos, self.output)

    def check(self) -> None:
        """Refuse what can be told to be of no use without opening a file.

        Raises:
            InputError: names the option.
        """
        if not self.photos:
            raise InputError("no picture: name one, several, or a folder of them")
        check_upscale_options(self.options)
        check_bounds(self)
        if 0 < self.tile < _SMALLEST_TILE:
            raise InputError(f"--tile is {self.tile}: give {_SMALLEST_TILE} or more, or 0")
