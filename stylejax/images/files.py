"""Writing files whole or not at all."""

import contextlib
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from stylejax.errors import InputError


def check_writable(path: Path) -> None:
    """Find out whether a file could be written, before the work that leads to it.

    Raises:
        InputError: the path is a folder, or its folder is missing or closed to us.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; create it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(f"{path}: no permission to write in {path.parent}; use another folder")


def check_not_inputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse to write over what is read, found by the file and not by its name.

    There are links, and file systems that ignore case.

    Raises:
        InputError: names the output.
    """
    read = [path for path in inputs if path.exists()]
    for output in outputs:
        if output.exists() and any(output.samefile(path) for path in read):
            raise InputError(f"{output}: is an input of this run; name another output")


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Put a file in place by writing a temporary one beside it and renaming that.

    Raises:
        InputError: the file cannot be written (disk full, no permission).
    """
    # One name for each target: what a killed process left behind is overwritten, not piled up.
    digest = hashlib.sha256(path.name.encode()).hexdigest()[:16]
    temporary = path.with_name(f".stylejax-{digest}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path}: cannot be written ({reason}); choose another place") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
