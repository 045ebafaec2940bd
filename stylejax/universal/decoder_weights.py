"""Weight files of decoders: read, write, and refuse what does not fit.

A safetensors file with the float16 parameters of each block, the channel deviations of each tap
and, in the metadata, the sha256 of the encoder whose features the decoders were trained on.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from stylejax.errors import InputError
from stylejax.images.files import replace_file
from stylejax.types import PathLike, Variables
from stylejax.universal.decoders import BLOCKS, CHANNELS, LEVELS
from stylejax.weights.read import bundled_folder, read_tensor_file
from stylejax.weights.write import tensor_bytes

FORMAT = "stylejax-decoders-1"
BUNDLED = "universal-decoders.safetensors"


class Decoders(NamedTuple):
    """The chain of decoders and what is known of its file.

    `parameters` and `deviations` are by tap; `encoder` is the sha256 of the encoder's file, `steps`
    how long it was trained.
    """

    parameters: Variables
    deviations: Variables
    encoder: str
    steps: int
    name: str = ""
    sha256: str = ""


def _shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor of a file, with its shape."""
    shapes: dict[str, tuple[int, ...]] = {}
    for level in LEVELS:
        given = jax.ShapeDtypeStruct((1, 4, 4, CHANNELS[level]), jnp.float32)
        made = jax.eval_shape(BLOCKS[level].init, jax.random.key(0), given)
        leaves: dict[tuple[str, ...], Any] = dict(flatten_dict(made["params"]))
        shapes |= {".".join((level, *key)): leaf.shape for key, leaf in leaves.items()}
        shapes[f"{level}.deviations"] = (CHANNELS[level],)
    return shapes


def _steps(path: Path, metadata: Mapping[str, str]) -> int:
    """How long decoders were trained, 0 where their file does not say."""
    try:
        return int(metadata.get("steps", "0"))
    except ValueError as error:
        raise InputError(
            f"decoders {path}: its metadata are damaged; get the file again"
        ) from error


def read_decoders(path: PathLike | None = None, *, encoder: str | None = None) -> Decoders:
    """Read a weight file, the bundled one unless `path` names another.

    Args:
        path: a safetensors file that `write_decoders` made.
        encoder: sha256 of the encoder's weight file that the decoders are to fit; any unless given.

    Raises:
        InputError: the file is missing, damaged, not of decoders, or of another encoder.
    """
    path = bundled_folder() / BUNDLED if path is None else Path(path)
    tensors, metadata, sha256 = read_tensor_file(path, "decoders ")
    if metadata.get("format") != FORMAT:
        raise InputError(f"decoders {path}: not a file of decoders; name another, or none")
    trained_on = metadata.get("encoder", "")
    if encoder not in (None, trained_on):
        raise InputError(
            f"decoders {path}: trained on the encoder with sha256 {trained_on[:16]}..., not on "
            f"{str(encoder)[:16]}...; leave --weights out, or name the decoders of these weights"
        )
    parameters: dict[str, Any] = {}
    deviations: dict[str, Any] = {}
    for key, shape in _shapes().items():
        value = tensors.get(key)
        if value is None or value.shape != shape or not np.all(np.isfinite(value)):
            raise InputError(f"decoders {path}: {key} is missing or damaged; get the file again")
        level, *names = key.split(".")
        if names == ["deviations"]:
            deviations[level] = np.asarray(value, np.float32)
        else:
            parameters.setdefault(level, {})[tuple(names)] = np.asarray(value, np.float32)
    return Decoders(
        {level: {"params": unflatten_dict(flat)} for level, flat in parameters.items()},
        deviations,
        trained_on,
        _steps(path, metadata),
        path.name,
        sha256,
    )


def write_decoders(path: PathLike, decoders: Decoders) -> None:
    """Write a weight file: parameters in float16, deviations in float32.

    Raises:
        InputError: the file cannot be written.
    """
    tensors: dict[str, np.ndarray] = {
        f"{level}.deviations": np.asarray(decoders.deviations[level], np.float32)
        for level in LEVELS
    }
    for level in LEVELS:
        for key, leaf in flatten_dict(decoders.parameters[level]["params"]).items():
            tensors[".".join((level, *key))] = np.asarray(leaf, np.float16)
    # The bytes of a header follow the order of its entries.
    metadata = {
        "encoder": decoders.encoder,
        "format": FORMAT,
        "steps": json.dumps(decoders.steps),
    }
    replace_file(Path(path), tensor_bytes(tensors, metadata))
