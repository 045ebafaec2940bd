"""Writing files whole or not at all."""

import contextlib
import hashlib
import os
from pathlib import Path

from stylejax.errors import InputError


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
