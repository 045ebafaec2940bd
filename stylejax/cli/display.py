"""What a run shows on the terminal: its progress and its end.

Progress is a bar, or now and then a line where there is no terminal to draw on.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence

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

from stylejax.runs.sweep import SweepProgress, SweepSummary
from stylejax.runs.transfer import Summary
from stylejax.runs.universal import UniversalSummary
from stylejax.transfer.history import History
from stylejax.transfer.levels import Progress as SolveProgress

# In a log, where a bar cannot be drawn over, each tenth of a solve has a line.
LINES_WITHOUT_TERMINAL = 10


def _terms(history: History) -> str:
    names = {"loss": "loss", "content": "content", "style": "style", "total_variation": "tv"}
    return "  ".join(f"{short} {history[name][-1]:.4g}" for name, short in names.items())


class _Display:
    """A bar on standard error that says what is being done; `bar` is drawn while one is in it."""

    def __init__(self, total: int | None) -> None:
        self.console = Console(stderr=True, soft_wrap=True, highlight=False)
        self.bar = Progress(
            TextColumn("{task.description}"),
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
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    bar = Progress(
        TextColumn("{task.description}"),
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
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    bar = Progress(
        TextColumn("{task.description}"),
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


def summary_lines(summary: Summary) -> Iterator[str]:
    """How a transfer ended, for a reader."""
    history = summary.history
    spent = f"{history['iteration'][-1]} iterations, {summary.evaluations} evaluations"
    yield f"{summary.output}"
    yield f"  loss     {history['loss'][0]:.5g} -> {history['loss'][-1]:.5g} ({spent})"
    yield f"  seconds  {summary.seconds_compile:.1f} compiling, {summary.seconds_solve:.1f} solving"
    yield f"  weights  {summary.weights.name} (sha256 {summary.weights.sha256[:12]})"
    several = f"{summary.devices} x " if summary.devices > 1 else ""
    yield f"  device   {several}{summary.device} ({summary.device_kind})"
    if summary.converged:
        yield "  Nothing lowers the loss any further: ended before the last iteration."
    if not summary.weights.trained:
        yield "  These weights are random, for tests only: no style is seen; give --weights."


def summary_json(summary: Summary) -> str:
    """How a transfer ended, for a program: one line."""
    history = summary.history
    return json.dumps(
        {
            "output": str(summary.output),
            "weights": summary.weights.name,
            "device": summary.device,
            "iterations": int(history["iteration"][-1]),
            "evaluations": summary.evaluations,
            "loss_initial": float(history["loss"][0]),
            "loss_final": float(history["loss"][-1]),
            "seconds_compile": round(summary.seconds_compile, 3),
            "seconds_solve": round(summary.seconds_solve, 3),
        }
    )


def universal_lines(summary: UniversalSummary) -> Iterator[str]:
    """How a run of universal style transfer ended, for a reader."""
    yield f"{summary.output}"
    if summary.output.is_dir():
        failed = f", {len(summary.failed)} failed" if summary.failed else ""
        yield f"  pictures {len(summary.pictures)}{failed}"
    yield f"  seconds  {summary.seconds:.1f}"
    yield f"  weights  {summary.weights.name} (sha256 {summary.weights.sha256[:12]})"
    yield f"  decoders {summary.decoders.name} (sha256 {summary.decoders.sha256[:12]})"
    yield f"  device   {summary.device.platform} ({summary.device.device_kind})"


def universal_json(summary: UniversalSummary) -> str:
    """How a run of universal style transfer ended, for a program: one line."""
    return json.dumps(
        {
            "output": str(summary.output),
            "weights": summary.weights.name,
            "decoders": summary.decoders.name,
            "device": summary.device.platform,
            "pictures": [str(path) for path in summary.pictures],
            "failed": list(summary.failed),
            "seconds_total": round(summary.seconds, 3),
        }
    )


def sweep_lines(summary: SweepSummary, combinations: int) -> Iterator[str]:
    """How a sweep of this many combinations ended, for a reader."""
    seconds = f"{summary.seconds_compile:.1f} compiling, {summary.seconds_solve:.1f} solving"
    kept = f", {summary.kept} of them from before" if summary.kept else ""
    yield f"{summary.folder}"
    yield f"  pictures {len(summary.rows)} of {combinations}{kept}; {summary.lanes_at_once} at once"
    yield f"  seconds  {seconds}"
    yield "  tables   contact-sheet.png, results.csv, results.json"


def sweep_json(summary: SweepSummary) -> str:
    """How a sweep ended, for a program: one line."""
    return json.dumps(
        {
            "output": str(summary.folder),
            "pictures": len(summary.rows),
            "kept": summary.kept,
            "lanes_at_once": summary.lanes_at_once,
            "seconds_compile": round(summary.seconds_compile, 3),
            "seconds_solve": round(summary.seconds_solve, 3),
        }
    )


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows with their columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print_text("  ".join(cells).rstrip())


def print_text(text: str) -> None:
    """Print a result on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Print what went wrong on standard error."""
    sys.stderr.write(f"stylejax: {text}\n")
