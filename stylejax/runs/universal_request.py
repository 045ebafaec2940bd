"""What universal style transfer is asked to do, as the command line parses it."""

from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path

from stylejax.errors import InputError
from stylejax.fields import option, positional, required, unasked
from stylejax.images.files import check_distinct, check_not_inputs, check_writable
from stylejax.images.paths import is_folder, path_exists
from stylejax.images.write import check_output
from stylejax.options import DeviceName, check_bounds
from stylejax.runs.picture_jobs import is_several, pictures_in
from stylejax.runs.printing import PrintOptions, check_print_fits, print_size
from stylejax.runs.repeated import Expected
from stylejax.universal.options import UniversalSettings, blend_weights, check_universal_options

STYLE_SUFFIX = ".safetensors"
"""Of files that `--save-style` wrote: any other style is a picture."""


@dataclass(frozen=True)
class UniversalRequest:
    """What one run of universal style transfer is asked to do."""

    content: Path | None = positional(
        None, "The picture whose content is kept, or a folder of such pictures."
    )
    styles: tuple[Path, ...] = positional(
        (),
        "The picture whose style is taken, or several; a file of --save-style serves as well.",
    )
    _: KW_ONLY
    output: Path = required(
        "The picture to write: .png, .jpg, .webp, .avif or .tiff; of a folder of pictures, a "
        "folder."
    )
    texture: tuple[Path, ...] = option(
        (), "Make a texture from noise with the style of these pictures; no content is given then."
    )
    content_masks: tuple[Path, ...] = option(
        (),
        "Where each style goes: gray pictures of the content's shape, one for each style, white "
        "inside; where all are black, the content stays as it is.",
    )
    style_masks: tuple[Path, ...] = option(
        (), "Which part of each style picture is taken, likewise; the whole picture unless given."
    )
    options: UniversalSettings = field(default_factory=UniversalSettings)
    paper: PrintOptions = field(default_factory=PrintOptions)
    save_style: Path | None = option(
        None, "Keep the statistics of the style picture in this .safetensors file."
    )
    decoders: Path | None = option(
        None, "Weight file of the decoders; the bundled one unless given."
    )
    weights: Path | None = option(
        None,
        "Weight file of the encoder; else the environment variable STYLEJAX_WEIGHTS, else the "
        "bundled one. The decoders must have been trained on it.",
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

    @property
    def with_print_size(self) -> "UniversalRequest":
        """The same with the size that is painted, where the picture is to be printed.

        Raises:
            InputError: the print has none that is possible.
        """
        picture = print_size(self.options.picture, self.paper)
        return replace(self, options=replace(self.options, picture=picture))

    @property
    def painted(self) -> tuple[Path, ...]:
        """The styles, by whichever way they are given."""
        return self.texture or self.styles

    @property
    def is_folder(self) -> bool:
        """Whether a folder of pictures, or a pattern's, is to be painted."""
        return self.content is not None and is_several(self.content)


def check_universal_request(request: UniversalRequest) -> None:
    """Refuse what can be told to be of no use without opening a file.

    Raises:
        InputError: names the option or the file.
    """
    check_universal_options(request.options.transfer)
    check_bounds(request.options.picture)
    check_bounds(request)
    check_print_fits(request.paper, request.output)
    if request.texture and (request.content is not None or request.styles):
        raise InputError(
            f"--texture makes its picture from noise: leave {request.content} out, or leave out "
            "--texture"
        )
    if request.content is None and not request.texture:
        raise InputError("no content: name a photograph and a painting, or --texture PAINTING")
    if not request.painted:
        raise InputError(
            f"{request.content}: no style beside it; name a painting, or a file of --save-style"
        )
    blend_weights(request.options.transfer, len(request.painted))
    if request.texture and (request.content_masks or request.style_masks):
        raise InputError("--texture has no regions: leave the masks out")
    if request.texture and request.options.picture.preserve_color != "none":
        raise InputError("--texture has no colors to keep: leave --preserve-color out")
    if request.is_folder and request.content_masks:
        raise InputError("--content-mask belongs to one picture: name it in place of its folder")
    _check_kept_styles(request)


def _check_kept_styles(request: UniversalRequest) -> None:
    """What only pictures can do is refused for statistics that were kept."""
    kept = [path for path in request.painted if path.suffix == STYLE_SUFFIX]
    if request.save_style is not None:
        if len(request.painted) > 1 or kept:
            raise InputError("--save-style keeps one painting: name a single style picture")
        check_writable(request.save_style)
        if request.save_style.suffix != STYLE_SUFFIX:
            raise InputError(f"--save-style {request.save_style}: name it {STYLE_SUFFIX}")
    if kept and request.style_masks:
        raise InputError(f"{kept[0]}: kept statistics have no regions; name the painting itself")
    if kept and request.options.picture.preserve_color != "none":
        raise InputError(
            f"{kept[0]}: kept statistics have the painting's colors; name the painting itself, or "
            "leave --preserve-color out"
        )


def list_jobs(request: UniversalRequest) -> list[tuple[Path | None, Path]]:
    """Each photograph (None for a texture) with the picture to be made of it.

    Raises:
        InputError: the folder holds no picture, two of its pictures would be written to one file,
            an output cannot be written or is an input.
    """
    if not request.is_folder:
        check_output(request.output, request.options.picture.bits)
        jobs: list[tuple[Path | None, Path]] = [(request.content, request.output)]
    else:
        assert request.content is not None
        found = pictures_in(request.content)
        jobs = [(path, request.output / f"{path.stem}.png") for path in found]
        _check_folder(request.output, found)
    inputs = (*(path for path, _ in jobs if path), *request.painted)
    inputs += (*request.content_masks, *request.style_masks)
    outputs = [output for _, output in jobs]
    outputs += [] if request.save_style is None else [request.save_style]
    check_not_inputs(outputs, inputs)
    check_distinct(outputs)
    return jobs


def _check_folder(folder: Path, found: list[Path]) -> None:
    stems: dict[str, Path] = {}
    for path in found:
        other = stems.setdefault(path.stem, path)
        if other != path:
            raise InputError(f"{path} and {other.name} would both be {path.stem}.png; rename one")
    if path_exists(folder) and not is_folder(folder):
        raise InputError(f"{folder}: is a file; name a folder for the pictures")
    if not is_folder(folder):
        check_writable(folder)
