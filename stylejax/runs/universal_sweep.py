"""A sweep of universal style transfer: every combination of alphas and styles, in a folder.

The pictures, tables and the contact sheet are named and laid out as those of a solved sweep.
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import jax

from stylejax.errors import InputError
from stylejax.images.files import replace_file
from stylejax.images.read import read_picture, read_picture_file
from stylejax.images.write import write_picture
from stylejax.options import check_bounds
from stylejax.runs._sweep_folder import CSV, JSON, SHEET, SHEET_SIDE, check_sweep_folder
from stylejax.runs._universal_files import prepare_universal, universal_record, write_universal
from stylejax.runs.metadata import read_record
from stylejax.runs.request import SweepRequest
from stylejax.runs.sweep import SweepObserver, SweepSummary
from stylejax.runs.universal import UniversalPainter
from stylejax.runs.universal_request import UniversalRequest, check_universal_request
from stylejax.sweep.combinations import (
    Axis,
    Combination,
    Combinations,
    SweptOptions,
    combination_name,
    option_axis,
    style_axis,
)
from stylejax.sweep.tables import Row, results_csv, results_json, sweep_sheet
from stylejax.universal.options import (
    UniversalOptions,
    UniversalPictureOptions,
    UniversalSettings,
)

_TABLE = ("alpha", "style_blend")


def _refuse_solving(options: SweptOptions) -> None:
    """Refuse options of a solve, which would be of no effect.

    Raises:
        InputError: names one.
    """
    plain = SweptOptions()
    kept = [each.name for each in fields(UniversalPictureOptions) if each.name != "seed"]
    groups = ((options.loss, plain.loss, ["style_blend"]), (options.solve, plain.solve, []))
    for given, default, known in (*groups, (options.picture, plain.picture, kept)):
        for each in fields(given):
            name = each.name
            if name not in known and getattr(given, name) != getattr(default, name):
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} does nothing with --method universal: leave it out")


def _combinations(request: SweepRequest) -> Combinations[UniversalSettings]:
    """Every combination of alphas and blends; each style picture alone where no blend is given.

    Raises:
        InputError: an option has no value, or one twice.
    """
    _refuse_solving(request.options)
    picture = request.options.picture
    kept = [each.name for each in fields(UniversalPictureOptions) if each.name != "seed"]
    base = UniversalPictureOptions(**{name: getattr(picture, name) for name in kept})
    blends = request.options.loss.style_blend
    axes: list[Axis] = [option_axis("style_blend", blends), option_axis("alpha", request.alpha)]
    if len(request.styles) > 1 and blends == ((),) and not request.content_masks:
        axes[0] = style_axis([path.stem for path in request.styles])
    lanes = []
    varying = [n for n, axis in enumerate(axes) if len(axis.values) > 1]
    for choice in itertools.product(*(range(len(axis.values)) for axis in axes)):
        chosen: dict[str, Any] = {
            axis.option: axis.values[n] for axis, n in zip(axes, choice, strict=True)
        }
        labels = tuple(axes[n].labels[choice[n]] for n in varying)
        lanes.append(Combination(UniversalSettings(UniversalOptions(**chosen), base), labels))
    return Combinations(tuple(axes[n] for n in varying), tuple(lanes))


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
    )


def _row(path: Path, options: UniversalSettings, seconds: float | None) -> Row:
    settings = options.flat
    return {"picture": path.name, **{name: settings[name] for name in _TABLE}, "seconds": seconds}


def _paint(
    request: SweepRequest,
    grid: Combinations[UniversalSettings],
    painter: UniversalPainter,
    observer: SweepObserver,
) -> tuple[list[Row], int, bool]:
    """Make the pictures that are not there yet: the rows, how many were there, whether stopped."""
    file, rows, kept = read_picture_file(request.content), list[Row](), 0
    for number, lane in enumerate(grid.lanes):
        if observer.stop():
            return rows, kept, True
        path = request.output / f"{combination_name(grid, lane)}.png"
        observer.stage(f"painting {number + 1} of {len(grid.lanes)}")
        painter.prepared = painter.prepared._replace(request=_request(request, lane.options))
        record = universal_record(painter.prepared, file)
        if request.resume and path.exists() and _is_made(path, record):
            rows.append(_row(path, lane.options, None))
            kept += 1
            continue
        began = time.monotonic()
        image, alpha = painter.picture(file)
        write_universal(painter.prepared, path, image, alpha, record)
        rows.append(_row(path, lane.options, round(time.monotonic() - began, 3)))
    return rows, kept, False


def _is_made(path: Path, record: dict[str, Any]) -> bool:
    try:
        return read_record(path) == record
    except InputError:
        return False


def _write_tables(
    request: SweepRequest, grid: Combinations[UniversalSettings], rows: Sequence[Row]
) -> None:
    made = {str(row["picture"]) for row in rows}
    replace_file(request.output / JSON, results_json(rows).encode())
    replace_file(request.output / CSV, results_csv(rows).encode())
    names = [f"{combination_name(grid, lane)}.png" for lane in grid.lanes]
    pictures = [
        read_picture(request.output / name, SHEET_SIDE).pixels if name in made else None
        for name in names
    ]
    write_picture(request.output / SHEET, sweep_sheet(grid, pictures, SHEET_SIDE))


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
    prepared = prepare_universal(_request(request, grid.lanes[0].options))
    began = time.monotonic()
    with jax.default_device(prepared.device):
        request.output.mkdir(exist_ok=True)
        rows, kept, stopped = _paint(request, grid, UniversalPainter(prepared), observer)
        _write_tables(request, grid, rows)
    seconds = time.monotonic() - began
    return SweepSummary(request.output, tuple(rows), kept, 1, 0.0, seconds, (), stopped)
