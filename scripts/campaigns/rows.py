"""A row of the table of inputs: what is put in and what must come out, and how that is tried."""

import contextlib
import io
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stylejax.cli import main
from stylejax.errors import InputError


@dataclass(frozen=True)
class Row:
    """A bad or odd input with its expected answer.

    Attributes:
        name: what it is.
        act: a command line, or a function to be called.
        refused: what the one line that refuses it holds; None where it must work.
        slow: whether a program is compiled for it, which takes seconds.
    """

    name: str
    act: tuple[str, ...] | Callable[[], object]
    refused: str | None = None
    slow: bool = False


def _call(act: Callable[[], object], refused: str | None) -> str:
    try:
        answer = act()
    except InputError as error:
        text = str(error)
        if refused is None:
            return f"refused: {text}"
        return "" if refused in text and "\n" not in text else f"another line: {text}"
    except Exception:
        return traceback.format_exc(limit=-2)
    if refused is not None:
        return "not refused"
    return "" if answer in (None, True) else f"another answer: {answer}"


def _files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


def _command(arguments: tuple[str, ...], refused: str | None, folder: Path) -> str:
    shown, said, before = io.StringIO(), io.StringIO(), _files(folder)
    try:
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(said):
            code = main(arguments)
    except SystemExit as end:
        code = end.code
    except Exception:
        return traceback.format_exc(limit=-2)
    text = said.getvalue()
    if refused is None:
        return "" if code == 0 and "Traceback" not in text else f"exit {code}: {text}"
    if code != 2 or text.count("\n") != 1 or not text.startswith("stylejax: error: "):
        return f"exit {code}: {text!r}"
    if refused not in text:
        return f"another line: {text}"
    left = _files(folder) - before
    return f"left {sorted(left)}" if left or shown.getvalue() else ""


def try_row(row: Row, folder: Path) -> str:
    """Put a row in, in a folder with all that it names; returns what is wrong, empty if nothing."""
    if isinstance(row.act, tuple):
        return _command(row.act, row.refused, folder)
    return _call(row.act, row.refused)


@contextlib.contextmanager
def workplace(folder: Path) -> Iterator[None]:
    """Be in a folder, with no weights named by the environment."""
    before, named = Path.cwd(), os.environ.pop("STYLEJAX_WEIGHTS", None)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        if named is not None:
            os.environ["STYLEJAX_WEIGHTS"] = named
