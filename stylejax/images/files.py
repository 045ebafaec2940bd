"""Files that a user names: asked about, read and written in one place, whole or not at all.

Whatever the system says of a path (a name too long, a folder that may not be entered, a full disk)
becomes an `InputError` here. Reading takes pipes too; writing goes through symbolic links and into
devices, as other programs do, and else to a fresh temporary beside the target that is renamed.
"""

import contextlib
import hashlib
import os
import re
import secrets
import socket
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from stylejax.errors import InputError

_SECONDS_UNTIL_STALE = 86_400.0
"""Temporaries of other machines are removed after a day; of this one once their process ended."""
_MOST_OF_A_PIPE = 2**30
"""Bytes: some devices never end."""
_MOST_LINKS = 40
"""As many as Linux follows before it speaks of a loop."""


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


def _status(path: Path) -> os.stat_result | None:
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
    return _status(path) is not None


def is_folder(path: Path) -> bool:
    """Whether there is a folder of this name; raises as `path_exists` does."""
    status = _status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def is_special(path: Path) -> bool:
    """Whether it is neither a file nor a folder: a pipe, a device; raises as `path_exists` does."""
    status = _status(path)
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


def check_readable(path: Path, what: str = "file") -> None:
    """Find out whether something can be read more than once, and in any order.

    Raises:
        InputError: it is missing, a folder, a pipe, or closed to us.
    """
    if is_folder(path):
        raise InputError(f"{shown(path)}: is a folder, not a {what}; name a file in it")
    if not path_exists(path):
        raise InputError(f"{shown(path)}: no such file; check the name")
    if is_special(path):
        raise InputError(f"{shown(path)}: is a pipe or device, not a {what}; save it to a file")
    with guarded_path(path, "check the permissions and the disk"), path.open("rb"):
        pass


def check_writable(path: Path) -> None:
    """Find out whether a file could be written, before the work that leads to it.

    Raises:
        InputError: the path is a folder, its name is too long, or its folder is missing or closed
            to us.
    """
    if is_folder(path):
        raise InputError(f"{shown(path)}: is a folder; name a file in it")
    if is_special(path):
        if not os.access(path, os.W_OK):
            raise InputError(f"{shown(path)}: no permission to write there; use another file")
        return
    target = _target(path)
    if not is_folder(target.parent):
        raise InputError(
            f"{shown(path)}: there is no folder {shown(target.parent)}; create it first"
        )
    with guarded_path(path, "use another name or folder"):
        # Windows, which cannot be asked, has the limit that others have.
        longest = os.pathconf(target.parent, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    if len(os.fsencode(target.name)) > longest:
        raise InputError(f"{shown(path)}: the name is longer than {longest} bytes; use another")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise InputError(
            f"{shown(path)}: no permission to write in {shown(target.parent)}; use another folder"
        )


def check_not_inputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse to write over what is read, found by the file and not by its name.

    There are links, and file systems that ignore case. A terminal may be both.

    Raises:
        InputError: names the output.
    """
    read = [path for path in inputs if path_exists(path)]
    for output in outputs:
        if path_exists(output) and not is_special(output):
            with guarded_path(output):
                is_read = any(output.samefile(path) for path in read)
            if is_read:
                raise InputError(f"{shown(output)}: is an input of this run; name another output")


def check_distinct(outputs: Iterable[Path]) -> None:
    """Refuse two outputs that would be one file, under whatever names.

    Raises:
        InputError: names the second one.
    """
    seen: set[tuple[int, int] | Path] = set()
    for output in outputs:
        status = _status(output)
        place = real_path(output) if status is None else (status.st_dev, status.st_ino)
        if place in seen:
            raise InputError(f"{shown(output)}: is named for two outputs; name another file")
        if not is_special(output):
            seen.add(place)


def real_path(path: Path) -> Path:
    """A path with all links followed; raises as `path_exists` does."""
    with guarded_path(path):
        return Path(os.path.realpath(path))


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Put a file in place by writing a fresh temporary one beside it and renaming that.

    Of two writers of one file the last one wins, and what lies there is always whole. The
    temporary's name cannot be foreseen and is opened exclusively: a link planted under it would
    make a run write elsewhere. A symbolic link is written through; a device or pipe is written to.

    Raises:
        InputError: the file cannot be written (disk full, no permission).
    """
    with guarded_path(path, "it cannot be written there; choose another place"):
        descriptor = _own_descriptor(path)
        if descriptor is not None:
            # Opened anew, a file would be cut off that others write to at the same time.
            with os.fdopen(descriptor, "wb", closefd=False) as stream:
                stream.write(content)
            return
        if is_special(path):
            with path.open("wb") as file:
                file.write(content)
            return
        target = _target(path)
        _remove_stale(target)
        temporary = target.with_name(f"{_prefix(target)}{os.getpid()}-{secrets.token_hex(8)}.tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        # Before the `try`: what lies there already, should it ever, is somebody else's.
        opened = os.open(temporary, flags, 0o666)
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


def remove_file(path: Path) -> None:
    """Delete a file of ours, with what killed processes have left of it.

    Raises:
        InputError: it cannot be deleted.
    """
    with guarded_path(path, "delete it by hand"):
        path.unlink(missing_ok=True)
    _remove_stale(path)


def _target(path: Path) -> Path:
    """Where a path leads, through symbolic links."""
    with guarded_path(path):
        # pathlib takes such a name for one of nothing, and the refusal would come after the work.
        if "\0" in str(path):
            raise ValueError("the name holds a null byte")
        return real_path(path) if path.is_symlink() else path


def _own_descriptor(path: Path) -> int | None:
    """The number of a stream of this process that a path leads to, as /dev/stdout does."""
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if path.name.isdecimal() and re.fullmatch(rf"/proc/{os.getpid()}/fd|/dev/fd", folder):
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / os.readlink(path)
    return None


def _prefix(target: Path) -> str:
    """What the temporaries of a target begin with, on this machine."""
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    machine = socket.gethostname()
    with contextlib.suppress(OSError):
        # Containers of one host's name count their processes each for itself.
        machine += os.readlink("/proc/self/ns/pid")
    machine = hashlib.sha256(machine.encode()).hexdigest()[:8]
    return f".stylejax-{digest}-{machine}-"


def _remove_stale(target: Path) -> None:
    """Remove what killed processes left of this target; what cannot be removed stays."""
    prefix = _prefix(target)
    every_machines = prefix[: -len("12345678-")]
    with contextlib.suppress(OSError):
        left = [entry.name for entry in os.scandir(target.parent)]
        for name in left:
            if not (name.startswith(every_machines) and name.endswith(".tmp")):
                continue
            with contextlib.suppress(OSError, ValueError):
                path = target.with_name(name)
                ours = name.startswith(prefix)
                process = int(name.rsplit("-", 2)[1]) if ours else None
                ended = process is not None and not psutil.pid_exists(process)
                if ended or time.time() - path.lstat().st_mtime > _SECONDS_UNTIL_STALE:
                    path.unlink()
