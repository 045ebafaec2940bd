"""Files that a user names are written in one place, whole or not at all.

Writing goes through symbolic links and into devices, as other programs do, and else to a fresh
temporary beside the target that is renamed. A full disk and the like become an `InputError`.
"""

import contextlib
import hashlib
import os
import re
import secrets
import socket
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from stylejax.errors import InputError
from stylejax.images.paths import (
    guarded_path,
    is_folder,
    is_special,
    path_exists,
    path_status,
    real_path,
    shown,
)

_SECONDS_UNTIL_STALE = 86_400.0
"""Temporaries of other machines are removed after a day; of this one once their process ended."""
_MOST_LINKS = 40
"""As many as Linux follows before it speaks of a loop."""


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
        status = path_status(output)
        place = real_path(output) if status is None else (status.st_dev, status.st_ino)
        if place in seen:
            raise InputError(f"{shown(output)}: is named for two outputs; name another file")
        if not is_special(output):
            seen.add(place)


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
