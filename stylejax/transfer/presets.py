"""Options that reproduce published programs, and those that suit each network: tables of values.

A preset is a network, a source and values of options under their names on the command line;
whatever it does not name keeps its default. docs/presets.md says what of each program is
reproduced, what is not, and why. Weights of layers are means here: a program that adds up five
layers at 100 each has a `style_weight` of 500.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from stylejax.options import NetworkName, Options, flatten_options, options_from_flat

PresetName = Literal["notebook", "gatys", "narayanan", "neural-style"]


class Preset(NamedTuple):
    """A published program: the network it looks through, where it is found, and its options."""

    network: NetworkName
    source: str
    values: Mapping[str, Any]


_FIRST_OF_EACH_BLOCK = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]

# Layers and pooling of Gatys et al.; all else, the relative form with its weights among it, is
# as for DenseNet.
_VGG_VALUES = {
    "content_layers": ["relu4_2"],
    "style_layers": _FIRST_OF_EACH_BLOCK,
    "pooling": "average",
}

# What all of them have in common: Gram matrices, wherever in the picture, and a single solve at
# full size, on pixels.
_PLAIN = {
    "style_loss": "gram",
    "placement": 0.0,
    "parameterization": "pixel",
    "levels": 1,
    "level_iterations": [],
    "level_content_weights": [],
    "level_tv_weights": [],
}

NETWORK_VALUES: Mapping[NetworkName, Mapping[str, Any]] = {
    "densenet121": {},
    "vgg16": _VGG_VALUES,
    "vgg19": _VGG_VALUES,
}

PRESETS: dict[PresetName, Preset] = {
    "notebook": Preset(
        network="densenet121",
        source="Neural Style Transfer using DenseNet, notebook and post of 22 July 2018",
        values={
            "size": 512,
            "init": "uniform",
            "style_weight": 100.0,
            "tv_form": "power",
            **_PLAIN,
            # With layers and weights of ours, 80 iterations on pixels find no content in the noise.
            "parameterization": "fourier",
            "iterations": 80,
        },
    ),
    "gatys": Preset(
        network="vgg19",
        source="Gatys, Ecker, Bethge, arXiv 1508.06576 and CVPR 2016; "
        "github.com/leongatys/PytorchNeuralStyleTransfer, NeuralStyleTransfer.ipynb",
        values={
            "size": 512,
            "init": "content",
            "content_layers": ["relu4_2"],
            "style_layers": _FIRST_OF_EACH_BLOCK,
            "content_weight": 1.0,
            # 1e3 / N^2 for each of five layers; the form `mean` holds the 1 / N^2.
            "style_weight": 5e3,
            "tv_weight": 0.0,
            "loss_form": "mean",
            "pooling": "average",
            **_PLAIN,
            "iterations": 500,
            "evaluations": 500,
            "lbfgs_history": 100,
        },
    ),
    "narayanan": Preset(
        network="vgg16",
        source="Narayanan, Convolutional neural networks for artistic style transfer (2017), "
        "harishnarayanan.org/writing/artistic-style-transfer; "
        "github.com/hnarayanan/artistic-style-transfer, notebook 6",
        values={
            "size": 512,
            "init": "uniform",
            "content_layers": ["relu2_2"],
            "style_layers": ["relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"],
            "content_weight": 0.025,
            # 1 for each of five layers.
            "style_weight": 5.0,
            "tv_weight": 1.0,
            "loss_form": "sum",
            "tv_form": "power-sum",
            "pooling": "max",
            **_PLAIN,
            "iterations": 200,
            "evaluations": 200,
            "lbfgs_history": 10,
        },
    ),
    "neural-style": Preset(
        network="vgg19",
        source="Johnson, github.com/jcjohnson/neural-style (2015), neural_style.lua",
        values={
            "size": 512,
            "init": "mean",
            "content_layers": ["relu4_2"],
            "style_layers": _FIRST_OF_EACH_BLOCK,
            "content_weight": 5.0,
            # 100 for each of five layers.
            "style_weight": 500.0,
            "tv_weight": 1e-3,
            "loss_form": "mean",
            "tv_form": "squared-sum",
            "pooling": "max",
            **_PLAIN,
            "iterations": 1000,
            "evaluations": 1000,
            "lbfgs_history": 100,
        },
    ),
}


def network_options(network: NetworkName) -> Options:
    """The default options on a network."""
    return options_from_flat(dict(NETWORK_VALUES[network]))


def preset_options(name: PresetName, base: Options | None = None) -> Options:
    """The options of a published program, over those of `base` (its network's defaults)."""
    preset = PRESETS[name]
    base = network_options(preset.network) if base is None else base
    return options_from_flat(flatten_options(base) | dict(preset.values))
