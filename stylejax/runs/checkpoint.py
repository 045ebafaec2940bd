"""Suspend a solve in a file and go on from it later, to the same bytes.

A checkpoint holds the solver's state, the history, and the settings that it belongs to. It is
written to a temporary file and renamed, so what lies under its name is always whole. Disks fail and
files are copied by halves all the same: all of a checkpoint is checked before any of it is used.
"""

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from stylejax.devices.hosts import as_first_process_says
from stylejax.errors import InputError
from stylejax.images.files import remove_file, replace_file
from stylejax.images.paths import path_exists
from stylejax.runs.metadata import Record, decisive, is_shallow, upgrade_of
from stylejax.solvers.state import SolverState
from stylejax.transfer.history import History

# So much work is lost at most where the disk is fast enough for CHECKPOINT_SHARE.
SECONDS_BETWEEN_CHECKPOINTS = 5.0
BYTES_MAY_DIFFER = "going on, but the bytes may differ from those of a run never stopped"
CHECKPOINT_SHARE = 0.05
"""Largest share of the time that checkpoints may take."""
SECONDS_A_BYTE = 5e-9
"""About what a checkpoint takes where none has been written yet."""


class Checkpoint(NamedTuple):
    """A suspended solve: the level of the pyramid, counted from 1, its state, and the history.

    `state` is None where it was stopped before the first step, and the bare leaves of a
    `SolverState` as read from a file: only the level's problem knows their form (`restore_state`).
    `upgrade` says what has been upgraded since it was written, empty where nothing has.
    """

    level: int
    state: SolverState | list[np.ndarray] | None
    history: History
    upgrade: str = ""


def save_checkpoint(path: Path, settings: Record, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all, in place of an earlier one.

    Raises:
        InputError: the file cannot be written (disk full, no permission).
    """
    arrays = {"settings": np.asarray(json.dumps(settings, sort_keys=True))}
    arrays["level"] = np.asarray(checkpoint.level)
    for index, leaf in enumerate(jax.tree.leaves(jax.device_get(checkpoint.state))):
        arrays[f"state:{index}"] = leaf
    arrays |= {f"history:{name}": column for name, column in checkpoint.history.items()}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        write_arrays(archive, arrays)
        archive.comment = _digest(archive)
    replace_file(path, content.getbuffer())


def write_arrays(archive: zipfile.ZipFile, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as `numpy.load` reads them, and no Python objects.

    NumPy's own `savez` can refuse objects from version 2.2 only.

    Raises:
        ValueError: an array is one of objects.
    """
    for name, array in arrays.items():
        with archive.open(f"{name}.npy", "w", force_zip64=True) as part:
            np.lib.format.write_array(part, np.asanyarray(array), allow_pickle=False)


def _digest(archive: zipfile.ZipFile) -> bytes:
    """What tells a checkpoint from one with other parts: of their names, lengths and checksums."""
    parts = [[part.filename, part.file_size, part.CRC] for part in archive.infolist()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest().encode()


class CheckpointFile:
    """The checkpoint of a run; where it cannot be written the run goes on, and says so once."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        """Write nothing yet; `tell` is given a line."""
        self.path, self.tell, self.told = path, tell, False

    def save(self, settings: Record, checkpoint: Checkpoint) -> None:
        """Write a checkpoint of what the settings say, or say that none could be written."""
        try:
            save_checkpoint(self.path, settings, checkpoint)
        except (InputError, MemoryError) as error:
            if not self.told:
                self.tell(
                    f"no checkpoint, the run goes on without one: {error or 'no memory left'}"
                )
            self.told = True


def _difference(saved: Record, settings: Record, prefix: str = "") -> str | None:
    """The first entry in which two settings differ, in words."""
    for key in sorted(saved.keys() | settings.keys()):
        before, now = saved.get(key), settings.get(key)
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            return _difference(before, now, f"{prefix}{key} ")
        return f"{prefix}{key} {json.dumps(before)}, now {json.dumps(now)}"
    return None


def _read(path: Path) -> tuple[Record, Checkpoint]:
    """What is in a checkpoint: the settings that it belongs to, and where the run was."""
    # np.load leaves a damaged file open when it raises, unless the file is ours.
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        arrays = dict(file)
        # Those of earlier versions have no digest.
        if file.zip.comment and file.zip.comment != _digest(file.zip):
            raise ValueError("parts of another checkpoint")
    # What is no array in the archive comes as its bytes.
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError("parts that are no arrays")
    saved, level = json.loads(str(arrays.pop("settings"))), int(arrays.pop("level"))
    history = {
        name.removeprefix("history:"): column
        for name, column in arrays.items()
        if name.startswith("history:")
    }
    leaves = [arrays[f"state:{index}"] for index in range(len(arrays) - len(history))]
    lengths = {column.shape for column in history.values()}
    numeric = all(column.dtype.kind in "fiu" for column in history.values())
    if level < 1 or not isinstance(saved, dict) or not is_shallow(saved):
        raise ValueError("not what was written")
    if len(lengths) > 1 or not numeric:
        raise ValueError("not what was written")
    if history and not (leaves and len(lengths.pop()) == 1):
        raise ValueError("a history of nothing")
    return saved, Checkpoint(level, leaves or None, history)


def _versions(settings: Record) -> Record:
    """Of a run, or of all lanes of a sweep."""
    (*_, last) = settings.get("lanes") or [settings]
    return last


def load_checkpoint(path: Path, settings: Record, levels: int) -> Checkpoint:
    """Read a checkpoint back.

    Args:
        path: `checkpoint_path` of the output.
        settings: what this run is; the checkpoint must have been made by the same. Names of files
            may be others, and versions of packages, which `Checkpoint.upgrade` says then.
        levels: how many the run has.

    Raises:
        InputError: the file is missing or damaged, or belongs to another run (the first setting
            that differs is named).
    """
    if not path_exists(path):
        raise InputError(f"--resume: no checkpoint {path}; run without --resume to start anew")
    try:
        saved, checkpoint = _read(path)
    except Exception as error:  # zipfile and NumPy raise nearly anything on damaged files.
        raise InputError(
            f"--resume: {path} is not a whole checkpoint; delete it and run without --resume"
        ) from error
    difference = _difference(decisive(saved), decisive(settings))
    if difference is None and checkpoint.level > levels:
        difference = f"level {checkpoint.level}, of {levels} now"
    if difference is not None:
        raise InputError(
            f"--resume: {path} belongs to another run ({difference}); run without --resume"
        )
    return checkpoint._replace(upgrade=upgrade_of(_versions(saved), _versions(settings)))


def restore_state(leaves: list[np.ndarray], template: SolverState) -> SolverState:
    """The state that the leaves of a checkpoint stand for, on the devices that it belongs to.

    Args:
        leaves: `Checkpoint.state` as it was read.
        template: a state's structure, shapes and places (`Solver.shapes`).

    Raises:
        InputError: they do not fit.
    """
    expected, structure = jax.tree.flatten(template)
    kinds = lambda arrays: [(array.shape, array.dtype) for array in arrays]
    if kinds(leaves) != kinds(expected):
        raise InputError("--resume: the checkpoint is of another version; run without --resume")
    place = lambda leaf, like: (
        leaf if like.sharding is None else jax.device_put(leaf, like.sharding)
    )
    state = jax.tree.unflatten(structure, leaves)
    if np.any(state.iteration < 0):
        raise InputError("--resume: the checkpoint counts no iterations; run without --resume")
    return jax.tree.map(place, state, template)


def remove_checkpoint(path: Path) -> None:
    """Delete a checkpoint whose run has ended."""
    remove_file(path)


class CheckpointClock:
    """Says when to save: some seconds apart, and taking no more than a share of the time."""

    def __init__(self) -> None:
        """Count from the first look on: what is before that would not be lost."""
        self.since: float | None = None
        self.seconds = 0.0

    def look(self, save: Callable[[], None], state: PyTree) -> None:
        """Save where it is time to; the first process's clock counts for all.

        `state` is what would be saved: that of a large picture, gigabytes, takes longer than many
        of its iterations.
        """
        now = time.monotonic()
        self.since = now if self.since is None else self.since
        expected = SECONDS_A_BYTE * sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        pause = max(self.seconds, expected) / CHECKPOINT_SHARE
        due = now - self.since >= max(pause, SECONDS_BETWEEN_CHECKPOINTS)
        if as_first_process_says(due)[0]:
            save()
            self.since = time.monotonic()
            self.seconds = self.since - now
