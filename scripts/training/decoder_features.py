"""The features that decoders are trained on, and the transforms they are to survive.

Windows have a margin that the encoder alone sees. Features are in units of channel deviations.
"""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stylejax.networks.densenet import DenseNet
from stylejax.universal.decoders import LEVELS, STRIDES
from stylejax.universal.statistics import Statistics, feature_statistics
from stylejax.universal.transforms import linear_map

MARGIN = 16
"""Pixels around a window's inner part, seen by the encoder alone."""
_RIDGE = 1e-2
_PIXEL_DEVIATION = 0.25

Batch = Float[Array, "batch _ _ _"]


class Pairs(NamedTuple):
    """A bank of transforms of photographs to styles, at each tap and of the pixels.

    Features x become (x - own) @ linear + mean. They are made beforehand, of whole pictures: the
    roots of the larger matrices would be much of the cost of a step.
    """

    own: dict[str, Array]
    linear: dict[str, Array]
    mean: dict[str, Array]


class Frozen(NamedTuple):
    """What every step reads: the encoder, the taps' channel deviations, the bank of pairs."""

    encoder: Any
    deviations: dict[str, Array]
    pairs: Pairs


def encode(encoder: Any, pictures: Batch, levels: tuple[str, ...] = LEVELS) -> dict[str, Batch]:
    """The taps' feature maps without the margin; and the pixels without it, as `input`."""
    network = DenseNet(levels[::-1])
    preprocessing = encoder["preprocessing"]
    normalized = (pictures - preprocessing["mean"]) / preprocessing["standard_deviation"]
    variables = {kind: values for kind, values in encoder.items() if kind != "preprocessing"}
    maps = cast(dict[str, Batch], network.apply(variables, normalized)) | {"input": pictures}
    inner = lambda x, stride: x[:, MARGIN // stride : -MARGIN // stride or None][
        :, :, MARGIN // stride : -MARGIN // stride or None
    ]
    return {name: inner(x, STRIDES.get(name, 1)) for name, x in maps.items()}


def in_pixels(maps: dict[str, Batch]) -> Batch:
    """The pixels of feature maps in deviations."""
    return maps["input"] * _PIXEL_DEVIATION


def channel_deviations(encoder: Any, windows: Any) -> dict[str, np.ndarray]:
    """Each channel's standard deviation on uint8 windows."""
    maps = jax.jit(encode)(encoder, jnp.asarray(windows, jnp.float32) / 255.0)
    found = {}
    for name in LEVELS:
        deviation = np.asarray(maps[name].std((0, 1, 2)))
        # A channel that hardly ever answers is not to be blown up.
        found[name] = np.maximum(deviation, 0.1 * np.median(deviation)).astype(np.float32)
    return found


def encoded_again(
    encoder: Any, deviations: Any, pictures: Batch, levels: tuple[str, ...] = LEVELS
) -> dict[str, Batch]:
    """The features, in deviations, of pictures without a margin: they are reflected."""
    edges = ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
    padded = jnp.pad(pictures, edges, mode="reflect")
    return in_deviations(encode(encoder, padded, levels), deviations)


def statistics(maps: Batch) -> Statistics:
    """Mean and covariance over the positions of all of the batch."""
    return feature_statistics(maps.reshape(-1, maps.shape[2], maps.shape[3]))


def in_deviations(maps: dict[str, Batch], deviations: Any) -> dict[str, Batch]:
    """Feature maps in units of their channels' deviations."""
    return {name: x / deviations.get(name, _PIXEL_DEVIATION) for name, x in maps.items()}


def map_between(own: Statistics, style: Statistics, transport: Array) -> Array:
    """By optimal transport, or else by whitening and coloring."""
    kind = lambda name: (
        lambda _: linear_map(own, style, transform=name, ridge=_RIDGE, solver="products")
    )
    return jax.lax.cond(transport, kind("transport"), kind("whitening"), None).T


def pair(encoder: Any, deviations: Any, photograph: Array, style: Array, transport: Array) -> Pairs:
    """Of two pictures with margins."""
    maps = encode(encoder, jnp.stack([photograph, style]))
    both = {name: (x[:1], x[1:]) for name, x in in_deviations(maps, deviations).items()}
    found = {name: tuple(statistics(x) for x in given) for name, given in both.items()}
    return Pairs(
        {name: own.mean for name, (own, _) in found.items()},
        {name: map_between(own, theirs, transport) for name, (own, theirs) in found.items()},
        {name: theirs.mean for name, (_, theirs) in found.items()},
    )


def taken(bank: Pairs, number: Any) -> Pairs:
    """One pair of the bank."""
    return jax.tree.map(lambda leaf: leaf[number], bank)


def transformed(maps: dict[str, Batch], chosen: Pairs) -> dict[str, Batch]:
    """All feature maps as a pair changes them."""
    return {
        name: (x - chosen.own[name]) @ chosen.linear[name] + chosen.mean[name]
        for name, x in maps.items()
    }
