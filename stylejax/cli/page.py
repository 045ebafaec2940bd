"""The commands of the page: to serve it, and to watch a run on it."""

import os
import sys
from collections.abc import Callable

from stylejax.cli.commands import Serve
from stylejax.cli.screen import complain
from stylejax.cli.surroundings import process_start, use_compile_cache
from stylejax.devices.hosts import is_first_process
from stylejax.page.server import serve
from stylejax.page.watch import Watch
from stylejax.runs.checks import CheckedInputs
from stylejax.runs.observer import Observer
from stylejax.runs.summary import Summary
from stylejax.runs.transfer import run_checked


def run_serve(command: Serve) -> int:
    """Serve the page until a signal ends it; returns the exit code."""
    if command.run.compile_cache:
        use_compile_cache()
    if not serve(command, (lambda line: None) if command.run.quiet else complain):
        # A thread is in the middle of compiling, say: Python would wait for it, or stumble over it.
        sys.stderr.flush()
        os._exit(0)
    return 0


def run_watched(
    checked: CheckedInputs, observer: Observer, port: int, tell: Callable[[str], None]
) -> Summary:
    """Make a picture while a page at a port shows it being painted.

    Raises:
        InputError: the port is taken, or the extra `web` is not installed.
    """
    since = process_start()
    if not is_first_process():
        return run_checked(checked, observer, since=since)
    with Watch(checked.request, port) as watch:
        tell(f"watch it at {watch.address}")
        summary = run_checked(checked, watch.beside(observer), since=since)
        watch.ended(summary)
    return summary
