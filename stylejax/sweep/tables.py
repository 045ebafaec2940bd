"""What a sweep has found: a row for each picture, as CSV and JSON, and all on one sheet."""

import csv
import io
from collections.abc import Mapping, Sequence

from stylejax.fields import OptionValue
from stylejax.images.contact_sheet import draw_contact_sheet
from stylejax.options import Options, flatten_options
from stylejax.strict_json import json_text
from stylejax.sweep.combinations import VARYING, Combinations
from stylejax.types import OtherPixels, Pixels

Row = dict[str, OptionValue | None]
"""A line of the tables, by column; None where a value is not known."""


def make_row(
    picture: str,
    options: Options,
    result: Mapping[str, int | float],
    timings: Mapping[str, OptionValue | None],
) -> Row:
    """A row of the results.

    Args:
        picture: the name of its file.
        options: what it was solved for.
        result: as it is stored in the picture.
        timings: seconds, and the lanes that were solved together; empty where not known.
    """
    settings = flatten_options(options)
    row = {"picture": picture, **{name: settings[name] for name in VARYING}, **result}
    return row | {name: timings.get(name) for name in ("seconds", "seconds_compile", "lanes")}


def results_json(rows: Sequence[Row]) -> str:
    """The rows as a JSON list of objects, one line each."""
    return "[\n" + ",\n".join(json_text(row) for row in rows) + "\n]\n"


def results_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV: lists are written with spaces, and nothing where a value is not known."""
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        flat = {
            name: " ".join(map(str, value)) if isinstance(value, list) else value
            for name, value in row.items()
        }
        writer.writerow(flat)
    return text.getvalue()


def grid_labels(grid: Combinations) -> tuple[list[str], list[str]]:
    """What stands beside the rows of a table of all combinations, and above its columns."""
    *down, across = grid.axes or (None,)
    above = ["picture"]
    if across is not None:
        above = [f"{across.name} {label}" for label in across.labels]
    beside = []
    for lane in grid.lanes[:: grid.shape[1]]:
        parts = [f"{a.name} {v}" for a, v in zip(down, lane.labels, strict=False) if a]
        beside.append(", ".join(parts) or "sweep")
    return beside, above


def sweep_sheet(grid: Combinations, pictures: Sequence[OtherPixels | None], longest: int) -> Pixels:
    """All pictures of a sweep with the values that made them.

    Args:
        grid: the sweep's.
        pictures: one for each of its combinations, None where there is none yet.
        longest: pixels of the longer side of a picture on the sheet, at most.
    """
    rows, columns = grid.shape
    table = [list(pictures[row * columns : (row + 1) * columns]) for row in range(rows)]
    return draw_contact_sheet(table, *grid_labels(grid), longest=longest)
