"""From published names and layouts to the network's variables: pure functions on dicts of arrays.

torchvision stores convolutions as output x input x height x width (OIHW), Flax as height x width x
input x output (HWIO), and a 1x1 convolution here is a matrix product with an input x output kernel.
VGG's convolutions have biases and no norms, DenseNet's the reverse.
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from stylejax.errors import InputError
from stylejax.networks.architectures import (
    DENSENET121,
    TITLES,
    AnyArchitecture,
    Layer,
    layer_table,
)
from stylejax.types import Variables

NORM_ENTRIES = {
    "weight": ("params", "scale"),
    "bias": ("params", "bias"),
    "running_mean": ("batch_stats", "mean"),
    "running_var": ("batch_stats", "var"),
}
"""torchvision's entries of a batch norm, in Keras's order, with the collections of Flax and theirs.

The bias of a convolution has the second one's place.
"""
# The classifier, and counters that training alone reads.
_NOT_FEATURES = r"classifier\.(\d\.)?(weight|bias)|.*\.num_batches_tracked"
# torchvision's DenseNet files of 2017 say norm.1, as modules could have dots in their names then.
_OLD_SPELLING = re.compile(r"(features\.denseblock.*\.)(norm|relu|conv)\.(\d\..*)")


def parameter_shapes(layers: Iterable[Layer]) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter and statistic of some layers, by torchvision's key."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in layers:
        of_channels = (layer.channels,)
        if layer.kind == "convolution":
            rows, columns, inputs, outputs = layer.kernel
            shapes[f"{layer.torchvision}.weight"] = (outputs, inputs, rows, columns)
            if layer.has_bias:
                shapes[f"{layer.torchvision}.bias"] = of_channels
        elif layer.kind == "norm":
            shapes |= {f"{layer.torchvision}.{entry}": of_channels for entry in NORM_ENTRIES}
    return shapes


def expected_shapes(architecture: AnyArchitecture = DENSENET121) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter of the feature extractor, by torchvision's key."""
    return parameter_shapes(layer_table(architecture).values())


def checked_tensors(
    tensors: Mapping[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
    dropped: str,
    network: str,
) -> dict[str, np.ndarray]:
    """The tensors of a network as float32, in the order of `shapes`; all else is refused.

    `dropped` is a pattern of keys that may be there and are left out; `network` is for the message.

    Raises:
        InputError: a key is unknown or missing, has the wrong shape, or is not finite.
    """
    for key in tensors:
        if key not in shapes and not re.fullmatch(dropped, key):
            raise InputError(f"unknown key {key!r}: not a {network} in torchvision's names")
    checked: dict[str, np.ndarray] = {}
    for key, shape in shapes.items():
        if key not in tensors:
            raise InputError(f"key {key!r} is missing: not a whole {network}")
        if tensors[key].shape != shape:
            raise InputError(f"key {key!r} has shape {tensors[key].shape}, expected {shape}")
        if tensors[key].dtype.kind not in "fiub":
            raise InputError(f"key {key!r} holds {tensors[key].dtype}, no real numbers")
        with np.errstate(over="ignore"):
            checked[key] = np.asarray(tensors[key], np.float32, order="C")
        if not np.isfinite(checked[key]).all():
            raise InputError(f"key {key!r} holds numbers that are not finite: get the file again")
        if key.endswith("running_var") and (checked[key] < 0).any():
            raise InputError(f"key {key!r} holds a negative variance: get the file again")
    return checked


def variables_from_state_dict(
    tensors: Mapping[str, np.ndarray], architecture: AnyArchitecture = DENSENET121
) -> Variables:
    """Turn torchvision's state dict of a network into the Flax module's variables, in float32.

    Both spellings of a dense layer's keys are taken (`norm.1` and `norm1`); the classifier and
    the counters of seen batches are dropped.

    Raises:
        InputError: a key is unknown or missing, has the wrong shape, or is not finite.
    """
    params: dict[str, dict[str, np.ndarray]] = {}
    statistics: dict[str, dict[str, np.ndarray]] = {}
    tensors = {_OLD_SPELLING.sub(r"\1\2\3", key): value for key, value in tensors.items()}
    shapes, title = expected_shapes(architecture), TITLES[architecture.network]
    for key, value in checked_tensors(tensors, shapes, _NOT_FEATURES, title).items():
        module, entry = key.removeprefix("features.").rsplit(".", 1)
        if value.ndim == 1:
            collection, name = NORM_ENTRIES[entry]
            target = params if collection == "params" else statistics
            target.setdefault(module, {})[name] = value
        else:
            kernel = (
                value[:, :, 0, 0].T if value.shape[2:] == (1, 1) else value.transpose(2, 3, 1, 0)
            )
            params.setdefault(module, {})["kernel"] = np.ascontiguousarray(kernel)
    return {"params": params} | ({"batch_stats": statistics} if statistics else {})


def state_dict_from_variables(variables: Variables) -> dict[str, np.ndarray]:
    """The inverse of `variables_from_state_dict`, for writing a weight file."""
    tensors: dict[str, np.ndarray] = {}
    for entry, (collection, name) in NORM_ENTRIES.items():
        for module, values in variables.get(collection, {}).items():
            if name in values:
                tensors[f"features.{module}.{entry}"] = np.asarray(values[name])
    for module, values in variables["params"].items():
        if "kernel" in values:
            kernel = np.asarray(values["kernel"])
            kernel = kernel.T[..., None, None] if kernel.ndim == 2 else kernel.transpose(3, 2, 0, 1)
            tensors[f"features.{module}.weight"] = np.ascontiguousarray(kernel)
    return tensors
