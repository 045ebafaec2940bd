"""State dicts of the known networks: which network it is, complete or not, in one spelling.

The form that stylejax writes is torchvision's plain network without its classifier: `features.*`,
convolutions as output x input x height x width. Keras's layers are brought to it (convolutions
there are height x width x input x output), and batch norms of a VGG are folded into it.
Sources: torchvision/models/densenet.py and vgg.py, keras/src/applications/densenet.py and vgg16.py.
"""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from stylejax.errors import InputError
from stylejax.networks.architectures import (
    ARCHITECTURES,
    TITLES,
    VGG16,
    VGG19,
    Kind,
    Layer,
    VggArchitecture,
    vgg_layers,
)
from stylejax.options import NetworkName
from stylejax.weights.formats.keras import KerasLayer
from stylejax.weights.names import (
    NORM_ENTRIES,
    checked_tensors,
    parameter_shapes,
    state_dict_from_variables,
    variables_from_state_dict,
)

_VGGS: dict[NetworkName, VggArchitecture] = {"vgg16": VGG16, "vgg19": VGG19}
_NOT_FEATURES = r"classifier\.\d\.\w+|pre_logits\.fc\d\.\w+|head\.fc\.\w+|.*\.num_batches_tracked"
"""What torchvision's and timm's VGG files hold besides the feature extractor."""
# Layers behind the feature extractor in keras.applications' VGG and DenseNet.
_KERAS_CLASSIFIER = ("fc1", "fc2", "fc1000", "predictions")
# The default of torch.nn.BatchNorm2d.
_TORCH_EPSILON = 1e-5


def vgg_shapes(network: NetworkName, batch_norm: bool = False) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter of a VGG's feature extractor, by torchvision's key."""
    return parameter_shapes(vgg_layers(_VGGS[network], with_norms=batch_norm))


def _modules(layers: Iterable[Layer], kind: Kind) -> list[str]:
    return [layer.torchvision for layer in layers if layer.kind == kind]


def _folded(tensors: Mapping[str, np.ndarray], network: NetworkName) -> dict[str, np.ndarray]:
    """Put each batch norm into the convolution before it; in double precision, then rounded."""
    folded: dict[str, np.ndarray] = {}
    theirs = vgg_layers(_VGGS[network], with_norms=True)
    convolutions, norms = (_modules(theirs, kind) for kind in ("convolution", "norm"))
    ours = _modules(vgg_layers(_VGGS[network]), "convolution")
    for convolution, norm, own in zip(convolutions, norms, ours, strict=True):
        kernel, bias = (
            tensors[f"{convolution}.{entry}"].astype(float) for entry in ("weight", "bias")
        )
        scale, shift, mean, variance = (
            tensors[f"{norm}.{entry}"].astype(float) for entry in NORM_ENTRIES
        )
        scale = scale / np.sqrt(variance + _TORCH_EPSILON)
        kernel = kernel * scale[:, None, None, None]
        bias = (bias - mean) * scale + shift
        folded[f"{own}.weight"] = kernel.astype(np.float32)
        folded[f"{own}.bias"] = bias.astype(np.float32)
    return folded


def standard_state_dict(
    tensors: Mapping[str, np.ndarray],
) -> tuple[NetworkName, dict[str, np.ndarray]]:
    """Recognize a state dict in torchvision's or timm's names; returns network and tensors.

    The tensors are complete, of the right shapes, finite, float32, in torchvision's present
    spelling, without classifier and counters, without VGG's batch norm.

    Raises:
        InputError: the keys are those of no known network, or a key is unknown or missing, has the
            wrong shape, or holds numbers that are not finite.
    """
    if any(key.startswith(("features.conv0.", "features.denseblock")) for key in tensors):
        return "densenet121", state_dict_from_variables(variables_from_state_dict(tensors))
    kernels = [key for key, tensor in tensors.items() if tensor.ndim == 4]
    kernels = [key for key in kernels if re.fullmatch(r"features\.\d+\.weight", key)]
    if not kernels:
        some = ", ".join(repr(key) for key in list(tensors)[:3]) or "none"
        raise InputError(f"neither a DenseNet-121 nor a VGG-16 or VGG-19 (keys: {some}...)")
    batch_norm = any(key.endswith("running_mean") for key in tensors)
    # The one with which it shares the most, so that what is missing or too much can be named.
    candidates: list[NetworkName] = list(_VGGS)
    shared = [
        len(shapes.keys() & tensors.keys()) / len(shapes)
        for shapes in (vgg_shapes(network, batch_norm) for network in candidates)
    ]
    network = candidates[shared.index(max(shared))]
    shapes = vgg_shapes(network, batch_norm)
    checked = checked_tensors(tensors, shapes, _NOT_FEATURES, TITLES[network])
    return network, _folded(checked, network) if batch_norm else checked


def _keras_modules(network: NetworkName) -> dict[str, str]:
    """Keras's layers that have parameters, in the model's order, with torchvision's modules."""
    layers = ARCHITECTURES[network].layers.values()
    return {
        # Keras's convolutions of VGG end in their ReLU.
        layer.keras or after.keras: layer.torchvision
        for layer, after in itertools.pairwise(layers)
        if layer.kind in ("convolution", "norm")
    }


def _is_convolution(layer: KerasLayer) -> bool:
    return layer.arrays[0].ndim == 4


def _named(layers: Sequence[KerasLayer]) -> tuple[NetworkName, dict[str, KerasLayer]]:
    """The layers by Keras's present names, which some forms do not hold: then by their order."""
    given = {layer.name.replace("/", "_"): layer for layer in layers if layer.name is not None}
    if len(given) == len(layers):
        vgg = "vgg19" if "block3_conv4" in given else "vgg16"
        network = vgg if any(name.startswith("block") for name in given) else "densenet121"
        return network, {
            name: layer for name, layer in given.items() if name not in _KERAS_CLASSIFIER
        }
    convolutions = [layer for layer in layers if _is_convolution(layer)]
    norms = [layer for layer in layers if len(layer.arrays) == 4]
    for network in ARCHITECTURES:
        names = _keras_modules(network)
        norm_names = [name for name in names if name.endswith("bn")]
        convolution_names = [name for name in names if not name.endswith("bn")]
        if (len(convolution_names), len(norm_names)) == (len(convolutions), len(norms)):
            pairs = zip(convolution_names + norm_names, convolutions + norms, strict=True)
            return network, dict(pairs)
    raise InputError(
        f"{len(convolutions)} convolutions and {len(norms)} batch norms: "
        "neither a DenseNet-121 nor a VGG-16 or VGG-19"
    )


def keras_state_dict(layers: Sequence[KerasLayer]) -> dict[str, np.ndarray]:
    """The layers of a Keras model as a state dict in torchvision's names and layout.

    Keras's VGG takes blue, green, red; the first kernel's input channels are turned round, so that
    the network takes red, green, blue like all the others.

    Raises:
        InputError: the layers are those of no known network.
    """
    network, named = _named(layers)
    modules = _keras_modules(network)
    tensors: dict[str, np.ndarray] = {}
    for name, layer in named.items():
        if name not in modules:
            raise InputError(f"unknown layer {name!r}: not a {TITLES[network]} as Keras has it")
        arrays = layer.arrays
        if _is_convolution(layer):
            arrays = [arrays[0].transpose(3, 2, 0, 1), *arrays[1:]]
        for entry, array in zip(NORM_ENTRIES, arrays, strict=False):
            tensors[f"{modules[name]}.{entry}"] = array
    if network != "densenet121" and "features.0.weight" in tensors:
        tensors["features.0.weight"] = tensors["features.0.weight"][:, ::-1]
    return tensors
