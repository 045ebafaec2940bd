"""The commands that print what there is, as in `commands.py` beside it."""

from dataclasses import dataclass
from pathlib import Path

from stylejax.fields import option, required
from stylejax.options import NetworkName


@dataclass(frozen=True)
class Info:
    """Print versions, devices, caches and weights, and whether JAX computes right here.

    Examples:
        stylejax info
        stylejax info --device cpu
    """

    device: str | None = option(None, "Of this kind of device alone; JAX's choice unless given.")


@dataclass(frozen=True)
class Layers:
    """List a network's layers: all names, channels, shape, stride, receptive field.

    Examples:
        stylejax layers
        stylejax layers --network vgg19 --size 640x480
    """

    network: NetworkName = option("densenet121", "The network.")
    size: str = option(
        "512", "Size of the picture that shapes are given for: 512, or width x height as 640x480."
    )


@dataclass(frozen=True)
class Show:
    """Print the settings that a picture was made with, as JSON.

    Examples:
        stylejax show out.png
        stylejax show out.png > settings.json
    """

    picture: Path = required("A picture that stylejax wrote.")


@dataclass(frozen=True)
class Presets:
    """List the presets: those of published programs, and your own.

    Your own are .json files in the folder that --folder prints, as `stylejax show` writes them.

    Examples:
        stylejax presets
        stylejax presets --folder
    """

    folder: bool = option(
        False, "Print the folder of your own presets, which is made where there is none."
    )


@dataclass(frozen=True)
class ListWeights:
    """List the weights that have a name, and which of them are here.

    Examples:
        stylejax weights list
        stylejax weights list | grep vgg19
    """


@dataclass(frozen=True)
class FetchWeights:
    """Bring published weights to the user's cache, checked and converted.

    Examples:
        stylejax weights fetch densenet121-torchvision
        stylejax weights fetch vgg19-caffe
    """

    name: str = required("A name that `stylejax weights list` shows.")


@dataclass(frozen=True)
class ConvertWeights:
    """Turn a published weight file into one that --weights takes, or --style where it is a style.

    Encoders come as safetensors, of torch or of Keras; styles from pytorch/examples (.pth),
    Johnson's fast-neural-style (.t7) and lengstrom's fast-style-transfer (a folder of variables
    with its manifest.json). Nothing in a file is ever run.

    Examples:
        stylejax weights convert vgg19-dcbb9e9d.pth -o vgg19.safetensors
        stylejax weights convert candy.pth -o candy.safetensors
    """

    file: Path = required(
        "The file as published, known by its content: .safetensors, .pth, .h5, .weights.h5, .keras "
        "or .t7, or a folder of variables."
    )
    output: Path = required("The .safetensors file to write.")


@dataclass(frozen=True)
class VerifyWeights:
    """Say what a weight file is, and whether it is whole and one that was published.

    Examples:
        stylejax weights verify vgg19.safetensors
        stylejax weights verify densenet121-torchvision
    """

    file: Path = required(
        "A weight file in any known form, or a name that `stylejax weights list` shows."
    )


@dataclass(frozen=True)
class WeightFiles:
    """List, fetch, convert and verify weight files.

    Examples:
        stylejax weights list
        stylejax weights fetch densenet121-torchvision
    """

    action: ListWeights | FetchWeights | ConvertWeights | VerifyWeights
