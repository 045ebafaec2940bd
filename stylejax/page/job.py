"""One job: what was asked for, how far it is, and the folder that keeps both."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from stylejax.errors import InputError
from stylejax.images.files import replace_file
from stylejax.page.feed import Event, Feed
from stylejax.page.form import Json
from stylejax.page.previews import Previews
from stylejax.runs.sweep_progress import SweepProgress
from stylejax.sweep.combinations import Combinations, combination_name
from stylejax.transfer.history import TERMS
from stylejax.transfer.levels import Progress

State = Literal["queued", "running", "stopping", "done", "stopped", "failed"]
STATES: tuple[State, ...] = get_args(State)
"""An event carries the number of a state in this order."""
ACTIVE = ("queued", "running", "stopping")
ENTRY = "job.json"
CUT_OFF = "the server ended while this was being made; resume goes on from the last checkpoint"
MASKS_OF = {"content_masks": "content", "style_masks": "styles"}


def solve_numbers(progress: Progress) -> dict[str, int | float]:
    """What a look at a solver tells."""
    last = {name: float(progress.history[name][-1]) for name in ("loss", *TERMS)}
    return last | {
        "iteration": progress.iteration,
        "iterations": progress.iterations,
        "level": progress.level,
        "levels": progress.levels,
        "seconds": round(progress.seconds, 3),
        "seconds_an_iteration": round(progress.seconds_an_iteration, 4),
        "seconds_left": round(progress.seconds_left, 1),
    }


class Job:
    """A job as the server knows it; what has to outlive the server is kept in its folder.

    Attributes:
        id: known to those who have seen the page, and to nobody else.
        folder: of its own.
        form: what the page has sent, checked.
        state: as its thread says; `stopping` is said at once.
        stage: what is being done.
        message: what went wrong, in one line.
        made: seconds since 1970 when it was made.
        feed: of its progress.
        previews: of the picture as it is.
        cells: of a sweep, the names of its pictures; `finished` are those that are there.
        axes: of a sweep, the names and labels of what varies.
    """

    def __init__(self, id: str, folder: Path, form: Mapping[str, Json]) -> None:
        """A job that waits for its turn."""
        self.id, self.folder, self.form = id, folder, dict(form)
        self.state: State = "queued"
        self.stage, self.message, self.made = "", "", time.time()
        self.feed = Feed()
        self.previews = Previews(self.feed)
        self.stop_asked = False
        self.cells: list[str] = []
        self.finished: set[str] = set()
        self.axes: list[dict[str, Json]] = []

    @property
    def method(self) -> str:
        """The name of its method."""
        return self.form["method"]

    @property
    def output(self) -> Path:
        """Its picture, or the folder of its pictures."""
        return self.folder / self.form["output"]

    @property
    def is_active(self) -> bool:
        """Whether it waits or is being done."""
        return self.state in ACTIVE

    def change(self, state: State, message: str = "") -> None:
        """Go on to another state, and tell."""
        self.state, self.message = state, message
        self.stage = self.stage if state in ("running", "stopping") else ""
        if state == "running":
            self.previews.start()
        if self.is_active and self.feed.closed:
            self.feed.closed = False
        self.feed.publish("state", {"state": STATES.index(state)})
        if not self.is_active:
            self.feed.close()
        self.save()

    def tell_stage(self, text: str) -> None:
        """Say what is being done; its text is asked for."""
        self.stage = text
        self.feed.publish("state", {"state": STATES.index(self.state)})

    def tell_progress(self, progress: Progress) -> None:
        """Say how far a solve is, and show it to those who look."""
        self.feed.publish("progress", solve_numbers(progress))
        self.previews.look(progress.picture)

    def tell_grid(self, grid: Combinations) -> None:
        """Say what a sweep is to make."""
        self.axes = [{"name": axis.name, "labels": list(axis.labels)} for axis in grid.axes]
        self.cells = [combination_name(grid, lane) for lane in grid.lanes]
        self.tell_stage(self.stage)

    def tell_lanes(self, progress: SweepProgress) -> None:
        """Say how far the lanes of a sweep are."""
        numbers = {
            "lanes": [self.cells.index(name) for name in progress.names],
            "iterations": list(progress.iterations),
            "losses": list(progress.losses),
            "seconds_left": round(progress.seconds_left, 1),
        }
        self.feed.publish("lanes", numbers)

    def tell_finished(self, picture: str) -> None:
        """Say that a picture of a sweep is there."""
        name = picture.removesuffix(".png")
        self.finished.add(name)
        self.feed.publish("cell", {"cell": self.cells.index(name)})

    def asks_to_stop(self) -> bool:
        """Whether the page has asked for an end."""
        return self.stop_asked

    def save(self) -> None:
        """Keep it where a new server finds it.

        Raises:
            InputError: the disk is full, say.
        """
        kept = {
            "id": self.id,
            "form": self.form,
            "state": self.state,
            "message": self.message,
            "made": self.made,
            "cells": self.cells,
            "axes": self.axes,
            "finished": sorted(self.finished),
            "events": [] if self.is_active else self.feed.events,
        }
        replace_file(self.folder / ENTRY, json.dumps(kept).encode())


def load_job(folder: Path) -> Job | None:
    """A job as another server has left it; None where there is none.

    One that was being done is stopped: it may be what has brought that server down.
    """
    try:
        kept = json.loads((folder / ENTRY).read_text())
        job = Job(kept["id"], folder, kept["form"])
        job.made, job.cells, job.axes = kept["made"], kept["cells"], kept["axes"]
        job.finished, job.message = set(kept["finished"]), kept["message"]
        state: State = kept["state"]
        events = [Event(*event) for event in kept["events"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if state not in STATES or job.id != folder.name:
        return None
    job.state = state
    job.feed = Feed(events, closed=state != "queued")
    job.previews = Previews(job.feed)
    if state in ("running", "stopping"):
        job.state, job.message = "stopped", CUT_OFF
    return job


def try_to_save(job: Job) -> None:
    """Keep a job if the disk lets us: it goes on either way."""
    try:
        job.save()
    except InputError as error:
        job.message = job.message or str(error)
