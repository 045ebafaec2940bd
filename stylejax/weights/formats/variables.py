"""Reading checkpoints that lie in a folder, a file of raw numbers for each variable.

So deeplearn.js and its successors dump TensorFlow's checkpoints: `manifest.json` says each
variable's file and shape, and a file has its numbers, float32, little-endian, row by row.
"""

import json
import math
from pathlib import Path

import numpy as np

from stylejax.errors import InputError
from stylejax.images.paths import is_folder, path_exists

MANIFEST = "manifest.json"
_MOST_BYTES = 1 << 26


def manifest_of(path: Path) -> Path | None:
    """The manifest of a checkpoint that a path names, by itself or by its folder; None if none."""
    manifest = path / MANIFEST if is_folder(path) else path
    return manifest if manifest.name == MANIFEST and path_exists(manifest) else None


def read_variables(manifest: Path) -> dict[str, np.ndarray]:
    """All variables of a checkpoint by name.

    Raises:
        InputError: the manifest or a file is missing, damaged or truncated, or lies elsewhere.
    """
    try:
        entries = json.loads(manifest.read_text())
        listed = {
            str(name): (str(entry["filename"]), tuple(map(int, entry["shape"])))
            for name, entry in entries.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"{MANIFEST} is none of a checkpoint ({error}): get it again") from error
    variables = {}
    for name, (filename, shape) in listed.items():
        path = manifest.parent / filename
        if Path(filename).name != filename or not path.is_file():
            raise InputError(f"variable {name!r}: there is no file {filename!r} beside {MANIFEST}")
        wanted = 4 * math.prod(shape)
        if min(shape, default=0) < 0 or wanted > _MOST_BYTES or path.stat().st_size != wanted:
            raise InputError(
                f"variable {name!r}: {filename} has {path.stat().st_size} bytes, its shape "
                f"{list(shape)} needs {wanted}: truncated, get it again"
            )
        variables[name] = np.frombuffer(path.read_bytes(), "<f4").reshape(shape)
    return variables
