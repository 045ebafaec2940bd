"""What painting in learned styles is asked to do, as the command line parses it."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from stylejax.errors import InputError
from stylejax.feedforward.options import ApplySettings, check_apply_options
from stylejax.fields import option, positional, required, unasked
from stylejax.images.files import check_not_inputs, check_writable
from stylejax.images.paths import is_folder, list_folder, path_exists
from stylejax.images.read import READ_SUFFIXES
from stylejax.images.write import WRITE_FORMATS, check_output
from stylejax.options import DeviceName, check_bounds
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
        return (
            len(self.photos) == 1 and not is_folder(self.photos[0]) and not is_folder(self.output)
        )


def check_apply_request(request: ApplyRequest) -> None:
    """Refuse what can be told to be of no use without opening a file.

    Raises:
        InputError: names the option or the file.
    """
    if not request.photos:
        raise InputError("no photograph: name one, several, or a folder of them")
    check_apply_options(request.options)
    check_bounds(request)
    masks, styles = request.content_masks, request.options.paint.style
    if masks and len(masks) != len(styles):
        raise InputError(
            f"--content-mask: {len(masks)} masks for {len(styles)} styles: give one for each"
        )
    if masks and request.options.paint.style_blend:
        raise InputError("--style-blend: with masks each style has its own place; leave one out")
    if masks and not request.is_single:
        raise InputError("--content-mask belongs to one picture: name it alone, and an output file")


def _photographs(request: ApplyRequest) -> Iterator[Path]:
    for place in request.photos:
        if not path_exists(place):
            raise InputError(f"{place}: no such file; name a photograph or a folder of them")
        if not is_folder(place):
            yield place
            continue
        found = [path for path in list_folder(place) if path.suffix.lower() in READ_SUFFIXES]
        if not found:
            raise InputError(f"{place}: holds no picture; name another folder")
        yield from found


def list_pictures(request: ApplyRequest) -> list[tuple[Path, Path]]:
    """Each photograph with the picture to be made of it.

    Raises:
        InputError: a folder holds no picture, two photographs would be written to one file, an
            output cannot be written or is an input, or several are to go into one file.
    """
    bits = request.options.picture.bits
    if request.is_single:
        check_output(request.output, bits)
        jobs = [(request.photos[0], request.output)]
    else:
        _check_folder(request.output)
        found = list(_photographs(request))
        jobs = [(path, request.output / f"{path.stem}.png") for path in found]
        stems: dict[str, Path] = {}
        for path in found:
            other = stems.setdefault(path.stem, path)
            if other is not path:
                raise InputError(f"{path} and {other} would both be {path.stem}.png; rename one")
    inputs = [*(path for path, _ in jobs), *request.content_masks]
    inputs += [] if request.held is None else [request.held]
    check_not_inputs((output for _, output in jobs), inputs)
    return jobs


def _check_folder(folder: Path) -> None:
    if is_folder(folder):
        return
    if path_exists(folder) or folder.suffix.lower() in WRITE_FORMATS:
        raise InputError(f"{folder}: is a file's name; several photographs need a folder")
    check_writable(folder)
