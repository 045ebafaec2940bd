"""Files that a user names are asked about and read in one place; pipes are read as well.

Whatever the system says of a path (a name too long, a folder that may not be entered) becomes an
`InputError` here.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from stylejax.errors import InputError

_MOST_OF_A_PIPE = 2**30
"""Bytes: some devices never end."""


@contextlib.contextmanager
def guarded_path(path: Path | str, advice: str = "name another file") -> Iterator[None]:
    """Turn what the system says of a user's path into one line.

    Raises:
        InputError: names the path, the system's reason and what to do.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{shown(path)}: {reason}; {advice}") from error


def shown(path: Path | str) -> str:
    """A path as text that can be printed on a line: bytes that are no UTF-8 are escaped."""
    try:
        text = str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        text = str(path).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def path_status(path: Path) -> os.stat_result | None:
    """What the system knows of a file, None where there is none of this name."""
    with guarded_path(path):
        try:
            return os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None


def path_exists(path: Path) -> bool:
    """Whether there is something of this name.

    Raises:
        InputError: the system cannot say (a name too long, a folder that may not be entered).
    """
    return path_status(path) is not None


def is_folder(path: Path) -> bool:
    """Whether there is a folder of this name; raises as `path_exists` does."""
    status = path_status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def is_special(path: Path) -> bool:
    """Whether it is neither a file nor a folder: a pipe, a device; raises as `path_exists` does."""
    status = path_status(path)
    return status is not None and not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode))


def list_folder(path: Path) -> list[Path]:
    """What lies in a folder, sorted; raises as `path_exists` does."""
    with guarded_path(path, "name another folder"):
        return sorted(path.iterdir())


def make_folder(path: Path) -> None:
    """Make a folder where there is none.

    Raises:
        InputError: it cannot be made.
    """
    with guarded_path(path, "name another folder"):
        path.mkdir(exist_ok=True)


def read_bytes(path: Path, what: str = "file") -> bytes:
    """All bytes of a file or pipe, which can be read but once.

    Args:
        path: the file.
        what: what it is wanted as, for the message.

    Raises:
        InputError: it is missing, a folder, closed to us or empty.
    """
    if is_folder(path):
        raise InputError(f"{shown(path)}: is a folder, not a {what}; name a file in it")
    if not path_exists(path):
        raise InputError(f"{shown(path)}: no such file; check the name")
    with guarded_path(path, "check the permissions and the disk"), path.open("rb") as file:
        content = file.read(_MOST_OF_A_PIPE) if is_special(path) else file.read()
    if not content:
        raise InputError(f"{shown(path)}: the file is empty; save or download it again")
    if is_special(path) and len(content) == _MOST_OF_A_PIPE:
        raise InputError(
            f"{shown(path)}: gives more than {len(content) >> 20} MiB; save it to a file"
        )
    return content


def real_path(path: Path) -> Path:
    """A path with all links followed; raises as `path_exists` does."""
    with guarded_path(path):
        return Path(os.path.realpath(path))
