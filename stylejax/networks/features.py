"""From a picture to named feature maps: the network as a function `(variables, image)`.

Here a picture in [0, 1] is padded by reflection, normalized as the weights want it, sent through
the network, and the feature maps are cropped to the picture again. The padding keeps the zeros
that the network's convolutions pad with away from the picture, and fills sizes up to a multiple of
the network's stride; it is part of the function, so gradients flow through it. A picture that tiles
needs none: beyond each side lies the other one.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import cast

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stylejax.errors import InputError
from stylejax.images.pictures import PictureLike, as_picture
from stylejax.networks.kernels import chosen_kernels
from stylejax.networks.kernels.folding import fold_blocks
from stylejax.networks.layers import (
    DENSENET121,
    AnyArchitecture,
    AnyNetwork,
    Architecture,
    KnownNetwork,
    Network,
    VggArchitecture,
    architecture_of,
    canonical_layer,
    canonical_layers,
    network_layers,
)
from stylejax.options import Kernels, Pooling, Precision
from stylejax.types import Features, Image, Variables

MARGIN = 16
"""Smallest width, in pixels, of the reflected frame around the picture."""

Colors = Float[Array, " 3"] | Float[np.ndarray, " 3"]
FeatureExtractor = Callable[[Variables, Image], Features]
"""Variables and a picture, height x width x 3, to feature maps by the names that were asked for."""


def frame_padding(length: int, stride: int) -> tuple[int, int]:
    """Pixels to reflect before and after an axis of `length`, for layers of stride up to `stride`.

    The first is a multiple of `stride`, so that the picture's first pixel stays the first of a
    window; both are at least `MARGIN`, and the padded length is a multiple of `stride`.
    """
    before = -(-MARGIN // stride) * stride
    after = before + (-length) % stride
    return before, after


def _network_input(
    image: Image, preprocessing: Mapping[str, Colors], frame: Sequence[tuple[int, int]]
) -> Float[Array, "1 padded_height padded_width 3"]:
    """The picture normalized and padded by reflection, as a batch of one."""
    # With the channels first a CPU's vector units have whole rows to work on, not three numbers.
    planes = jnp.moveaxis(image, -1, 0)
    mean, deviation = (
        preprocessing[name][:, None, None] for name in ("mean", "standard_deviation")
    )
    planes = jnp.pad((planes - mean) / deviation, ((0, 0), *frame), mode="reflect")
    return jnp.moveaxis(planes, 0, -1)[None]


def folded_variables(network: Network | KnownNetwork, layers: Sequence[str]) -> Variables:
    """Variables of a network that give the same feature maps at these layers, and at no others.

    With them a program compiles faster (`stylejax.networks.kernels.folding`). Of networks that have
    nothing to fold they are the network's own.

    Raises:
        InputError: a layer is unknown; it may be named twice.
    """
    # Content and style may ask for the same layer.
    names = dict.fromkeys(canonical_layer(name, network) for name in layers)
    if isinstance(network, Network) or isinstance(network.architecture, VggArchitecture):
        return network.variables
    return fold_blocks(network.variables, names, network.architecture, network.epsilon)


def feature_extractor(
    network: AnyNetwork | Sequence[str],
    layers: Sequence[str] | None = None,
    *,
    pooling: Pooling = "max",
    precision: Precision = "float32",
    kernels: Kernels | None = None,
    architecture: AnyArchitecture = DENSENET121,
    epsilon: float | None = None,
    seamless: bool = False,
) -> FeatureExtractor:
    """Make the function from `(variables, image)` to `{layer: height x width x channels}`.

    Without `layers` the first argument is taken for them, of a network of this `architecture`.

    Args:
        network: what `read_weights` returns, a `Network` of one's own, or an architecture.
        layers: names in any scheme (`stylejax.networks.layers`); they are the keys of the result.
        pooling: `max` as published, or `average` (smoother gradients).
        precision: of the network's interior. The feature maps come out as float32 either way: a
            Gram matrix of float16 or bfloat16 would overflow or drown in rounding.
        kernels: `plain` functions as in the papers, which can be differentiated in every mode and
            to every order, or `fast` ones with the same values and gradients; unless given, what is
            best on the platform. A `Network` of one's own has its own.
        architecture: which network, and its widths, where only layers are given.
        epsilon: batch norm's epsilon, in place of the network's own; 1e-5 for an architecture.
        seamless: whether pictures tile: their sides must be multiples of the deepest layer's stride
            then, and a picture that is rolled by it has its maps rolled.

    Returns:
        A pure function. A feature map of stride s of a height x width picture is
        ceil(height / s) x ceil(width / s) x channels.

    Raises:
        InputError: a layer is unknown or named twice, or a `Network` of one's own is to pool, round
            or pad otherwise than it does.
    """
    if layers is None:
        network, layers = architecture, cast(Sequence[str], network)
    whole = cast(AnyNetwork, network)
    table = network_layers(whole)
    names = dict(zip(canonical_layers(layers, whole), layers, strict=True))
    apply = _apply(whole, tuple(names), pooling, precision, kernels, epsilon, seamless)
    strides = {name: table[name].stride for name in names}
    return partial(_extract, apply, names, strides, seamless)


def _extract(
    apply: Callable[[Variables, Array], Mapping[str, Array]],
    names: Mapping[str, str],
    strides: Mapping[str, int],
    seamless: bool,
    variables: Variables,
    image: PictureLike,
) -> dict[str, Array]:
    """A picture's feature maps, by the names that were asked for."""
    image = as_picture(image, "image", bounded=False)
    height, width = image.shape[:2]
    collections = dict(variables)
    preprocessing = collections.pop("preprocessing")
    deepest = max(strides.values(), default=1)
    if seamless and (height % deepest or width % deepest):
        raise InputError(
            f"seamless: {width} x {height} pixels do not tile: make both sides multiples of "
            f"{deepest}, the network's stride"
        )
    frame = [(0, 0) if seamless else frame_padding(side, deepest) for side in (height, width)]
    feature_maps = apply(collections, _network_input(image, preprocessing, frame))

    def crop(name: str) -> Array:
        stride = strides[name]
        first, rows, columns = frame[0][0] // stride, -(-height // stride), -(-width // stride)
        feature_map = feature_maps[name][0, first : first + rows, first : first + columns]
        return feature_map.astype(jnp.float32)

    return {asked: crop(name) for name, asked in names.items()}


def _apply(
    network: AnyNetwork,
    names: tuple[str, ...],
    pooling: Pooling,
    precision: Precision,
    kernels: Kernels | None,
    epsilon: float | None,
    seamless: bool,
) -> Callable[[Variables, Array], Mapping[str, Array]]:
    """A network as the function from `(variables, batch)` to the feature maps of these layers."""
    kernels = chosen_kernels(kernels)
    if isinstance(network, Network):
        if (pooling, precision) != ("max", "float32"):
            raise InputError(
                f"pooling {pooling!r}, precision {precision!r}: a Network of one's own pools and "
                "rounds as its `apply` does; leave both out"
            )
        if seamless:
            raise InputError("seamless: a Network of one's own pads as its `apply` does")
        return lambda variables, batch: network.apply(variables, batch, names)
    of, dtype = architecture_of(network), jnp.dtype(precision)
    if isinstance(of, VggArchitecture):
        return _applied("vgg", "Vgg", names, of, pooling, dtype, kernels, seamless)
    if epsilon is None:
        alone = isinstance(network, Architecture | VggArchitecture)
        epsilon = 1e-5 if alone else network.epsilon
    return _applied(
        "densenet",
        "DenseNet",
        *(names, of, epsilon, pooling, dtype),
        kernels=kernels,
        seamless=seamless,
    )


def _applied(
    module: str, name: str, *numbers: object, **named: object
) -> Callable[[Variables, Array], Mapping[str, Array]]:
    """A Flax module as a function, made where it is traced: Flax takes long to import."""

    def apply(variables: Variables, batch: Array) -> Mapping[str, Array]:
        made = getattr(import_module(f"stylejax.networks.{module}"), name)(*numbers, **named)
        return made.apply(variables, batch)

    return apply
