"""A sweep as one file that any browser opens: thumbnails, numbers and what sorts them are in it."""

import base64
import json
import math
from collections.abc import Mapping
from importlib.resources import files

from stylejax.images.encoding import encode_jpeg
from stylejax.sweep.combinations import Combinations, combination_name
from stylejax.sweep.tables import Row, grid_labels
from stylejax.types import OtherPixels

_LARGE, _SMALL, _FEW = 384, 160, 64
_EMPTY = '<script type="application/json" id="sweep">{}</script>'


def _inline(pixels: OtherPixels) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(encode_jpeg(pixels)).decode()}"


def _finite(row: Row) -> Row:
    """A row as JSON knows it: without numbers that are not finite."""
    is_odd = lambda value: isinstance(value, float) and not math.isfinite(value)
    return {name: None if is_odd(value) else value for name, value in row.items()}


def page_side(pictures: int) -> int:
    """Pixels of the longer side of each of so many pictures, so that the file stays small."""
    return _LARGE if pictures <= _FEW else _SMALL


def sweep_page(
    grid: Combinations,
    rows: Mapping[str, Row],
    pictures: Mapping[str, OtherPixels],
    content: OtherPixels,
) -> str:
    """The HTML of a sweep: a table, lists sorted by a column, and a slider to the photograph.

    Args:
        grid: the sweep's.
        rows: of the tables, by the name of the combination; those that there are.
        pictures: likewise, at the size that they are shown at.
        content: the photograph, likewise.
    """
    names = [combination_name(grid, lane) for lane in grid.lanes]
    row_labels, column_labels = grid_labels(grid)
    cells = [
        {
            "name": name,
            "row": _finite(rows[name]) if name in rows else None,
            "picture": _inline(pictures[name]) if name in rows and name in pictures else None,
        }
        for name in names
    ]
    sweep = {
        "columns": grid.shape[1],
        "row_labels": row_labels,
        "column_labels": column_labels,
        "content": _inline(content),
        "cells": cells,
    }
    # A name may hold what would end the script.
    data = json.dumps(sweep, allow_nan=False).replace("<", "\\u003c")
    template = files("stylejax.sweep").joinpath("sweep.html").read_text(encoding="utf-8")
    return template.replace(_EMPTY, _EMPTY.replace("{}", data))
