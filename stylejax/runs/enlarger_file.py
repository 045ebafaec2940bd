"""Files of networks that enlarge: weight files, to enlarge with, and checkpoints, to train on.

Both are as `tensor_file` has them. Their records say the network's form, and how it was trained.
"""

from pathlib import Path
from typing import NamedTuple, get_args

import jax
from jaxtyping import PyTree

from stylejax.errors import InputError
from stylejax.feedforward.training import TrainingState, state_from
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
from stylejax.superresolution.form import Body, Enlarger
from stylejax.superresolution.network import Parameters, init_parameters
from stylejax.superresolution.options import FACTORS
from stylejax.weights.read import bundled_folder

WEIGHTS, CHECKPOINT = "stylejax enlarger", "stylejax enlarger in training"
_LARGEST = 1024
"""No form in a record is larger: a wild number would ask for wild amounts of memory."""


class EnlargerFile(NamedTuple):
    """A network that enlarges, its numbers, and what its file says of it."""

    enlarger: Enlarger
    parameters: Parameters
    record: Record
    name: str
    sha256: str


def bundled_enlarger(factor: int) -> Path:
    """The weight file that ships with stylejax."""
    return bundled_folder() / f"upscale-x{factor}.safetensors"


def form_record(enlarger: Enlarger) -> Record:
    """What a record says of a network's form."""
    return enlarger._asdict()


def _is_whole(record: Record) -> bool:
    """Whether a record says what its readers ask for, in the types that they expect."""
    factor, *sizes = (record.get(name) for name in ("factor", "channels", "blocks"))
    spent = (record.get("steps", 0), record.get("progress", 0))
    # JSON's true is an int to Python, but of another type.
    fits = all(type(size) is int and 0 < size <= _LARGEST for size in sizes)
    counted = all(is_of_kind(each, float) for each in spent)
    known = type(factor) is int and factor in FACTORS and record.get("body") in get_args(Body)
    return fits and counted and known


def _read(path: Path) -> tuple[TensorFile, Enlarger]:
    """A file, and the form of its network."""
    file = read_tensor_file(path, (WEIGHTS, CHECKPOINT), "a network that enlarges")
    if not _is_whole(file.record):
        raise InputError(f"{path}: its record is damaged; get the file again")
    return file, Enlarger(*(file.record[name] for name in Enlarger._fields))


def parameter_shapes(enlarger: Enlarger) -> PyTree:
    """The shapes of a network's parameters."""
    return jax.eval_shape(lambda key: init_parameters(enlarger, key), jax.random.key(0))


def write_enlarger(path: Path, enlarger: Enlarger, parameters: Parameters, record: Record) -> None:
    """Write a weight file, its numbers as float16.

    Raises:
        InputError: a number does not fit into float16, or the file cannot be written.
    """
    write_weight_file(path, WEIGHTS, parameters, {**record, **form_record(enlarger)})


def read_enlarger(path: Path) -> EnlargerFile:
    """Read a weight file, its numbers as float32.

    Raises:
        InputError: the file is missing, damaged, of a later version or no weight file.
    """
    file, enlarger = _read(path)
    if file.what != WEIGHTS:
        raise InputError(f"{path}: a checkpoint of a training; name the weight file beside it")
    parameters = filled_tree(path, parameter_shapes(enlarger), file.tensors)
    return EnlargerFile(enlarger, parameters, file.record, path.name, file.sha256)


def write_enlarger_checkpoint(
    path: Path, enlarger: Enlarger, state: TrainingState, record: Record
) -> None:
    """Write all of a training's state.

    Raises:
        InputError: the file cannot be written.
    """
    tensors = flat_tensors(state)
    write_tensor_file(path, CHECKPOINT, tensors, {**record, **form_record(enlarger)})


def read_enlarger_state(path: Path, enlarger: Enlarger) -> tuple[TrainingState, Record]:
    """The state to go on from, and the record, of a checkpoint or of a weight file.

    A checkpoint's is the state that was written. A weight file's has its averaged parameters and a
    fresh optimizer; where its factor is another one, the body alone is its own, and the last
    convolution adds nothing to bicubic interpolation.

    Raises:
        InputError: as in `read_enlarger`, or the file's network has another form.
    """
    file, held = _read(path)
    if held._replace(factor=enlarger.factor) != enlarger:
        said = lambda form: f"body {form.body} of {form.channels} channels and {form.blocks} blocks"
        raise InputError(f"{path}: has {said(held)}, not {said(enlarger)}; give the same options")
    if file.what == WEIGHTS and (held == enlarger or held.body == "residual"):
        parameters = dict(filled_tree(path, parameter_shapes(held), file.tensors))
        if held.factor != enlarger.factor:
            parameters["tail"] = init_parameters(enlarger, jax.random.key(0))["tail"]
        return state_from(parameters), file.record
    if held.factor != enlarger.factor:
        raise InputError(
            f"{path}: is for factor {held.factor}, not {enlarger.factor}; from one to the other "
            "go weight files of the residual body"
        )
    template = jax.eval_shape(
        lambda key: state_from(init_parameters(enlarger, key)), jax.random.key(0)
    )
    return filled_tree(path, template, file.tensors), file.record
