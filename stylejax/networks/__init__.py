"""Variables and a picture come in.

Out go named feature maps, computed as in the papers, or by the tuned forms in `kernels`.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
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
else:
    __getattr__, __dir__ = lazy_names(
        __name__, "architectures", "densenet", "features", "layers", "vgg"
    )

__all__ = [
    "ARCHITECTURES",
    "AnyArchitecture",
    "AnyNetwork",
    "Architecture",
    "DENSENET121",
    "DenseNet",
    "FeatureExtractor",
    "KnownNetwork",
    "Layer",
    "Network",
    "VGG16",
    "VGG19",
    "Vgg",
    "VggArchitecture",
    "canonical_layer",
    "canonical_layers",
    "feature_extractor",
    "folded_variables",
    "layer_table",
    "network_layers",
]
