"""A sweep of learned styles: every combination of strengths and styles, in a folder."""

from dataclasses import fields
from pathlib import Path

import jax

from stylejax.devices.memory import memory_guard
from stylejax.errors import InputError
from stylejax.feedforward.options import ApplyOptions, ApplyPictureOptions, ApplySettings
from stylejax.images.read import read_picture_file
from stylejax.options import PictureOptions, check_bounds
from stylejax.runs._sweep_folder import check_sweep_folder
from stylejax.runs.apply import StylePainter
from stylejax.runs.apply_request import ApplyRequest, check_apply_request
from stylejax.runs.metadata import Record
from stylejax.runs.one_pass import write_with_record
from stylejax.runs.pass_sweep import PassMethod, all_combinations, paint_sweep, refuse_unused
from stylejax.runs.repeated import check_expected
from stylejax.runs.request import SweepRequest
from stylejax.runs.sweep import SweepObserver, SweepSummary
from stylejax.sweep.combinations import Axis, Combinations, option_axis, style_axis
from stylejax.types import Alpha, Pixels


def _combinations(request: SweepRequest) -> Combinations[ApplySettings]:
    """Every combination of strengths and blends; each style alone where no blend is given.

    Raises:
        InputError: an option has no value, or one twice, or is of no use.
    """
    theirs = {each.name for each in fields(PictureOptions)}
    kept = [each.name for each in fields(ApplyPictureOptions) if each.name in theirs]
    refuse_unused(request.options, ("style_blend",), kept, "apply")
    unused = {
        "--style-mask": request.style_masks,
        "--weights": request.weights,
        "--network": request.network,
        "--devices": request.devices,
    }
    for flag, value in unused.items():
        if value:
            raise InputError(f"{flag} does nothing with --method apply: leave it out")
    picture = {name: getattr(request.options.picture, name) for name in kept}
    if request.options.picture.size == PictureOptions.size:
        # Unless another is asked for the photograph keeps its own size, as `apply` has it.
        picture["size"] = ApplyPictureOptions.size
    base = ApplyPictureOptions(**picture)
    blends = request.options.loss.style_blend
    axes: list[Axis] = [
        option_axis("style_blend", blends),
        option_axis("strength", request.strength),
    ]
    if len(request.style) > 1 and blends == ((),) and not request.content_masks:
        axes[0] = style_axis([style.rpartition(":")[2] for style in request.style])

    def make(style_blend: tuple[float, ...], strength: float) -> ApplySettings:
        return ApplySettings(ApplyOptions(request.style, style_blend, strength), base)

    return all_combinations(axes, make)


def _request(request: SweepRequest, options: ApplySettings) -> ApplyRequest:
    return ApplyRequest(
        (request.content,),
        output=request.output / "picture.png",
        content_masks=request.content_masks,
        options=options,
        device=request.device,
        expected=request.expected,
    )


def run_apply_sweep(request: SweepRequest, observer: SweepObserver | None = None) -> SweepSummary:
    """Make every picture of a grid in learned styles, with a sheet and tables.

    Raises:
        InputError: something in the request cannot be used; nothing has been written then.
    """
    observer = SweepObserver() if observer is None else observer
    observer.stage("preparing")
    check_bounds(request)
    grid = _combinations(request)
    for lane in grid.lanes:
        check_apply_request(_request(request, lane.options))
    check_sweep_folder(request.output, (request.content, *request.content_masks))
    painter = StylePainter(_request(request, grid.lanes[0].options))
    file = read_picture_file(request.content)
    check_expected(request.expected, {file.path: file.sha256})

    def record(options: ApplySettings) -> Record:
        painter.request = _request(request, options)
        return painter.record(file)

    def picture(options: ApplySettings) -> tuple[Pixels, Alpha | None]:
        painter.request = _request(request, options)
        return painter.picture(file)

    def write(path: Path, image: Pixels, alpha: Alpha | None, of: Record) -> None:
        write_with_record(path, image, alpha, painter.request.options.picture, of)

    method = PassMethod(
        ("strength", "style", "style_blend"), lambda options: options.flat, record, picture, write
    )
    longest = request.options.picture.size or max(file.height, file.width)
    with memory_guard(longest, painter.device), jax.default_device(painter.device):
        return paint_sweep(request, grid, method, observer)
