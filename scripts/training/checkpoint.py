"""A training suspended in a file, and continued from it to the same bytes."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from stylejax.errors import InputError
from stylejax.images.files import replace_file
from stylejax.runs.checkpoint import write_arrays
from training.distillation import State, Statistics, Student, begin


class Progress(NamedTuple):
    """The place in the schedule, and what has been measured.

    `stage` is an index; `stage_steps` and `share` (of its schedule) belong to it. `steps` and
    `figures` (explained variance by the teacher's feature map) are by stage, the figures of the
    student before the first one are called `start`. `kept` says whose numbers are the best so far.
    """

    stage: int = 0
    stage_steps: int = 0
    share: float = 0.0
    steps: dict[str, int] = {}
    figures: dict[str, dict[str, float]] = {}
    kept: str = "start"
    pictures: int = 0
    measuring: float = 0.0


class Run(NamedTuple):
    """All that a training is.

    What learns, and the statistics that a settled stage learns on; the best student so far; the
    teacher's deviations.
    """

    state: State
    statistics: Statistics
    kept: Student
    deviations: dict[str, Any]
    progress: Progress


def checkpoint_path(out: Path) -> Path:
    """Where the checkpoint lies: beside the weight file."""
    return out.with_name(f"{out.name}.checkpoint.npz")


def write_checkpoint(path: Path, settings: dict[str, Any], run: Run) -> None:
    """Write a run, whole or not at all, in place of an earlier one."""
    arrays: dict[str, Any] = {
        "settings": np.asarray(json.dumps(settings, sort_keys=True)),
        "progress": np.asarray(json.dumps(run.progress._asdict())),
    }
    for index, leaf in enumerate(jax.tree.leaves(jax.device_get(run[:4]))):
        arrays[f"leaf:{index}"] = leaf
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        write_arrays(archive, arrays)
    replace_file(path, content.getbuffer())


def read_checkpoint(path: Path, settings: dict[str, Any], template: Student) -> Run:
    """Read a run back.

    Args:
        path: `checkpoint_path` of its output.
        settings: what this run is; the checkpoint must have been made by the same.
        template: a student with heads of the same shapes.

    Raises:
        InputError: the file is missing or damaged, or belongs to another run.
    """
    if not path.exists():
        raise InputError(f"--resume: there is no checkpoint {path}; run without --resume")
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = dict(file)
        saved = json.loads(str(arrays.pop("settings")))
        progress = Progress(**json.loads(str(arrays.pop("progress"))))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"--resume: {path} is not a whole checkpoint; run without --resume"
        ) from error
    for name in sorted(saved.keys() | settings.keys()):
        if saved.get(name) != settings.get(name):
            raise InputError(
                f"--resume: {path} belongs to another run ({name} was {saved.get(name)}, is "
                f"{settings.get(name)}); run without --resume"
            )
    deviations = {tap: template.heads[tap]["bias"] for tap in template.heads if tap != "logits"}
    form = jax.eval_shape(lambda: (begin(template), template.batch_stats, template, deviations))
    expected, structure = jax.tree.flatten(form)
    leaves = [arrays[f"leaf:{index}"] for index in range(len(arrays))]
    if [leaf.shape for leaf in leaves] != [leaf.shape for leaf in expected]:
        raise InputError(f"--resume: {path} is of another version; run without --resume")
    return Run(*jax.tree.unflatten(structure, leaves), progress)  # type: ignore[call-arg]
