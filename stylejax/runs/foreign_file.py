"""Files of styles that other programs have trained: converted, written, read.

They are as `tensor_file` has them. Their records say which program made a style, how it knows
colors, and its steps.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stylejax.errors import InputError
from stylejax.feedforward.foreign import paint_foreign
from stylejax.images.files import check_not_inputs, check_writable
from stylejax.images.paths import is_folder, is_special, path_exists
from stylejax.runs.metadata import STYLE_SUFFIX
from stylejax.runs.tensor_file import read_tensor_file, write_tensor_file
from stylejax.weights.convert import convert_weights, describe_weights, recognized_form
from stylejax.weights.foreign import (
    ForeignStyle,
    is_pytorch_style,
    lengstrom_style,
    pytorch_style,
)
from stylejax.weights.formats.torch import read_torch
from stylejax.weights.formats.torch7 import is_torch7, read_torch7
from stylejax.weights.formats.variables import manifest_of, read_variables
from stylejax.weights.johnson import johnson_style
from stylejax.weights.read import read_names

WHAT = "stylejax foreign style"
_TRIED = 64
"""Side in pixels of the picture that a style is tried with, as shapes alone."""


class ForeignFile(NamedTuple):
    """A style of another program, and its file."""

    style: ForeignStyle
    name: str
    sha256: str


def _style_of(path: Path) -> ForeignStyle | None:
    """The style in a file of another program; None where it is a file of something else."""
    manifest = manifest_of(path)
    if manifest is not None:
        return lengstrom_style(read_variables(manifest))
    if is_folder(path) or is_special(path) or not path_exists(path):
        return None
    with path.open("rb") as file:
        if is_torch7(file.read(8)):
            return johnson_style(read_torch7(path))
    form = recognized_form(path)
    if form in ("safetensors", "keras"):
        return None
    tensors = read_torch(path, form)
    return pytorch_style(tensors) if is_pytorch_style(tensors) else None


def _check_style(style: ForeignStyle) -> None:
    """Find out whether a style paints a picture, without painting one.

    Raises:
        InputError: a step or a tensor is missing, unknown or of a wrong shape, or not finite.
    """
    picture = jax.ShapeDtypeStruct((_TRIED, _TRIED, 3), jnp.float32)
    shapes = {
        name: jax.ShapeDtypeStruct(tensor.shape, jnp.float32)
        for name, tensor in style.tensors.items()
    }
    try:
        paint = lambda tensors, picture: paint_foreign(style._replace(tensors=tensors), picture)
        made = jax.eval_shape(paint, shapes, picture)
    except Exception as error:  # Odd values of a step can fail in any way.
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"its layers do not fit together ({reason}): get the file again") from None
    if made.shape != picture.shape:
        raise InputError(f"makes {made.shape} of a picture of {picture.shape}: not a whole style")
    for name, tensor in style.tensors.items():
        if not np.isfinite(tensor).all():
            raise InputError(f"tensor {name!r} is not finite: get the file again")


def convert_any(path: Path, output: Path) -> str:
    """Convert a weight file of any known form, an encoder's or a style's; returns what it is.

    Raises:
        InputError: the file cannot be used, or the output not written; nothing is left then.
    """
    source = manifest_of(path) or path
    check_writable(output)
    check_not_inputs([output], [source])
    try:
        style = _style_of(path)
        if style is not None:
            _check_style(style)
    except (InputError, OSError) as error:
        message = str(error).removeprefix(f"weights {path}: ")
        raise InputError(f"weights {path}: {message}") from error
    if style is None:
        made = convert_weights(path, output)
        return f"{made.network}, from {made.form}"
    if output.suffix != STYLE_SUFFIX:
        raise InputError(f"{output}: a converted style is named {STYLE_SUFFIX}")
    record = {
        "program": style.program,
        "order": style.order,
        "input_mean": style.input_mean,
        "output_mean": style.output_mean,
        "steps": style.steps,
        "source": path.resolve().name,
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }
    tensors = {name: np.asarray(each, np.float32) for name, each in style.tensors.items()}
    write_tensor_file(output, WHAT, tensors, record)
    return f"a style of {style.program}; `stylejax apply photo.jpg --style {output}` paints in it"


def is_foreign_file(path: Path) -> bool:
    """Whether a file holds a style of another program, converted."""
    try:
        return path.is_file() and read_names(path)[1].get("what") == WHAT
    except (OSError, ValueError):
        # What is no file of this kind is somebody else's to refuse.
        return False


def read_foreign(path: Path) -> ForeignFile:
    """Read a converted style.

    Raises:
        InputError: the file is missing, damaged or of another kind.
    """
    file = read_tensor_file(path, (WHAT,), "another program's style")
    record = file.record
    try:
        means = [tuple(map(float, record[name])) for name in ("input_mean", "output_mean")]
        if not np.isfinite(np.concatenate(means)).all():
            raise ValueError("a mean is not finite")
        order, program = str(record["order"]), str(record["program"])
        style = ForeignStyle(program, order, means[0], means[1], record["steps"], file.tensors)
        _check_style(style)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InputError(f"{path}: its record is damaged; convert the file again") from None
    return ForeignFile(style, path.name, file.sha256)


def describe_any(path: Path) -> list[str]:
    """What a weight file is, in lines to print, after it has been checked throughout.

    Raises:
        InputError: it is damaged, incomplete, or no weight file.
    """
    if not is_foreign_file(path):
        return describe_weights(path)
    file = read_foreign(path)
    numbers = sum(tensor.size for tensor in file.style.tensors.values())
    return [
        f"{path}",
        f"  form     a style of {file.style.program}, converted",
        f"  network  {len(file.style.tensors)} tensors, {numbers:,} numbers",
        f"  sha256   {file.sha256}",
    ]
