"""What is said on the terminal, line by line, where there is one."""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from stylejax.errors import InputWarning
from stylejax.images.paths import shown


class OutputLost(Exception):
    """Standard output takes no more; `reason` is empty where its reader has gone."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


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
