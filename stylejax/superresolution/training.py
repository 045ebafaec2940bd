"""Training of the network that enlarges: one step as a pure function of its state.

A step cuts crops of photographs, reduces each in one of the ways of `reduction`, and has the
network enlarge them again. The loss goes with the sharpness s that a crop is enlarged with: that of
pixels at 0, and on the way to 1 the squared error of an encoder's feature maps (Johnson et al.,
2016, equation 2) over what is typical of it, beside a share of the former.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from stylejax.feedforward.crops import Tiles
from stylejax.feedforward.training import TrainingState, advanced, gradient_length
from stylejax.losses.weights import Number
from stylejax.networks.features import FeatureExtractor
from stylejax.superresolution.form import MARGIN, Enlarger
from stylejax.superresolution.network import Parameters, enlarge_crops
from stylejax.superresolution.reduction import REDUCTIONS, reduction_matrix
from stylejax.types import OtherImage, Scalar, Variables

FEATURE_LAYERS = ("conv1_relu", "pool2_relu")
"""Layers of the encoder whose feature maps are compared: of stride 2 and 4."""
ROUNDEST = 1e-3
"""Errors of pixels below this count as squares (Charbonnier et al., 1994), above as they are."""
WHOLE = 0.8
"""Of the steps at any sharpness so many are below 1, all others at 1."""


class Judges(NamedTuple):
    """What enlarged crops are judged by: arrays that stay the same for all of training.

    `units` are what each layer's squared error is divided by, `feature_weight` weighs the sum of
    them, and `kept_pixels` is the weight that the error of pixels keeps at sharpness 1.
    """

    variables: Variables
    units: Mapping[str, Scalar]
    feature_weight: Number
    kept_pixels: Number


class Errors(NamedTuple):
    """Of enlarged crops: what they are judged by, and the errors of pixels and of features."""

    loss: Float[Array, "*batch"]
    pixels: Float[Array, "*batch"]
    features: Float[Array, "*batch"]


class StepReport(NamedTuple):
    """What a step saw: its sharpness, the errors of its crops, and the gradient's length."""

    sharpness: Scalar
    errors: Errors
    length: Scalar


Step = Callable[
    [TrainingState, Judges, Tiles, PRNGKeyArray, Number], tuple[TrainingState, StepReport]
]
"""One step: from the state, what judges, all photographs, the run's key and Adam's rate on."""


def exact_crops(
    key: PRNGKeyArray, tiles: Tiles, batch: int, size: int
) -> Float[Array, "batch {size} {size} 3"]:
    """Cut random windows out of random tiles, turned and mirrored but never interpolated."""
    choose, cut = jax.random.split(key)
    index = jax.random.randint(choose, (batch,), 0, tiles.shape[0])

    def crop(key: PRNGKeyArray, index: Array) -> Array:
        place, turn = jax.random.split(key)
        top, left = jax.random.randint(place, (2,), 0, tiles.shape[1] - size + 1)
        samples = jax.lax.dynamic_slice(tiles, (index, top, left, 0), (1, size, size, 3))[0]
        down, across, over = jax.random.bernoulli(turn, shape=(3,))
        samples = jnp.where(down, samples[::-1], samples)
        samples = jnp.where(across, samples[:, ::-1], samples)
        samples = jnp.where(over, samples.transpose(1, 0, 2), samples)
        return samples.astype(jnp.float32) / 255.0

    return jax.vmap(crop)(jax.random.split(cut, batch), index)


def reduced_crops(
    key: PRNGKeyArray, crops: Float[Array, "batch size size 3"], factor: int
) -> Float[Array, "batch small small 3"]:
    """Each crop made smaller in a way drawn for it, with the 8 bits of a file."""
    ways = jnp.asarray([reduction_matrix(crops.shape[1], factor, way) for way in REDUCTIONS])
    drawn = ways[jax.random.randint(key, (len(crops),), 0, len(ways))].astype(jnp.float32)
    small = jnp.einsum("nai,nbj,nijc->nabc", drawn, drawn, crops)
    return jnp.round(255.0 * jnp.clip(small, 0.0, 1.0)) / 255.0


def pixel_error(image: OtherImage, target: OtherImage) -> Scalar:
    """The mean error of pixels; small ones count as squares."""
    squares = jnp.square(image - target)
    return jnp.mean(jnp.sqrt(squares + ROUNDEST**2) - ROUNDEST)


def feature_error(
    extract: FeatureExtractor, judges: Judges, image: OtherImage, target: OtherImage
) -> Scalar:
    """The squared error of feature maps in units of what is typical, added up over layers."""
    wanted = jax.lax.stop_gradient(extract(judges.variables, target))
    seen = extract(judges.variables, image)
    each = [jnp.mean(jnp.square(seen[name] - wanted[name])) / judges.units[name] for name in seen]
    return sum(each[1:], each[0])


def typical_units(
    extract: FeatureExtractor, variables: Variables, crops: Float[Array, "batch size size 3"]
) -> dict[str, Scalar]:
    """The variance of each layer's features around their channel's mean, over some crops."""
    maps = jax.lax.map(lambda crop: extract(variables, crop), crops)
    return {name: jnp.mean(jnp.var(each, axis=(0, 1, 2))) for name, each in maps.items()}


def training_step(
    extract: FeatureExtractor, enlarger: Enlarger, *, batch: int, small: int, exact: bool
) -> Step:
    """The step on a batch of crops; what is random is drawn from the key and the state's count.

    Args:
        extract: makes feature maps.
        enlarger: the network's form.
        batch: how many crops.
        small: side of the reduced crops in pixels, of which `MARGIN` at each border do not count.
        exact: all at sharpness 0, which needs no feature maps and so a fraction of the time; else
            of any sharpness.
    """
    judged = enlarger.factor * MARGIN

    def judge(judges: Judges, sharpness: Scalar, image: OtherImage, target: OtherImage) -> Errors:
        pixels = pixel_error(image, target)
        if exact:
            return Errors(pixels, pixels, jnp.zeros(()))
        features = feature_error(extract, judges, image, target)
        weight = 1.0 - sharpness * (1.0 - judges.kept_pixels)
        loss = weight * pixels + sharpness * judges.feature_weight * features
        return Errors(loss, pixels, features)

    def mean_loss(
        parameters: Parameters, judges: Judges, crops: Array, reduced: Array, sharpness: Scalar
    ) -> tuple[Scalar, tuple[Errors, Parameters]]:
        images, normalized = enlarge_crops(enlarger, parameters, reduced, sharpness, MARGIN)
        targets = crops[:, judged:-judged, judged:-judged]
        errors = jax.vmap(partial(judge, judges, sharpness))(images, targets)
        return jnp.mean(errors.loss), (errors, normalized)

    def step(
        state: TrainingState, judges: Judges, tiles: Tiles, key: PRNGKeyArray, rate: Number
    ) -> tuple[TrainingState, StepReport]:
        cut, way, sharp = jax.random.split(jax.random.fold_in(key, state.steps), 3)
        crops = exact_crops(cut, tiles, batch, enlarger.factor * small)
        reduced = reduced_crops(way, crops, enlarger.factor)
        # One for all crops of a step: the kernels depend on it.
        drawn = jnp.minimum(1.0, jax.random.uniform(sharp) / WHOLE)
        sharpness = jnp.zeros(()) if exact else drawn
        gradient = jax.grad(mean_loss, has_aux=True)
        slope, (errors, seen) = gradient(state.parameters, judges, crops, reduced, sharpness)
        length = gradient_length(slope)
        moved = advanced(state, slope, length, errors.loss, rate)
        return _with_moments(moved, seen), StepReport(sharpness, errors, length)

    return step


def _with_moments(state: TrainingState, seen: Parameters) -> TrainingState:
    """The state with the moments of its last batch, where the network has any and they are finite.

    They are averaged with the parameters at the next step.
    """
    if "moments" not in seen:
        return state
    finite = lambda new, old: jnp.where(jnp.all(jnp.isfinite(new)), new, old)
    moments = jax.tree.map(finite, seen["moments"], state.parameters["moments"])
    return state._replace(parameters={**state.parameters, "moments": moments})
