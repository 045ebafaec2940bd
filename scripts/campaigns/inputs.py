"""The campaign of inputs: all rows of all tables, in one process."""

import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from campaigns.inputs_arrays import array_rows
from campaigns.inputs_files import file_rows
from campaigns.inputs_metadata import metadata_rows
from campaigns.inputs_options import option_rows
from campaigns.inputs_weights import weight_rows
from campaigns.rows import Row, try_row, workplace


def all_rows() -> Iterator[Row]:
    """Every row; makes the files that they name in the current folder."""
    yield from file_rows()
    yield from option_rows()
    yield from metadata_rows()
    yield from weight_rows()
    yield from array_rows()


def run(rounds: int, seed: int) -> tuple[int, int]:
    """Try all rows, or `rounds` of those for which nothing is compiled, drawn by chance."""
    wrong = 0
    with tempfile.TemporaryDirectory() as place, workplace(Path(place)):
        rows = list(all_rows())
        if rounds:
            quick = [row for row in rows if not row.slow]
            rows = random.Random(seed).sample(quick, min(rounds, len(quick)))
        for row in rows:
            reason = try_row(row, Path(place))
            if reason:
                wrong += 1
                print(f"{row.name}: {reason.strip()}", file=sys.stderr)
    return len(rows), wrong
