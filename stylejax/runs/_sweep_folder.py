"""The folder of a sweep: its pictures, tables and contact sheet; what is there is found again."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stylejax.devices.hosts import is_first_process, on_host
from stylejax.errors import InputError
from stylejax.images.files import check_writable, replace_file
from stylejax.images.paths import is_folder, path_exists, real_path
from stylejax.images.read import read_picture
from stylejax.images.scaling import fitted_size, resize
from stylejax.images.write import write_picture
from stylejax.runs.metadata import (
    Record,
    decisive,
    read_record,
    record_text,
    record_with_options,
    upgrade_of,
)
from stylejax.runs.prepare import ReadPictures
from stylejax.runs.results import write_result
from stylejax.sweep.combinations import Combination, Combinations, combination_name
from stylejax.sweep.page import page_side, sweep_page
from stylejax.sweep.solver import BatchProgress
from stylejax.sweep.tables import Row, make_row, results_csv, results_json, sweep_sheet
from stylejax.transfer.history import TERMS
from stylejax.types import OtherPixels

SHEET_SIDE = 256
"""Pixels of the longer side of a picture on the contact sheet, at most."""
SHEET, CSV, JSON, PAGE = "contact-sheet.png", "results.csv", "results.json", "index.html"


def check_sweep_folder(folder: Path, inputs: Sequence[Path]) -> None:
    """Refuse a folder for the results of a sweep that cannot be written, or that holds an input.

    Raises:
        InputError: names the folder or the input.
    """
    if path_exists(folder) and not is_folder(folder):
        raise InputError(f"{folder}: is a file; name a folder for the pictures")
    check_writable(folder / SHEET if is_folder(folder) else folder)
    for path in inputs:
        if real_path(path).parent == real_path(folder) and path.suffix.lower() == ".png":
            raise InputError(f"{path}: lies in the folder of the results; name another folder")


def _results(solved: BatchProgress) -> list[dict[str, int | float]]:
    """What is stored in each lane's picture."""
    aux = on_host(solved.step.state.aux)
    terms = {"loss": solved.losses, **{name: getattr(aux, name) for name in TERMS}, **aux.terms}
    counts = {"iterations": solved.iterations, "evaluations": solved.evaluations}
    return [
        {name: int(column[n]) for name, column in counts.items()}
        | {name: float(column[n]) for name, column in terms.items()}
        for n in range(len(solved.lanes))
    ]


def write_page(folder: Path, grid: Combinations, rows: Iterable[Row], content: OtherPixels) -> None:
    """Write the pictures that there are as one HTML file, with the photograph at any size.

    Raises:
        InputError: the file cannot be written.
    """
    side = page_side(len(grid.lanes))
    known = {Path(str(row["picture"])).stem: row for row in rows}
    pictures = {name: read_picture(folder / f"{name}.png", side).pixels for name in known}
    photograph = resize(content, *fitted_size(content.shape[0], content.shape[1], side))
    page = sweep_page(grid, known, pictures, photograph)
    replace_file(folder / PAGE, page.encode())


class SweepFolder:
    """The pictures and tables of a sweep in a folder.

    Attributes:
        rows: of the tables, by the name of the picture, as far as there are.
    """

    def __init__(
        self, folder: Path, grid: Combinations, settings: Record, read: ReadPictures
    ) -> None:
        """Look at nothing yet; `settings` are the record of the grid's first combination."""
        self.folder, self.grid, self.settings, self.read = folder, grid, settings, read
        self.rows: dict[str, Row] = {}

    def path(self, lane: Combination) -> Path:
        """Where the picture of a combination lies."""
        return self.folder / f"{combination_name(self.grid, lane)}.png"

    def unfinished(self) -> list[Combination]:
        """The combinations that have no picture yet."""
        return [lane for lane in self.grid.lanes if self.path(lane).name not in self.rows]

    def keep_finished(self) -> str:
        """Take over the pictures that this very sweep has made before.

        Returns:
            What has been upgraded since then, as `upgrade_of` has it.
        """
        try:
            known = {
                row["picture"]: row for row in json.loads((self.folder / JSON).read_text("utf-8"))
            }
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            known = {}
        upgrade = ""
        for lane in self.grid.lanes:
            path = self.path(lane)
            try:
                settings = read_record(path)
                result = settings.pop("result")
            except (InputError, KeyError):
                continue
            wanted = record_with_options(self.settings, lane.options)
            if decisive(settings) == decisive(wanted) and isinstance(result, dict):
                self.rows[path.name] = make_row(
                    path.name, lane.options, result, known.get(path.name, {})
                )
                upgrade = upgrade or upgrade_of(settings, wanted)
        return upgrade

    def write(
        self, lanes: Sequence[Combination], solved: BatchProgress, timings: Mapping[str, float]
    ) -> list[str]:
        """Write a batch's pictures and the tables so far; names of the pictures that failed."""
        pictures, results = solved.pictures(), _results(solved)
        paths = [self.path(lane) for lane in lanes]
        if is_first_process():
            for path, lane, picture, result in zip(paths, lanes, pictures, results, strict=True):
                text = record_text(record_with_options(self.settings, lane.options), result)
                write_result(path, picture, self.read.alpha, lane.options.picture, text)
                self.rows[path.name] = make_row(path.name, lane.options, result, timings)
            self.write_tables()
        return [path.name for path, bad in zip(paths, solved.step.failed, strict=False) if bad]

    def sorted_rows(self) -> list[Row]:
        """The rows so far, in the order of the grid."""
        names = [self.path(lane).name for lane in self.grid.lanes]
        return [self.rows[name] for name in names if name in self.rows]

    def write_tables(self) -> None:
        """Write the rows so far as JSON and CSV."""
        rows = self.sorted_rows()
        replace_file(self.folder / JSON, results_json(rows).encode())
        replace_file(self.folder / CSV, results_csv(rows).encode())

    def write_sheet(self) -> None:
        """Lay all pictures that there are out on one sheet, and on a page."""
        pictures = [
            read_picture(self.path(lane), SHEET_SIDE).pixels
            if self.path(lane).name in self.rows
            else None
            for lane in self.grid.lanes
        ]
        write_picture(self.folder / SHEET, sweep_sheet(self.grid, pictures, SHEET_SIDE))
        write_page(self.folder, self.grid, self.rows.values(), self.read.colors)
