"""Networks that judge pictures: `evaluate.py` measures style and content by their feature maps.

Any weight file that stylejax reads can be one, and GoogLeNet, the teacher of the bundled weights.
"""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax

from stylejax.networks.features import feature_extractor
from stylejax.weights.read import default_weights, read_names, read_weights
from stylejax.weights.zoo import find_weights
from training.googlenet import GoogLeNet, read_googlenet

JUDGED_LAYERS = {
    "densenet121": ("conv2_block4_0_relu", "conv3_block7_0_relu", "conv4_block9_0_relu"),
    "vgg16": ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
    "vgg19": ("relu1_2", "relu2_2", "relu3_4", "relu4_4"),
    "googlenet": ("conv1", "conv2", "3a", "3b", "4a"),
}
"""Layers that no default and no preset uses where the judge may be the optimized network itself."""


class Judge(NamedTuple):
    """A network that compares pictures: `features` maps one to its feature maps by layer."""

    name: str
    sha256: str
    network: str
    features: Callable[[Any], Any]


def read_judge(path: Path | None) -> Judge:
    """The judge of a weight file; the bundled weights' where none is named.

    Raises:
        InputError: the file is missing or damaged.
    """
    path = default_weights() if path is None else find_weights(path) or path
    keys, _ = read_names(path)
    if any(key.startswith("inception_3a") for key in keys):
        module = GoogLeNet(JUDGED_LAYERS["googlenet"])

        def first(variables: Any, image: Any) -> Any:
            maps: Any = module.apply(variables, image[None])
            return {name: batch[0] for name, batch in maps.items()}

        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        features = partial(jax.jit(first), read_googlenet(path))
        return Judge(path.stem, sha256, "googlenet", features)
    weights = read_weights(path)
    network = weights.architecture.network
    extract = feature_extractor(
        JUDGED_LAYERS[network], architecture=weights.architecture, epsilon=weights.epsilon
    )
    features = partial(jax.jit(extract), weights.variables)
    return Judge(path.stem, weights.sha256, network, features)
