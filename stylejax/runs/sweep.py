"""A whole sweep from files to a folder: every combination of a grid, as many at once as fit.

This is the rim, as `run.py` is that of a single picture: disk and clock are touched here, the
terminal only through the observer that the caller passes.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from stylejax.devices.hosts import is_first_process, on_host
from stylejax.errors import InputError
from stylejax.images.files import check_writable, replace_file
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.runs.batches import BatchSolver, Solved, SweepObserver
from stylejax.runs.checkpoint import remove_checkpoint
from stylejax.runs.metadata import read_record, record_text
from stylejax.runs.prepare import prepare
from stylejax.runs.request import SweepRequest
from stylejax.runs.transfer import write_result
from stylejax.sweep.combinations import Combination, combination_name
from stylejax.sweep.tables import Row, make_row, results_csv, results_json, sweep_sheet
from stylejax.transfer.history import TERMS

SHEET_SIDE = 256
"""Pixels of the longer side of a picture on the contact sheet, at most."""
SHEET, CSV, JSON = "contact-sheet.png", "results.csv", "results.json"


class SweepSummary(NamedTuple):
    """How a sweep ended: `failed` names the pictures whose loss became non-finite."""

    folder: Path
    rows: tuple[Row, ...]
    kept: int
    lanes_at_once: int
    seconds_compile: float
    seconds_solve: float
    failed: tuple[str, ...]
    stopped: bool


def _results(solved: Solved) -> list[dict[str, int | float]]:
    """What is stored in each lane's picture."""
    states = on_host(solved.states)
    terms = {"loss": states.value, **{name: getattr(states.aux, name) for name in TERMS}}
    counts = {"iterations": solved.iterations, "evaluations": solved.evaluations}
    return [
        {name: int(column[n]) for name, column in counts.items()}
        | {name: float(column[n]) for name, column in terms.items()}
        for n in range(len(states.value))
    ]


class _Folder:
    """The pictures and tables of a sweep; what is there already is found again."""

    def __init__(self, request: SweepRequest, solver: BatchSolver) -> None:
        self.folder, self.grid, self.solver = request.first.output, request.grid, solver
        self.rows: dict[str, Row] = {}

    def path(self, lane: Combination) -> Path:
        return self.folder / f"{combination_name(self.grid, lane)}.png"

    def keep_finished(self) -> None:
        """Take over the pictures that this very sweep has made before."""
        try:
            known = {row["picture"]: row for row in json.loads((self.folder / JSON).read_text())}
        except (OSError, ValueError, KeyError, TypeError):
            known = {}
        for lane in self.grid.lanes:
            path = self.path(lane)
            try:
                settings = read_record(path)
                result = settings.pop("result")
            except (InputError, KeyError):
                continue
            if settings == self.solver.settings(lane):
                self.rows[path.name] = make_row(
                    path.name, lane.options, result, known.get(path.name, {})
                )

    def write(
        self, lanes: Sequence[Combination], solved: Solved, timings: Mapping[str, float]
    ) -> list[str]:
        """Write a batch's pictures and the tables so far; names of the pictures that failed."""
        images, results = self.solver.images(solved), _results(solved)
        failed = np.asarray(on_host(solved.states.failed))
        if is_first_process():
            for lane, image, result in zip(lanes, images, results, strict=False):
                path, settings = self.path(lane), self.solver.settings(lane)
                text = record_text(settings, result)
                write_result(path, image, self.solver.read, lane.options.picture, text)
                self.rows[path.name] = make_row(path.name, lane.options, result, timings)
            self.write_tables()
        paths = [self.path(lane).name for lane in lanes]
        return [name for name, bad in zip(paths, failed, strict=False) if bad]

    def sorted_rows(self) -> list[Row]:
        names = [self.path(lane).name for lane in self.grid.lanes]
        return [self.rows[name] for name in names if name in self.rows]

    def write_tables(self) -> None:
        rows = self.sorted_rows()
        replace_file(self.folder / JSON, results_json(rows).encode())
        replace_file(self.folder / CSV, results_csv(rows).encode())

    def write_sheet(self) -> None:
        pictures = [
            read_picture(self.path(lane), SHEET_SIDE).pixels
            if self.path(lane).name in self.rows
            else None
            for lane in self.grid.lanes
        ]
        write_picture(self.folder / SHEET, sweep_sheet(self.grid, pictures, SHEET_SIDE))


def _check_folder(request: SweepRequest) -> None:
    folder = request.first.output
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder for the pictures")
    check_writable(folder / SHEET if folder.is_dir() else folder)
    for path in request.first.inputs:
        if path.resolve().parent == folder.resolve() and path.suffix.lower() == ".png":
            raise InputError(f"{path}: lies in the folder of the results; name another folder")


def run_sweep(request: SweepRequest, observer: SweepObserver | None = None) -> SweepSummary:
    """Make every picture of a grid, with a contact sheet and tables, in a folder.

    Raises:
        InputError: something in the request cannot be used; nothing has been written then.
    """
    observer = SweepObserver() if observer is None else observer
    observer.stage("preparing")
    _check_folder(request)
    prepared = prepare(request.first, by_rows=False)
    with jax.default_device(prepared.device):
        solver = BatchSolver(prepared, request.grid, observer)
        folder = _Folder(request, solver)
        if request.first.resume:
            folder.keep_finished()
        kept, failed, stopped = len(folder.rows), [], False
        if is_first_process():
            folder.folder.mkdir(exist_ok=True)
        batches = solver.batches_of(
            [lane for lane in request.grid.lanes if folder.path(lane).name not in folder.rows]
        )
        before = 0.0, 0.0
        for lanes in batches:
            solved = solver.batch(lanes)
            if solved is None:
                stopped = True
                break
            compiling, solving = solver.compiling - before[0], solver.solving - before[1]
            before = solver.compiling, solver.solving
            timings = {
                "seconds": solving / len(lanes),
                "seconds_compile": compiling / len(lanes),
                "lanes": len(lanes),
            }
            failed += folder.write(lanes, solved, timings)
        if is_first_process():
            folder.write_tables()
            folder.write_sheet()
            if not stopped:
                remove_checkpoint(solver.checkpoint)
    return SweepSummary(
        folder.folder,
        tuple(folder.sorted_rows()),
        kept,
        solver.size,
        solver.compiling,
        solver.solving,
        tuple(failed),
        stopped,
    )
