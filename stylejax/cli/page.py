"""The commands of the page: to serve it, and to watch a run on it."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from stylejax.cli.commands import Serve
from stylejax.cli.screen import complain
from stylejax.cli.surroundings import use_compile_cache
from stylejax.devices.hosts import is_first_process
from stylejax.page.server import serve
from stylejax.page.watch import Watch
from stylejax.runs.request import Request


def run_serve(command: Serve) -> int:
    """Serve the page until a signal ends it; returns the exit code."""
    if command.run.compile_cache:
        use_compile_cache()
    if not serve(command, (lambda line: None) if command.run.quiet else complain):
        # A thread is in the middle of compiling, say: Python would wait for it, or stumble over it.
        sys.stderr.flush()
        os._exit(0)
    return 0


@contextlib.contextmanager
def watched(
    request: Request, port: int | None, tell: Callable[[str], None]
) -> Iterator[Watch | None]:
    """Serve the page of a run while this lasts, at a port; None where it is to be watched by none.

    Raises:
        InputError: the port is taken, or the extra `web` is not installed.
    """
    if port is None or not is_first_process():
        yield None
        return
    with Watch(request, port) as watch:
        tell(f"watch it at {watch.address}")
        yield watch
