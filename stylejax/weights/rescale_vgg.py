"""VGG with activations of mean 1, as Gatys et al. use it: rescaled on pictures, not trained.

Dividing what a convolution puts out by a positive number, and multiplying what the next one reads
by it, changes nothing else: ReLU and both poolings commute with positive factors. Source: Gatys,
Ecker, Bethge, Image Style Transfer Using Convolutional Neural Networks (2016), section 2.
"""

import itertools
from collections.abc import Iterable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from stylejax.errors import InputError
from stylejax.networks.features import feature_extractor
from stylejax.networks.layers import VggArchitecture
from stylejax.types import OtherImage, OtherPixels, Variables
from stylejax.weights.read import Weights

Means = Mapping[str, Float[np.ndarray, " _"]]


def mean_activations(weights: Weights, pictures: Iterable[OtherPixels]) -> Means:
    """Mean activation of each channel after each ReLU, over all positions of all pictures.

    Args:
        weights: a VGG.
        pictures: of any sizes, height x width x 3 in [0, 1]; they are read one at a time.

    Returns:
        The means by canonical name of the ReLU.

    Raises:
        InputError: the network is not a VGG, or there is no picture.
    """
    if not isinstance(weights.architecture, VggArchitecture):
        raise InputError(f"weights {weights.name}: hold no VGG; only a VGG can be normalized")
    table = weights.architecture.layers
    layers = [name for name, layer in table.items() if layer.kind == "relu"]
    extract = feature_extractor(weights, layers)

    @jax.jit
    def totals(variables: Variables, image: OtherImage) -> dict[str, jax.Array]:
        features = extract(variables, image)
        return {name: jnp.sum(features[name], axis=(0, 1)) for name in layers}

    sums = {name: np.zeros(()) for name in layers}
    positions = dict.fromkeys(layers, 0)
    for picture in pictures:
        height, width = picture.shape[:2]
        for name, total in totals(weights.variables, jnp.asarray(picture)).items():
            stride = table[name].stride
            # Sums over many pictures in float64, on the host.
            sums[name] = sums[name] + np.asarray(total, np.float64)
            positions[name] += -(-height // stride) * -(-width // stride)
    if not positions[layers[0]]:
        raise InputError("no picture to normalize on: name at least one")
    return {name: sums[name] / positions[name] for name in layers}


def rescaled_variables(
    variables: Variables, architecture: VggArchitecture, means: Means
) -> Variables:
    """Rescale a VGG so that each channel's mean activation is 1.

    A channel that is never active (mean 0) stays as it is.

    Args:
        variables: of the network that `means` was measured on (preprocessing stays as it is).
        architecture: its architecture.
        means: `mean_activations`.
    """
    params = dict(variables["params"])
    before = np.ones(3)
    for layer, relu in itertools.pairwise(architecture.layers.values()):
        if layer.kind != "convolution":
            continue
        module, measured = layer.module, means[relu.name]
        after = np.where(measured > 0.0, measured, 1.0)
        kernel = np.asarray(params[module]["kernel"], np.float64)
        bias = np.asarray(params[module]["bias"], np.float64)
        params[module] = {
            "kernel": (kernel * before[:, None] / after).astype(np.float32),
            "bias": (bias / after).astype(np.float32),
        }
        before = after
    return {**variables, "params": params}
