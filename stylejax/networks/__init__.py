"""Frozen networks as pure functions: in come variables and a picture, out come named feature maps.

`architectures` says what each network is, `densenet` and `vgg` compute it, `features` makes it a
function of a picture in [0, 1]; `kernels` holds tuned forms of the same functions.
"""

from stylejax.networks.architectures import (
    ARCHITECTURES,
    DENSENET121,
    VGG16,
    VGG19,
    AnyArchitecture,
    Architecture,
    Layer,
    VggArchitecture,
    layer_table,
)
from stylejax.networks.densenet import DenseNet
from stylejax.networks.features import FeatureExtractor, feature_extractor, folded_variables
from stylejax.networks.layers import (
    AnyNetwork,
    KnownNetwork,
    Network,
    canonical_layer,
    canonical_layers,
    network_layers,
)
from stylejax.networks.vgg import Vgg

__all__ = [
    "ARCHITECTURES",
    "DENSENET121",
    "VGG16",
    "VGG19",
    "AnyArchitecture",
    "AnyNetwork",
    "Architecture",
    "DenseNet",
    "FeatureExtractor",
    "KnownNetwork",
    "Layer",
    "Network",
    "Vgg",
    "VggArchitecture",
    "canonical_layer",
    "canonical_layers",
    "feature_extractor",
    "folded_variables",
    "layer_table",
    "network_layers",
]
