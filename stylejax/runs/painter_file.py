"""Files of painting networks: weight files, to paint with, and checkpoints, to go on training.

Both are safetensors files whose metadata say what they are. A weight file has the averaged
parameters as float16, the names of its styles, the checksums of the paintings and of the encoder
that it was trained with; a checkpoint has all of the training's state, to the last bit.
"""

from pathlib import Path
from typing import NamedTuple

import jax
from jaxtyping import PyTree

from stylejax.errors import InputError
from stylejax.feedforward.network import Painter, Parameters, init_parameters
from stylejax.feedforward.training import TrainingState, initial_state
from stylejax.fields import is_of_kind
from stylejax.runs.tensor_file import (
    Record,
    TensorFile,
    filled_tree,
    flat_tensors,
    read_tensor_file,
    write_tensor_file,
    write_weight_file,
)
from stylejax.types import PathLike

WEIGHTS, CHECKPOINT = "stylejax painter", "stylejax painter in training"
_WIDEST = 16
"""Channels over those of the paper's network, at most."""


class PainterFile(NamedTuple):
    """A painting network with its numbers and what its file says of it."""

    painter: Painter
    parameters: Parameters
    names: tuple[str, ...]
    record: Record
    sha256: str


def _is_whole(record: Record) -> bool:
    """Whether a record says what its readers ask for, in the types that they expect."""
    names = record.get("styles")
    counts = [record.get("width"), record.get("steps", 0), record.get("progress", 0)]
    if not isinstance(names, list) or not all(is_of_kind(count, float) for count in counts):
        return False
    return bool(
        names and all(isinstance(n, str) and n for n in names) and 0 < record["width"] <= _WIDEST
    )


def _read(path: Path) -> TensorFile:
    """What a file is, its tensors and its record."""
    file = read_tensor_file(path, (WEIGHTS, CHECKPOINT), "a painting network")
    if not _is_whole(file.record):
        raise InputError(f"{path}: its record is damaged; get the file again")
    return file


def _painter(record: Record) -> Painter:
    return Painter(len(record["styles"]), record["width"])


def _parameter_shapes(painter: Painter) -> PyTree:
    return jax.eval_shape(lambda key: init_parameters(painter, key), jax.random.key(0))


def write_painter(path: PathLike, parameters: Parameters, record: Record) -> None:
    """Write a weight file; the record needs `styles` (names) and `width`.

    Raises:
        InputError: a number does not fit into float16, or the file cannot be written.
    """
    write_weight_file(Path(path), WEIGHTS, parameters, record)


def read_painter(path: PathLike) -> PainterFile:
    """Read a weight file, its numbers as float32.

    Raises:
        InputError: the file is missing, damaged, of a later version or no weight file.
    """
    path = Path(path)
    what, tensors, record, sha256 = _read(path)
    if what != WEIGHTS:
        raise InputError(f"{path}: a checkpoint of a training; name the weight file beside it")
    painter = _painter(record)
    parameters = filled_tree(path, _parameter_shapes(painter), tensors)
    return PainterFile(painter, parameters, tuple(record["styles"]), record, sha256)


def write_checkpoint(path: Path, state: TrainingState, record: Record) -> None:
    """Write all of a training's state.

    Raises:
        InputError: the file cannot be written.
    """
    write_tensor_file(path, CHECKPOINT, flat_tensors(state), record)


def read_state(path: Path, painter: Painter) -> tuple[TrainingState, Record]:
    """The state to go on from, and the record, of a checkpoint or of a weight file.

    A checkpoint's is the state that was written; a weight file's has its averaged parameters and a
    fresh optimizer.

    Raises:
        InputError: as in `read_painter`, or the file's styles or width are not the painter's.
    """
    what, tensors, record, _ = _read(path)
    if _painter(record) != Painter(painter.styles, painter.width):
        raise InputError(
            f"{path}: {len(record['styles'])} styles at width {record['width']}, not "
            f"{painter.styles} at {painter.width}; give the same paintings and width"
        )
    key = jax.random.key(0)
    if what == WEIGHTS:
        parameters = filled_tree(path, _parameter_shapes(painter), tensors)
        return initial_state(painter, key, parameters), record
    template = jax.eval_shape(lambda key: initial_state(painter, key), key)
    return filled_tree(path, template, tensors), record
