"""What a run shows on the terminal: its progress and its end.

Progress is a bar, or now and then a line where there is no terminal to draw on.
"""

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from stylejax.errors import InputWarning
from stylejax.images.paths import shown
from stylejax.runs.sweep import SweepProgress
from stylejax.transfer.history import History
from stylejax.transfer.levels import Progress as SolveProgress

# In a log, where a bar cannot be drawn over, each tenth of a solve has a line.
LINES_WITHOUT_TERMINAL = 10


def _terms(history: History) -> str:
    names = {"loss": "loss", "content": "content", "style": "style", "total_variation": "tv"}
    return "  ".join(f"{short} {history[name][-1]:.4g}" for name, short in names.items())


class OutputLost(Exception):
    """Standard output takes no more; `reason` is empty where its reader has gone."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


def _console() -> Console:
    """Standard error; names of files are text there, whatever brackets and colons are in them."""
    return Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


class _Bar(Progress):
    """Where it is not drawn it leaves nothing: rich before 15 ends a line that was never begun."""

    def stop(self) -> None:
        """End it."""
        if not self.disable:
            super().stop()


class _Display:
    """A bar on standard error that says what is being done; `bar` is drawn while one is in it."""

    def __init__(self, total: int | None) -> None:
        self.console = _console()
        self.bar = _Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}  {task.fields[details]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("starting", total=total, details="")

    def stage(self, text: str) -> None:
        """Say what is being done."""
        self.bar.update(self.task, description=text)


class ProgressDisplay(_Display):
    """Shows stages and progress of a run."""

    def __init__(self, iterations: int) -> None:
        """Prepare for a run of a number of iterations."""
        super().__init__(iterations)
        self.iterations, self.shown = iterations, 0

    def progress(self, progress: SolveProgress) -> None:
        """Show the state after the last look at the solver."""
        done, terms = progress.iteration, _terms(progress.history)
        rate, left = progress.seconds_an_iteration, progress.seconds_left
        details = f"{terms}  {rate:.2f} s/it  {left:.0f} s left"
        self.bar.update(self.task, completed=done, details=details)
        if not self.console.is_terminal:
            share = LINES_WITHOUT_TERMINAL * done // self.iterations
            if share > self.shown:
                self.shown = share
                self.console.print(f"{done}/{self.iterations}  {details}")


class FolderDisplay(ProgressDisplay):
    """Shows one solve after the other, each with its name."""

    name = ""

    def begin(self, name: str, done: int, total: int) -> None:
        """Say that another picture is begun."""
        self.name, self.shown = f"{name} ({done + 1} of {total})", 0
        self.bar.update(self.task, completed=0, details="")
        if not self.console.is_terminal:
            self.console.print(self.name)

    def stage(self, text: str) -> None:
        """Say what is being done for that picture."""
        super().stage(f"{self.name}: {text}")


class SweepDisplay(_Display):
    """Shows stages of a sweep, and a bar for each lane."""

    def __init__(self, iterations: int) -> None:
        """Prepare for lanes of a number of iterations each."""
        super().__init__(None)
        self.iterations, self.shown = iterations, ("", 0)
        self.lanes: dict[str, TaskID] = {}

    def log(self, text: str) -> None:
        """Say something that stays to be read."""
        self.console.print(text)

    def progress(self, progress: SweepProgress) -> None:
        """Show how far each lane of the batch is."""
        if progress.names and progress.names[0] not in self.lanes:
            for task in self.lanes.values():
                self.bar.remove_task(task)
            add = lambda name: self.bar.add_task(name, total=self.iterations, details="")
            self.lanes = {name: add(name) for name in progress.names}
        self.bar.update(self.task, details=f"{progress.seconds_left:.0f} s left")
        columns = zip(progress.names, progress.iterations, progress.losses, strict=True)
        for name, done, loss in columns:
            self.bar.update(self.lanes[name], completed=done, details=f"loss {loss:.4g}")
        done = min(progress.iterations)
        share = (progress.names[0], LINES_WITHOUT_TERMINAL * done // self.iterations)
        if not self.console.is_terminal and share != self.shown:
            self.shown = share
            losses = " ".join(f"{loss:.4g}" for loss in progress.losses)
            left = f"{progress.seconds_left:.0f} s left"
            self.console.print(f"{done}/{self.iterations}  loss {losses}  {left}")


@contextlib.contextmanager
def download_display(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a download on standard error; yields a function of the bytes so far and in all."""
    console = _console()
    bar = _Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task(name, total=None)
    said: list[str] = []

    def show(done: int, total: int | None) -> None:
        bar.update(task, completed=done, total=total)
        if not console.is_terminal and not said:
            said.append(f"fetching {name}")
            console.print(said[0])

    with bar:
        yield show


@contextlib.contextmanager
def figure_display() -> Iterator[Callable[[str, int, int], None]]:
    """Show many solves on standard error; yields a function of what is solved, done and total."""
    console = _console()
    bar = _Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task("starting", total=None)
    said: list[str] = []

    def show(what: str, done: int, total: int) -> None:
        bar.update(task, description=what, completed=done, total=total)
        if not console.is_terminal and what not in said:
            said.append(what)
            console.print(f"{done}/{total}  {what}")

    with bar:
        yield show


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows with their columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print_text("  ".join(cells).rstrip())


def print_text(text: str) -> None:
    """Print a result on standard output.

    Raises:
        OutputLost: as in `print_screen`.
    """
    print_screen("".join(f"{shown(line)}\n" for line in text.split("\n")))


def print_screen(text: str) -> None:
    """Print text as it is, colors included, on standard output, where it is open.

    Characters that its encoding does not have are escaped.

    Raises:
        OutputLost: standard output takes no more of it.
    """
    stream = sys.stdout
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError) as error:
        # The reader of a pipe (`| head`) may go when it has enough.
        gone = isinstance(error, BrokenPipeError)
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputLost("" if gone else reason) from error


def drop_output() -> None:
    """Send to nowhere what standard output has not taken: Python tries once more in the end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """Print what went wrong on standard error, where it is open: a line."""
    # Of standard error itself there is nobody to tell.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"stylejax: {shown(text)}\n")
        sys.stderr.flush()


@contextlib.contextmanager
def spoken_warnings() -> Iterator[None]:
    """Print what is amiss with a file as one line, whatever Python is told to do with warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        show = warnings.showwarning

        def speak(
            message: Warning | str, category: type[Warning], *place: Any, **more: Any
        ) -> None:
            if issubclass(category, InputWarning):
                complain(f"note: {message}")
            else:
                show(message, category, *place, **more)

        warnings.showwarning = speak
        yield
