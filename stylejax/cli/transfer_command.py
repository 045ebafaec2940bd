"""The command that solves for a picture, or for those of a folder."""

import contextlib
from collections.abc import Iterator

from stylejax.cli.commands import RunOptions, Transfer
from stylejax.cli.display import FolderDisplay, ProgressDisplay, complain, print_text
from stylejax.cli.endings import interruptible_stage
from stylejax.cli.interrupts import INTERRUPTED, graceful_interrupts
from stylejax.cli.page import watched
from stylejax.cli.summaries import folder_json, folder_lines, summary_json, summary_lines
from stylejax.cli.surroundings import use_compile_cache
from stylejax.devices.hosts import is_first_process, join_processes
from stylejax.errors import InputError
from stylejax.runs.observer import Observer
from stylejax.runs.transfer import run_transfer
from stylejax.runs.transfer_folder import check_single, run_transfer_folder


def use_processes(run: RunOptions) -> None:
    """Make JAX ready for a run: its cache, and the other processes."""
    if run.compile_cache:
        use_compile_cache()
    if run.coordinator is not None:
        join_processes(run.coordinator, run.num_processes, run.process_id)
    elif run.num_processes is not None or run.process_id is not None:
        raise InputError("--num-processes and --process-id need --coordinator")


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


def run_transfer_command(command: Transfer) -> int:
    """Solve for a picture, or for all of a folder; returns the exit code."""
    if command.is_folder:
        return _transfer_folder(command)
    check_single(command)
    run = command.run
    use_processes(run)
    display = ProgressDisplay(command.options.solve.iterations) if _shows(run) else None
    tell = (lambda text: None) if run.quiet else complain
    with _observed(display) as observer, watched(command, run.preview, tell) as watch:
        summary = run_transfer(command, watch.beside(observer) if watch else observer)
        if watch:
            watch.ended(summary)
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


def _transfer_folder(command: Transfer) -> int:
    run = command.run
    if run.preview is not None:
        raise InputError("--preview belongs to one picture: name it in place of its folder")
    use_processes(run)
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
