"""Sweeps of methods that take one pass: every combination of their options, in a folder.

The pictures, tables and the contact sheet are named and laid out as those of a solved sweep.
"""

import itertools
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Generic

from stylejax.errors import InputError
from stylejax.fields import OptionValue
from stylejax.images.files import replace_file
from stylejax.images.paths import make_folder, path_exists
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.runs._sweep_folder import CSV, JSON, SHEET, SHEET_SIDE, write_page
from stylejax.runs.metadata import Record, decisive, read_record
from stylejax.runs.request import SweepRequest
from stylejax.runs.sweep import SweepObserver, SweepSummary
from stylejax.sweep.combinations import (
    Axis,
    Combination,
    Combinations,
    OptionsOf,
    SweptOptions,
    combination_name,
)
from stylejax.sweep.tables import Row, results_csv, results_json, sweep_sheet
from stylejax.types import Alpha, Pixels


@dataclass(frozen=True)
class PassMethod(Generic[OptionsOf]):
    """How a method makes the pictures of its combinations.

    Attributes:
        table: names of the options that the tables show.
        flat: all options of a combination.
        record: of a combination's picture.
        picture: makes it, with its transparency.
        write: puts it into a file with its record.
    """

    table: tuple[str, ...]
    flat: Callable[[OptionsOf], dict[str, OptionValue]]
    record: Callable[[OptionsOf], Record]
    picture: Callable[[OptionsOf], tuple[Pixels, Alpha | None]]
    write: Callable[[Path, Pixels, Alpha | None, Record], None]


def check_sweep_method(request: SweepRequest) -> None:
    """Refuse what belongs to another method than the one that is asked for.

    Raises:
        InputError: names the option.
    """
    method = request.method
    given = {
        "alpha": (request.alpha != SweepRequest.alpha, "universal"),
        "style": (bool(request.style), "apply"),
        "strength": (request.strength != SweepRequest.strength, "apply"),
    }
    for name, (is_given, of) in given.items():
        if is_given and method != of:
            raise InputError(f"--{name} is of --method {of}: give that too, or leave it out")
    if method == "apply" and request.styles:
        raise InputError(
            f"{request.styles[0]}: --method apply takes no painting; name learned styles by --style"
        )
    if method != "apply" and not request.styles:
        raise InputError(f"{request.content}: no style beside it; name a painting")


def refuse_unused(
    options: SweptOptions, loss: Collection[str], picture: Collection[str], method: str
) -> None:
    """Refuse options of a solve that would be of no effect, all but those that are named.

    Raises:
        InputError: names one.
    """
    plain = SweptOptions()
    groups = ((options.loss, plain.loss, loss), (options.solve, plain.solve, ()))
    for given, default, known in (*groups, (options.picture, plain.picture, picture)):
        for each in fields(given):
            name = each.name
            if name not in known and getattr(given, name) != getattr(default, name):
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} does nothing with --method {method}: leave it out")


def all_combinations(
    axes: Sequence[Axis], make: Callable[..., OptionsOf]
) -> Combinations[OptionsOf]:
    """Every combination of the axes' values, which `make` takes by the names of the options."""
    lanes = []
    varying = [n for n, axis in enumerate(axes) if len(axis.values) > 1]
    for choice in itertools.product(*(range(len(axis.values)) for axis in axes)):
        chosen = {axis.option: axis.values[n] for axis, n in zip(axes, choice, strict=True)}
        labels = tuple(axes[n].labels[choice[n]] for n in varying)
        lanes.append(Combination(make(**chosen), labels))
    return Combinations(tuple(axes[n] for n in varying), tuple(lanes))


def _is_made(path: Path, record: Record) -> bool:
    try:
        return decisive(read_record(path)) == decisive(record)
    except InputError:
        return False


def _write_tables(request: SweepRequest, grid: Combinations, rows: Sequence[Row]) -> None:
    folder = request.output
    made = {str(row["picture"]) for row in rows}
    replace_file(folder / JSON, results_json(rows).encode())
    replace_file(folder / CSV, results_csv(rows).encode())
    names = [f"{combination_name(grid, lane)}.png" for lane in grid.lanes]
    pictures = [
        read_picture(folder / name, SHEET_SIDE).pixels if name in made else None for name in names
    ]
    write_picture(folder / SHEET, sweep_sheet(grid, pictures, SHEET_SIDE))
    write_page(folder, grid, rows, read_picture(request.content, SHEET_SIDE).pixels)


def paint_sweep(
    request: SweepRequest,
    grid: Combinations[OptionsOf],
    method: PassMethod[OptionsOf],
    observer: SweepObserver,
) -> SweepSummary:
    """Make the pictures of a grid that are not there yet, and the tables of all.

    Raises:
        InputError: a file cannot be written.
    """
    began, rows, kept, stopped = time.monotonic(), list[Row](), 0, False
    observer.grid(grid)
    for number, lane in enumerate(grid.lanes):
        stopped = observer.stop()
        if stopped:
            break
        path = request.output / f"{combination_name(grid, lane)}.png"
        observer.stage(f"painting {number + 1} of {len(grid.lanes)}")
        settings, record = method.flat(lane.options), method.record(lane.options)
        row: Row = {"picture": path.name, **{name: settings[name] for name in method.table}}
        if request.resume and path_exists(path) and _is_made(path, record):
            rows.append(row | {"seconds": None})
            kept += 1
            observer.finished(path.name)
            continue
        start = time.monotonic()
        picture = method.picture(lane.options)
        # Not before it is known that there is something to put in.
        make_folder(request.output)
        method.write(path, *picture, record)
        rows.append(row | {"seconds": round(time.monotonic() - start, 3)})
        observer.finished(path.name)
    make_folder(request.output)
    _write_tables(request, grid, rows)
    seconds = time.monotonic() - began
    return SweepSummary(request.output, tuple(rows), kept, 1, 0.0, seconds, (), stopped)
