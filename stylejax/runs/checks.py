"""A request checked as far as can be told without JAX, and its picture files read, each once.

What can go wrong for the user is found out here, before anything takes long or is written.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stylejax.errors import InputError
from stylejax.images.files import check_distinct, check_not_inputs, check_writable
from stylejax.images.paths import is_folder, path_exists
from stylejax.images.read import PictureFile, read_picture_file, scaled_size
from stylejax.images.write import WRITE_FORMATS, check_output
from stylejax.networks.layers import canonical_layers
from stylejax.options import check_bounds, check_options
from stylejax.runs.checkpoint_paths import checkpoint_path
from stylejax.runs.printing import check_print_fits
from stylejax.runs.repeated import check_expected
from stylejax.runs.request import Request
from stylejax.transfer.plotting import check_plotting
from stylejax.transfer.pyramid import Level, pyramid_levels
from stylejax.weights.zoo import find_weights

Files = Mapping[Path, PictureFile]


MASK_TOLERANCE = 0.02
"""By how much the aspect of a mask may differ from its picture's."""


class CheckedInputs(NamedTuple):
    """A request and what it names: picture files, not yet decoded, height and width, levels."""

    request: Request
    files: Files
    size: tuple[int, int]
    levels: tuple[Level, ...]


def snapshot_path(output: Path, iteration: int) -> Path:
    """Where the picture after some iterations is saved: `out-0010.png` for `out.png`."""
    return output.with_name(f"{output.stem}-{iteration:04d}{output.suffix}")


def check_outputs(request: Request) -> None:
    """Refuse outputs that could not be written, or would be written over an input.

    Raises:
        InputError: names the file.
    """
    check_bounds(request)
    check_print_fits(request.paper, request.output)
    check_output(request.output, request.options.picture.bits)
    if request.plot is not None:
        check_plotting()
        if request.plot.suffix.lower() != ".png":
            raise InputError(f"--plot {request.plot}: is drawn as PNG; name it .png")
    outputs = [request.output, *(path for path in (request.history, request.plot) if path)]
    every, last = request.save_every, request.options.solve.iterations
    snapshots = range(every, last + 1, every) if every else ()
    written = [*outputs, *(snapshot_path(request.output, iteration) for iteration in snapshots)]
    written.append(checkpoint_path(request.output))
    for output in (*outputs, *written[-2:]):
        check_writable(output)
    check_distinct(written)
    there = [output for output in written if path_exists(output)]
    if there:
        check_not_inputs(there, request.inputs)


def fitted_sizes(request: Request, files: Files) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Height and width of the result and of each style picture."""
    options = request.options.picture
    longest = options.longest
    size = options.height_and_width or scaled_size(files[request.content], longest)
    of_styles = max(1, round(longest * options.style_scale))
    return size, [scaled_size(files[path], of_styles) for path in request.styles]


def check_masks_fit(
    content_masks: Sequence[Path],
    style_masks: Sequence[Path],
    content: PictureFile,
    styles: Sequence[PictureFile | None],
    files: Files,
) -> None:
    """A mask may have another size than its picture, but not another shape.

    Raises:
        InputError: names the mask and its picture; or there are masks of the styles alone.
    """
    pairs = [(mask, content) for mask in content_masks]
    pairs += [(mask, of) for mask, of in zip(style_masks, styles, strict=False) if of is not None]
    for path, picture in pairs:
        mask = files[path]
        if (
            abs(math.log(mask.width / mask.height * picture.height / picture.width))
            > MASK_TOLERANCE
        ):
            raise InputError(
                f"{path}: {mask.width} x {mask.height} pixels are of another shape than "
                f"{picture.path} ({picture.width} x {picture.height}); paint the mask over that "
                "picture"
            )
    if style_masks and not content_masks:
        raise InputError("--style-mask without --content-mask: say where the styles go")


def check_single(request: Request) -> None:
    """Refuse several photographs that a shell has written out, the first one taken for all.

    Raises:
        InputError: says how to name them.
    """
    output = request.output
    into_folder = output.suffix.lower() not in WRITE_FORMATS and not path_exists(output)
    if len(request.styles) > 1 and (into_folder or is_folder(output)):
        raise InputError(
            f"{output}: is no picture's name; to solve for several photographs name their folder, "
            "or put their pattern in quotes: 'photos/*.jpg'"
        )


def check_inputs(request: Request) -> CheckedInputs:
    """Check all that a request is given but for its outputs, and read its picture files.

    Raises:
        InputError: something cannot be used.
    """
    options = request.options
    check_options(options, len(request.styles))
    if options.loss.seamless and request.paper.print:
        raise InputError("--print: crops and enlarges what --seamless has made; leave one out")
    if request.network is None and find_weights(request.weights) is None:
        # Of other weights it is their file that says what layers there are.
        for layers in (options.loss.content_layers, options.loss.style_layers):
            canonical_layers(layers)
    files = {path: read_picture_file(path) for path in request.pictures}
    check_expected(request.expected, {path: file.sha256 for path, file in files.items()})
    content, styles = files[request.content], [files[path] for path in request.styles]
    check_masks_fit(request.content_masks, request.style_masks, content, styles, files)
    if request.keep is not None:
        check_masks_fit([request.keep], [], content, [], files)
    size, _ = fitted_sizes(request, files)
    return CheckedInputs(request, files, size, pyramid_levels(options, *size))


def check_request(request: Request) -> CheckedInputs:
    """Check a request for one picture, inputs and outputs, at the size that it is solved at.

    Raises:
        InputError: something in it cannot be used; nothing has been written then.
    """
    request = request.with_print_size
    check_outputs(request)
    return check_inputs(request)
