"""The commands of methods that take one pass, and the training of their networks."""

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import psutil

from stylejax.cli.display import figure_display
from stylejax.cli.interrupts import INTERRUPTED
from stylejax.cli.pass_commands import Apply, Export, Styles, Train, Universal, Upscale
from stylejax.cli.pass_summaries import (
    apply_json,
    apply_lines,
    universal_json,
    universal_lines,
    upscale_json,
    upscale_lines,
)
from stylejax.cli.screen import complain, print_table, print_text
from stylejax.cli.surroundings import use_compile_cache
from stylejax.runs.apply import run_apply
from stylejax.runs.enlarger_request import EnlargerRequest
from stylejax.runs.enlarger_training import train_enlarger
from stylejax.runs.export import export_style
from stylejax.runs.one_pass import Observer
from stylejax.runs.painters import style_rows
from stylejax.runs.style_training import train_styles
from stylejax.runs.universal import run_universal
from stylejax.runs.upscale import run_upscale
from stylejax.strict_json import json_text


class _Summary(Protocol):
    @property
    def failed(self) -> tuple[str, ...]: ...


SummaryOf = TypeVar("SummaryOf", bound=_Summary)


def _paint(
    command: Universal | Apply | Upscale,
    work: Callable[..., SummaryOf],
    lines: Callable[[SummaryOf], Iterable[str]],
    one_line: Callable[[SummaryOf], str],
) -> int:
    """Do the work with a display, and say how it ended."""
    run = command.run
    if run.compile_cache:
        use_compile_cache()
    try:
        with contextlib.ExitStack() as stack:
            display: list[Observer] = [] if run.quiet else [stack.enter_context(figure_display())]
            summary = work(command, *display)
    except KeyboardInterrupt:
        complain(f"interrupted: what {command.output} lacks is not written")
        return INTERRUPTED
    if run.json:
        print_text(one_line(summary))
    elif not run.quiet:
        print_text("\n".join(lines(summary)))
    for reason in summary.failed:
        complain(reason)
    return 1 if summary.failed else 0


def run_universal_command(command: Universal) -> int:
    """Universal style transfer; returns the exit code."""
    return _paint(command, run_universal, universal_lines, universal_json)


def run_apply_command(command: Apply) -> int:
    """Painting in learned styles; returns the exit code."""
    return _paint(command, run_apply, apply_lines, apply_json)


def run_upscale_command(command: Upscale) -> int:
    """Enlarging pictures; returns the exit code."""
    return _paint(command, run_upscale, upscale_lines, upscale_json)


def list_styles(command: Styles) -> int:
    """Print the learned styles; returns the exit code."""
    header = ("name", "painting", "painter", "year", "license")
    print_table([header, *style_rows(command.file)])
    return 0


def run_export(command: Export) -> int:
    """Writing a learned style as a program; returns the exit code."""
    if command.run.compile_cache:
        use_compile_cache()
    size = export_style(command)
    if not command.run.quiet:
        print_text(f"{command.output}: {size:,} bytes, for {', '.join(command.platforms)}")
    return 0


def run_train(command: Train) -> int:
    """Train a network; returns the exit code."""
    request, run = command.action, command.action.run
    if run.compile_cache:
        use_compile_cache()
    # The deadline counts from the start of the program.
    running = time.time() - psutil.Process().create_time()
    tell = (lambda line: None) if run.quiet else complain
    started = time.monotonic() - running
    if isinstance(request, EnlargerRequest):
        ending = train_enlarger(request, started, tell)
    else:
        ending = train_styles(request, started, tell)
    if run.json:
        print_text(json_text(ending.report))
    elif not run.quiet:
        print_text(f"{request.output}")
    if ending.stopped:
        why = "no finite gradient any more" if ending.diverged else "interrupted"
        complain(f"{why}: {request.output} is the last good state; --resume goes on from it")
        return 1 if ending.diverged else INTERRUPTED
    return 0
