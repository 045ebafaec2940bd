"""What painting in learned styles is asked to do, as the command line parses it."""

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from stylejax.errors import InputError
from stylejax.feedforward.options import ApplySettings, check_apply_options
from stylejax.fields import option, positional, required, unasked
from stylejax.options import DeviceName, check_bounds
from stylejax.runs.picture_jobs import is_one_picture, list_pictures
from stylejax.runs.printing import PrintOptions, check_print_fits
from stylejax.runs.repeated import Expected


@dataclass(frozen=True)
class ApplyRequest:
    """What one run of painting in learned styles is asked to do."""

    photos: tuple[Path, ...] = positional(
        (), "The photographs to paint, or folders of photographs."
    )
    _: KW_ONLY
    output: Path = required(
        "The picture to write: .png, .jpg, .webp, .avif or .tiff; of several photographs, or of a "
        "folder, a folder."
    )
    options: ApplySettings = field(default_factory=ApplySettings)
    paper: PrintOptions = field(default_factory=PrintOptions)
    content_masks: tuple[Path, ...] = option(
        (),
        "Where each style goes: gray pictures of the photograph's shape, one for each style, white "
        "inside; where all are black, the photograph stays.",
    )
    strip_rows: int = option(
        0,
        "Rows of the picture that are worked on at a time: fewer take less memory; 0 for all of "
        "them, or for as many as memory holds.",
        at_least=0,
    )
    device: DeviceName | None = option(
        None, "Run on this kind of device and no other; JAX's choice unless given."
    )
    expected: Expected = unasked(())
    held: Path | None = unasked(None)

    @property
    def is_single(self) -> bool:
        """Whether one photograph is painted into one picture file."""
        return is_one_picture(self.photos, self.output)

    @property
    def jobs(self) -> list[tuple[Path, Path]]:
        """Each photograph with the picture to be made of it (`list_pictures`).

        Raises:
            InputError: as there.
        """
        beside = [*self.content_masks, *([] if self.held is None else [self.held])]
        return list_pictures(self.photos, self.output, self.options.picture.bits, beside)


def check_apply_request(request: ApplyRequest) -> None:
    """Refuse what can be told to be of no use without opening a file.

    Raises:
        InputError: names the option or the file.
    """
    if not request.photos:
        raise InputError("no photograph: name one, several, or a folder of them")
    check_apply_options(request.options)
    check_bounds(request)
    request.paper.check()
    check_print_fits(request.paper, request.output)
    masks, styles = request.content_masks, request.options.paint.style
    if masks and len(masks) != len(styles):
        raise InputError(
            f"--content-mask: {len(masks)} masks for {len(styles)} styles: give one for each"
        )
    if masks and request.options.paint.style_blend:
        raise InputError("--style-blend: with masks each style has its own place; leave one out")
    if masks and not request.is_single:
        raise InputError("--content-mask belongs to one picture: name it alone, and an output file")
