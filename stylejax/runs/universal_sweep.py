"""A sweep of universal style transfer: every combination of alphas and styles, in a folder."""

from dataclasses import fields
from pathlib import Path

import jax

from stylejax.devices.memory import memory_guard
from stylejax.images.read import read_picture_file
from stylejax.options import check_bounds
from stylejax.runs._sweep_folder import check_sweep_folder
from stylejax.runs._universal_files import prepare_universal, universal_record
from stylejax.runs.metadata import Record
from stylejax.runs.one_pass import write_with_record
from stylejax.runs.pass_sweep import PassMethod, all_combinations, paint_sweep, refuse_unused
from stylejax.runs.repeated import check_expected
from stylejax.runs.request import SweepRequest
from stylejax.runs.sweep import SweepObserver, SweepSummary
from stylejax.runs.universal import UniversalPainter
from stylejax.runs.universal_request import UniversalRequest, check_universal_request
from stylejax.sweep.combinations import Axis, Combinations, option_axis, style_axis
from stylejax.types import Alpha, Pixels
from stylejax.universal.options import (
    UniversalOptions,
    UniversalPictureOptions,
    UniversalSettings,
)


def _combinations(request: SweepRequest) -> Combinations[UniversalSettings]:
    """Every combination of alphas and blends; each style picture alone where no blend is given.

    Raises:
        InputError: an option has no value, or one twice.
    """
    kept = [each.name for each in fields(UniversalPictureOptions) if each.name != "seed"]
    refuse_unused(request.options, ("style_blend",), kept, "universal")
    picture = request.options.picture
    base = UniversalPictureOptions(**{name: getattr(picture, name) for name in kept})
    blends = request.options.loss.style_blend
    axes: list[Axis] = [option_axis("style_blend", blends), option_axis("alpha", request.alpha)]
    if len(request.styles) > 1 and blends == ((),) and not request.content_masks:
        axes[0] = style_axis([path.stem for path in request.styles])

    def make(style_blend: tuple[float, ...], alpha: float) -> UniversalSettings:
        return UniversalSettings(UniversalOptions(alpha=alpha, style_blend=style_blend), base)

    return all_combinations(axes, make)


def _request(request: SweepRequest, options: UniversalSettings) -> UniversalRequest:
    return UniversalRequest(
        request.content,
        request.styles,
        output=request.output,
        content_masks=request.content_masks,
        style_masks=request.style_masks,
        options=options,
        weights=request.weights,
        device=request.device,
        expected=request.expected,
    )


def run_universal_sweep(
    request: SweepRequest, observer: SweepObserver | None = None
) -> SweepSummary:
    """Make every picture of a grid by universal style transfer, with a sheet and tables.

    Raises:
        InputError: something in the request cannot be used; nothing has been written then.
    """
    observer = SweepObserver() if observer is None else observer
    observer.stage("preparing")
    check_bounds(request)
    grid = _combinations(request)
    for lane in grid.lanes:
        check_universal_request(_request(request, lane.options))
    inputs = (request.content, *request.styles, *request.content_masks, *request.style_masks)
    check_sweep_folder(request.output, inputs)
    painter = UniversalPainter(prepare_universal(_request(request, grid.lanes[0].options)))
    file = read_picture_file(request.content)
    check_expected(request.expected, {file.path: file.sha256})

    def record(options: UniversalSettings) -> Record:
        painter.prepared = painter.prepared._replace(request=_request(request, options))
        return universal_record(painter.prepared, file)

    def picture(options: UniversalSettings) -> tuple[Pixels, Alpha | None]:
        painter.prepared = painter.prepared._replace(request=_request(request, options))
        return painter.picture(file)

    def write(path: Path, image: Pixels, alpha: Alpha | None, of: Record) -> None:
        picture_options = painter.prepared.request.options.picture
        write_with_record(path, image, alpha, picture_options, of)

    method = PassMethod(
        ("alpha", "style_blend"), lambda options: options.flat, record, picture, write
    )
    device, longest = painter.prepared.device, request.options.picture.size
    with memory_guard(longest, device), jax.default_device(device):
        return paint_sweep(request, grid, method, observer)
