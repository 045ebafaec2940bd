"""From a picture to named feature maps: the network as a function `(variables, image)`.

Here a picture in [0, 1] is padded by reflection, normalized as the weights want it, sent through
the network, and the feature maps are cropped to the picture again. The padding keeps the zeros
that the network's convolutions pad with away from the picture, and fills sizes that are no multiple
of the network's stride; it is part of the function, so gradients flow through it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from stylejax.networks.densenet import DenseNet
from stylejax.networks.layers import (
    DENSENET121,
    AnyArchitecture,
    VggArchitecture,
    canonical_layer,
    canonical_layers,
    layer_table,
)
from stylejax.networks.vgg import Vgg
from stylejax.options import Pooling, Precision
from stylejax.types import Features, Image, Variables

MARGIN = 16
"""Smallest width, in pixels, of the reflected frame around the picture."""

FeatureExtractor = Callable[[Variables, Image], Features]


def frame_padding(length: int, stride: int) -> tuple[int, int]:
    """Pixels to reflect before and after an axis of `length`, for layers of stride up to `stride`.

    The first is a multiple of `stride`, so that the picture's first pixel stays the first of a
    window; both are at least `MARGIN`, and the padded length is a multiple of `stride`.
    """
    before = -(-MARGIN // stride) * stride
    after = before + (-length) % stride
    return before, after


def _network_input(
    image: Image, preprocessing: Mapping[str, Any], stride: int
) -> Float[Array, "1 padded_height padded_width 3"]:
    """The picture normalized and padded, as a batch of one."""
    height, width = image.shape[:2]
    # With the channels first a CPU's vector units have whole rows to work on, not three numbers.
    planes = jnp.moveaxis(image, -1, 0)
    mean, deviation = (
        preprocessing[name][:, None, None] for name in ("mean", "standard_deviation")
    )
    edges = ((0, 0), frame_padding(height, stride), frame_padding(width, stride))
    planes = jnp.pad((planes - mean) / deviation, edges, mode="reflect")
    return jnp.moveaxis(planes, 0, -1)[None]


def folded_variables(
    variables: Variables,
    layers: Sequence[str],
    *,
    architecture: AnyArchitecture = DENSENET121,
    epsilon: float = 1e-5,
) -> Variables:
    """Variables that give the same feature maps at these layers, and at no others.

    With them a program compiles faster (`DenseNet.fold`). Raises as `feature_extractor` does, but
    layers may be named twice.
    """
    if isinstance(architecture, VggArchitecture):
        return variables
    names = dict.fromkeys(canonical_layer(name, architecture) for name in layers)
    return DenseNet(tuple(names), architecture, epsilon).fold(variables)


def feature_extractor(
    layers: Sequence[str],
    *,
    architecture: AnyArchitecture = DENSENET121,
    epsilon: float = 1e-5,
    pooling: Pooling = "max",
    precision: Precision = "float32",
) -> FeatureExtractor:
    """Make the function from `(variables, image)` to `{layer: height x width x channels}`.

    Args:
        layers: names in any scheme (`stylejax.networks.layers`); they are the keys of the result.
        architecture: which network, and its widths: `Weights.architecture`.
        epsilon: batch norm's epsilon, `Weights.epsilon`; VGG has none.
        pooling: `max` as published, or `average` (smoother gradients).
        precision: of the network's interior. The feature maps come out as float32 either way: a
            Gram matrix of float16 or bfloat16 would overflow or drown in rounding.

    Returns:
        A pure function. A feature map of stride s of a height x width picture is
        ceil(height / s) x ceil(width / s) x channels.

    Raises:
        InputError: a layer is unknown or named twice.
    """
    names = dict(zip(canonical_layers(layers, architecture), layers, strict=True))
    table = layer_table(architecture)
    deepest = max((table[name].stride for name in names), default=1)
    dtype = jnp.dtype(precision)
    if isinstance(architecture, VggArchitecture):
        network: DenseNet | Vgg = Vgg(tuple(names), architecture, pooling, dtype)
    else:
        network = DenseNet(tuple(names), architecture, epsilon, pooling, dtype)

    def extract(variables: Variables, image: Image) -> dict[str, Array]:
        height, width = image.shape[:2]
        collections = dict(variables)
        preprocessing = collections.pop("preprocessing")
        batch = _network_input(image, preprocessing, deepest)
        feature_maps: Any = network.apply(collections, batch)
        offset = frame_padding(height, deepest)[0]

        def crop(name: str) -> Array:
            stride = table[name].stride
            first, rows, columns = offset // stride, -(-height // stride), -(-width // stride)
            feature_map = feature_maps[name][0, first : first + rows, first : first + columns]
            return feature_map.astype(jnp.float32)

        return {asked: crop(name) for name, asked in names.items()}

    return extract
