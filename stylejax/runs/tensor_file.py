"""Files of networks of stylejax's own: a tree's numbers by name, and what they are.

They are safetensors files, whose metadata say `what` a file is, the `version` of its form, and in
its `record` all else.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from stylejax.errors import InputError
from stylejax.images.files import replace_file
from stylejax.runs.metadata import Record
from stylejax.strict_json import json_text
from stylejax.weights.read import read_tensor_file as verified_tensors
from stylejax.weights.write import tensor_bytes

VERSION = 1

Leaf = jax.Array | np.ndarray | jax.ShapeDtypeStruct


class TensorFile(NamedTuple):
    """What a file is, its tensors, what it says of its network, and its checksum."""

    what: str
    tensors: dict[str, np.ndarray]
    record: Record
    sha256: str


def _named_leaves(tree: PyTree) -> dict[str, Leaf]:
    """A tree's leaves by the names of the branches that lead to them."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator=".")
    return {name(path): leaf for path, leaf in leaves}


def flat_tensors(tree: PyTree) -> dict[str, np.ndarray]:
    """A tree's leaves by name, as a file has them."""
    return {name: np.asarray(leaf) for name, leaf in _named_leaves(tree).items()}


def filled_tree(path: Path, template: PyTree, tensors: Mapping[str, np.ndarray]) -> PyTree:
    """The template with a file's numbers.

    Raises:
        InputError: names or shapes differ, or a number is not finite.
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


def write_tensor_file(
    path: Path, what: str, tensors: Mapping[str, np.ndarray], record: Record
) -> None:
    """Write a file, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    metadata = {"what": what, "version": str(VERSION), "record": json_text(record)}
    replace_file(path, tensor_bytes(tensors, metadata))


def write_weight_file(path: Path, what: str, parameters: PyTree, record: Record) -> None:
    """Write a network's parameters as float16.

    Raises:
        InputError: a number does not fit into float16, or the file cannot be written.
    """
    # What does not fit becomes infinite here, and is told below.
    with np.errstate(over="ignore"):
        tensors = {n: leaf.astype(np.float16) for n, leaf in flat_tensors(parameters).items()}
    broken = [name for name, leaf in tensors.items() if not np.isfinite(leaf).all()]
    if broken:
        raise InputError(f"{path}: {broken[0]} is not finite in float16; train at a lower rate")
    write_tensor_file(path, what, tensors, record)


def read_tensor_file(path: Path, kinds: Collection[str], network: str) -> TensorFile:
    """Read a file of one of some kinds, `network` in words.

    Raises:
        InputError: the file is missing, damaged, of a later version or of another kind.
    """
    tensors, metadata, sha256 = verified_tensors(path, "")
    what = metadata.get("what")
    if what is None or what not in kinds:
        raise InputError(f"{path}: no weight file of {network}; name one of those")
    try:
        version, record = int(metadata["version"]), json.loads(metadata["record"])
    except (KeyError, TypeError, ValueError, RecursionError):
        version, record = 0, None
    if version > VERSION:
        raise InputError(f"{path}: made by a later version of stylejax; update stylejax")
    if not isinstance(record, dict):
        raise InputError(f"{path}: its record is damaged; get the file again")
    return TensorFile(what, tensors, record, sha256)
