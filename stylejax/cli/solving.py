"""Solving for a picture, or for those of a folder, while the terminal is told."""

import contextlib
from collections.abc import Iterator

from stylejax.cli.commands import RunOptions, Transfer
from stylejax.cli.display import FolderDisplay, ProgressDisplay
from stylejax.cli.interrupts import INTERRUPTED, graceful_interrupts
from stylejax.cli.screen import complain, print_text
from stylejax.cli.stages import interruptible_stage
from stylejax.cli.summaries import folder_json, folder_lines, summary_json, summary_lines
from stylejax.cli.surroundings import process_start
from stylejax.devices.hosts import is_first_process
from stylejax.runs.checks import CheckedInputs, check_request
from stylejax.runs.observer import Observer
from stylejax.runs.transfer import run_checked
from stylejax.runs.transfer_folder import run_transfer_folder


def _shows(run: RunOptions) -> bool:
    return is_first_process() and not run.quiet


@contextlib.contextmanager
def _observed(display: ProgressDisplay | None) -> Iterator[Observer]:
    """What a run tells and asks: Ctrl-C ends it in order, and a display, if any, is told."""
    with graceful_interrupts() as stop, display.bar if display else contextlib.nullcontext():
        observer = Observer(stage=interruptible_stage(stop), stop=stop, warn=complain)
        if display:
            stage = interruptible_stage(stop, display.stage)
            observer = observer._replace(stage=stage, progress=display.progress)
        yield observer


def solve_picture(command: Transfer, checked: CheckedInputs | None) -> int:
    """Solve for a picture, checked or to be so now; returns the exit code."""
    run = command.run
    display = ProgressDisplay(command.options.solve.iterations) if _shows(run) else None
    tell = (lambda text: None) if run.quiet else complain
    with _observed(display) as observer:
        observer.stage("preparing")
        checked = check_request(command) if checked is None else checked
        if run.preview is None:
            summary = run_checked(checked, observer, since=process_start())
        else:
            from stylejax.cli.page import run_watched

            summary = run_watched(checked, observer, run.preview, tell)
    if is_first_process() and run.json:
        print_text(summary_json(summary))
    elif _shows(run):
        print_text("\n".join(summary_lines(summary)))
    if summary.failed:
        complain(
            "the loss is not finite any more: "
            f"{summary.output} is the last good picture; try smaller weights"
        )
        return 1
    if summary.stopped:
        complain(f"interrupted: {summary.output} is the picture so far; --resume goes on")
        return INTERRUPTED
    return 0


def solve_folder(command: Transfer) -> int:
    """Solve for all pictures of a folder; returns the exit code."""
    run = command.run
    display = FolderDisplay(command.options.solve.iterations) if _shows(run) else None
    with _observed(display) as observer:
        begins = [display.begin] if display else []
        summary = run_transfer_folder(command, observer, *begins)
    if is_first_process() and run.json:
        print_text(folder_json(summary))
    elif _shows(run):
        print_text("\n".join(folder_lines(summary)))
    for reason in summary.failed:
        complain(reason)
    if summary.stopped:
        complain(f"interrupted: {summary.output} holds what is finished; --resume goes on")
        return INTERRUPTED
    return 1 if summary.failed else 0
