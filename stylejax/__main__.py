"""`python -m stylejax`, and the command `stylejax`: what has to be in order before all else.

Nothing of JAX is imported before Ctrl-C is answered and the standard streams are there.
"""

import gc
import os
import signal
import sys
import warnings
from types import FrameType
from typing import NoReturn

from stylejax.version import VERSION

_INTERRUPTED = 130
_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Importing and tracing make a million objects that stay: to look for garbage among them every 700
takes a tenth of the time until the first iteration."""
_SECONDS_BETWEEN_SWITCHES = 0.0005
"""A thread that traces the next level's programs lets go of Python so soon when the solve asks."""


def _open_standard_streams() -> None:
    """Open what the shell has closed, or the next file would take its number and its text."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)


def _end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """Where an exception would come out of the depths of a library that is being imported."""
    os.write(2, b"stylejax: interrupted\n")
    os._exit(_INTERRUPTED)


def _say_version() -> int:
    """Print the version, for which nothing has to be imported; returns the exit code."""
    try:
        os.write(1, f"stylejax {VERSION}\n".encode())
    except OSError as error:
        # The reader of a pipe may have gone, and asks for nothing more.
        if not isinstance(error, BrokenPipeError):
            os.write(2, f"stylejax: error: standard output: {error.strerror}\n".encode())
        return 1
    return 0


def run() -> int:
    """Run the command line as this process; returns its exit code."""
    # Of a process that is to ignore Ctrl-C, as one in the background, this is not the handler.
    catches = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if catches:
        signal.signal(signal.SIGINT, _end_at_once)
    _open_standard_streams()
    if sys.argv[1:] == ["--version"]:
        return _say_version()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    sys.setswitchinterval(_SECONDS_BETWEEN_SWITCHES)
    # Libraries warn those who write programs; who runs this one can do nothing about it.
    warnings.simplefilter("ignore")
    from stylejax.cli.entry import main

    if catches:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    code = main(owns_process=True)
    if code == _INTERRUPTED:
        # XLA's threads may still be compiling, which an orderly end would not survive.
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(run())
