"""Reading the weights of Keras models from HDF5, in each of the forms that Keras has written.

The legacy form (`.h5`, also within a whole model under `model_weights`) lists layers and their
arrays in attributes, by name. The present form (`.weights.h5`, and inside the zip archive `.keras`)
has a group for each layer, called by its class and a counter in the order of the model's layers;
the layer's name stands in an attribute since Keras 3.15 and nowhere before. tf.keras 2.13 wrote
the same under another root.
Formats: keras/src/legacy/saving/legacy_h5_format.py, keras/src/saving/saving_lib.py.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stylejax.errors import InputError

HDF5_START = b"\x89HDF\r\n\x1a\n"
_ROOTS = {
    "layers": "Keras 3 weights",
    "_layer_checkpoint_dependencies": "tf.keras 2.13 weights",
}
_MOST_NUMBERS = 2**28
"""VGG-19 has 144 million. More would only be a way to fill the memory: arrays may be compressed, or
named again and again."""


class KerasLayer(NamedTuple):
    """A layer's arrays in Keras's order, and its name where the file tells it."""

    name: str | None
    arrays: list[np.ndarray]


def check_hdf5() -> None:
    """Refuse where h5py is not installed.

    Raises:
        InputError: says how to install it.
    """
    try:
        import h5py  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise InputError(
            'Keras\'s files are HDF5, which needs h5py: run `pip install "stylejax[convert]"`'
        ) from error


class _Arrays:
    """Reads arrays, and no more numbers in all than a network has."""

    def __init__(self) -> None:
        self.left = _MOST_NUMBERS

    def read(self, group: Any, name: str) -> np.ndarray:
        """The array of that name, out of this very file."""
        dataset = _dataset(group, name)
        self.left -= dataset.size
        if self.left < 0:
            raise InputError(
                f"{name!r} has {dataset.size} numbers, with which there are more than any of these "
                "networks has"
            )
        return dataset[()]


def _dataset(group: Any, name: str) -> Any:
    dataset = group[name]
    # HDF5 can point to other files: none but this one is read.
    if dataset.file != group.file or dataset.external or dataset.is_virtual:
        raise InputError(f"{name!r} lies in another file: refused")
    return dataset


def _names(group: Any, attribute: str) -> list[str]:
    """A list kept in an attribute, or split over numbered ones where it is too long for one."""
    parts = [attribute, *(f"{attribute}{index}" for index in range(len(group.attrs)))]
    values = [value for part in parts for value in group.attrs.get(part, ())]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _legacy_layers(root: Any) -> Iterator[KerasLayer]:
    # The attributes, not the groups: a layer called conv1/conv lies in a group conv1 which is none.
    stored = _Arrays()
    for name in _names(root, "layer_names"):
        arrays = [stored.read(root[name], weight) for weight in _names(root[name], "weight_names")]
        if arrays:
            yield KerasLayer(name, arrays)


def _numbered(name: str) -> tuple[str, int]:
    """HDF5 lists conv2d_10 before conv2d_2; by class and number they are in the model's order."""
    match = re.fullmatch(r"(.*?)(?:_(\d+))?", name)
    assert match is not None
    return match[1], int(match[2] or 0)


def _present_layers(root: Any) -> Iterator[KerasLayer]:
    arrays = _Arrays()
    for name in sorted(root, key=_numbered):
        stored = root[name].get("vars")
        if stored is not None and len(stored):
            given = [arrays.read(stored, number) for number in sorted(stored, key=int)]
            yield KerasLayer(stored.attrs.get("name"), given)


def _read(file: Path | io.BytesIO) -> tuple[str, list[KerasLayer]]:
    import h5py

    with h5py.File(file, "r") as opened_file:
        opened: Any = opened_file
        for root, form in ((opened.get("model_weights"), "whole model"), (opened, "weights")):
            if root is not None and {"layer_names", "layer_names0"} & set(root.attrs):
                return f"Keras legacy HDF5 ({form})", list(_legacy_layers(root))
        for name, form in _ROOTS.items():
            if name in opened:
                return form, list(_present_layers(opened[name]))
    raise InputError("HDF5, but not the weights of a Keras model")


def read_keras(path: Path) -> tuple[str, list[KerasLayer]]:
    """Read a Keras file, HDF5 or `.keras`; returns the form's name and the layers with weights.

    Raises:
        InputError: h5py is not installed, or the file is damaged or not one of Keras's.
    """
    check_hdf5()
    try:
        if not zipfile.is_zipfile(path):
            return _read(path)
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo("model.weights.h5")
            if member.compress_type != zipfile.ZIP_STORED:
                raise InputError("a compressed archive: not as Keras writes it")
            form, layers = _read(io.BytesIO(archive.read(member)))
            return f"{form} (.keras)", layers
    except InputError:
        raise
    except Exception as error:  # h5py has no exception of its own for damaged files.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"not a whole Keras file ({reason}): get it again") from error
