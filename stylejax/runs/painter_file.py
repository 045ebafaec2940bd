"""Files of painting networks: weight files, to paint with, and checkpoints, to go on training.

Both are safetensors files whose metadata say what they are. A weight file has the averaged
parameters as float16, the names of its styles, the checksums of the paintings and of the encoder
that it was trained with; a checkpoint has all of the training's state, to the last bit.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from stylejax.errors import InputError
from stylejax.feedforward.network import Painter, Parameters, init_parameters
from stylejax.feedforward.training import TrainingState, initial_state
from stylejax.fields import is_of_kind
from stylejax.images.files import replace_file
from stylejax.types import PathLike
from stylejax.weights.read import read_tensor_file
from stylejax.weights.write import tensor_bytes

WEIGHTS, CHECKPOINT = "stylejax painter", "stylejax painter in training"
VERSION = 1
_WIDEST = 16
"""Channels over those of the paper's network, at most."""


class PainterFile(NamedTuple):
    """A painting network with its numbers and what its file says of it."""

    painter: Painter
    parameters: Parameters
    names: tuple[str, ...]
    record: Mapping[str, Any]
    sha256: str


def _flat(tree: PyTree) -> dict[str, np.ndarray]:
    return {name: np.asarray(leaf) for name, leaf in _named_leaves(tree).items()}


def _filled(path: Path, template: PyTree, tensors: Mapping[str, np.ndarray]) -> PyTree:
    """The template with a file's numbers.

    Raises:
        InputError: names or shapes differ.
    """
    wanted = _named_leaves(template)
    if wanted.keys() != tensors.keys():
        odd = sorted(wanted.keys() ^ tensors.keys())[0]
        raise InputError(f"{path}: tensor {odd!r} is missing or unknown; get the file again")
    leaves = []
    for name, leaf in wanted.items():
        if tensors[name].shape != leaf.shape:
            raise InputError(
                f"{path}: tensor {name!r} has shape {tensors[name].shape}, not "
                f"{leaf.shape}; get the file again"
            )
        if tensors[name].dtype.kind not in "fiub" or not np.isfinite(tensors[name]).all():
            raise InputError(f"{path}: tensor {name!r} is not finite; get the file again")
        leaves.append(jnp.asarray(tensors[name], leaf.dtype))
    return jax.tree.unflatten(jax.tree.structure(template), leaves)


def _named_leaves(tree: PyTree) -> dict[str, Any]:
    """A tree's leaves by the names of the branches that lead to them."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator=".")
    return {name(path): leaf for path, leaf in leaves}


def _write(path: Path, what: str, tensors: Mapping[str, np.ndarray], record: Mapping[str, Any]):
    metadata = {"what": what, "version": str(VERSION), "record": json.dumps(record)}
    replace_file(path, tensor_bytes(tensors, metadata))


def _is_whole(record: Any) -> bool:
    """Whether a record says what its readers ask for, in the types that they expect."""
    if not isinstance(record, dict) or not isinstance(record.get("styles"), list):
        return False
    counts = [record.get("width"), record.get("steps", 0), record.get("progress", 0)]
    if not all(is_of_kind(count, float) for count in counts):
        return False
    names = record["styles"]
    return bool(names and all(isinstance(n, str) and n for n in names) and 0 < counts[0] <= _WIDEST)


def _read(path: Path) -> tuple[str, dict[str, np.ndarray], dict[str, Any], str]:
    """What a file is, its tensors, its record and its sha256."""
    tensors, metadata, sha256 = read_tensor_file(path, "")
    if metadata.get("what") not in (WEIGHTS, CHECKPOINT):
        raise InputError(f"{path}: no weight file of a painting network; name one of those")
    try:
        version, record = int(metadata["version"]), json.loads(metadata["record"])
        whole = version > VERSION or _is_whole(record)
    except (KeyError, TypeError, ValueError, RecursionError):
        version, record, whole = 0, {}, False
    if not whole:
        raise InputError(f"{path}: its record is damaged; get the file again")
    if version > VERSION:
        raise InputError(f"{path}: made by a later version of stylejax; update stylejax")
    return metadata["what"], tensors, record, sha256


def _painter(record: Mapping[str, Any]) -> Painter:
    return Painter(len(record["styles"]), record["width"])


def _parameter_shapes(painter: Painter) -> PyTree:
    return jax.eval_shape(lambda key: init_parameters(painter, key), jax.random.key(0))


def write_painter(path: PathLike, parameters: Parameters, record: Mapping[str, Any]) -> None:
    """Write a weight file; the record needs `styles` (names) and `width`.

    Raises:
        InputError: a number does not fit into float16, or the file cannot be written.
    """
    tensors = {name: leaf.astype(np.float16) for name, leaf in _flat(parameters).items()}
    broken = [name for name, leaf in tensors.items() if not np.isfinite(leaf).all()]
    if broken:
        raise InputError(f"{path}: {broken[0]} is not finite in float16; train at a lower rate")
    _write(Path(path), WEIGHTS, tensors, record)


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
    parameters = _filled(path, _parameter_shapes(painter), tensors)
    return PainterFile(painter, parameters, tuple(record["styles"]), record, sha256)


def write_checkpoint(path: Path, state: TrainingState, record: Mapping[str, Any]) -> None:
    """Write all of a training's state.

    Raises:
        InputError: the file cannot be written.
    """
    _write(path, CHECKPOINT, _flat(state), record)


def read_state(path: Path, painter: Painter) -> tuple[TrainingState, dict[str, Any]]:
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
        parameters = _filled(path, _parameter_shapes(painter), tensors)
        return initial_state(painter, key, parameters), record
    template = jax.eval_shape(lambda key: initial_state(painter, key), key)
    return _filled(path, template, tensors), record
