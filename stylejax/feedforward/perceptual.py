"""What the painting network is trained for: the objective of `transfer`, picture by picture.

Of a style it is `Objective` on the painted picture, with the photograph as content and the
painting as style. The identity has the content term, and the squared difference of the pixels
in place of the others. Units of the relative form are those of each photograph, but no less than a
share of what is typical: a photograph of nothing but sky would outweigh all others.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stylejax.feedforward.network import Painter, Parameters, paint
from stylejax.losses.forms import style_parts
from stylejax.losses.moments import Moments
from stylejax.losses.objective import Objective
from stylejax.losses.targets import Targets
from stylejax.losses.weights import LossWeights, Number
from stylejax.types import Image, OtherImage, Scalar, Variables

SMALLEST_UNIT = 0.5
"""Of the typical unit: the least that a photograph's loss is divided by."""


class Units(NamedTuple):
    """What losses are divided by, typically: of each content layer, and each painting's parts."""

    content: Mapping[str, Scalar]
    style: Mapping[str, Float[Array, "paintings parts"]]


class Aims(NamedTuple):
    """What a picture is judged by: arrays that stay the same for all of training."""

    variables: Variables
    moments: Mapping[str, Moments]
    units: Units
    weights: LossWeights
    identity_weight: Number


class Judgment(NamedTuple):
    """The loss of one painted picture and its parts, all weights multiplied in."""

    loss: Scalar
    content: Scalar
    style: Scalar
    total_variation: Scalar
    pixels: Scalar


def painting_moments(
    objective: Objective, variables: Variables, paintings: Sequence[OtherImage]
) -> dict[str, Moments]:
    """The moments of paintings of any sizes at the style layers, with a leading axis of them."""
    # A painting's targets with itself as style: content is not asked for.
    each = [objective.targets(variables, image, [image]).style for image in paintings]
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *each)


def count_paintings(aims: Aims) -> int:
    """How many paintings a picture is judged by."""
    return jax.tree.leaves(aims.moments)[0].shape[0]


def _own_targets(objective: Objective, variables: Variables, photograph: Image) -> Targets:
    """Targets without a style: the photograph stands in for it until `_replace`d."""
    return objective.targets(variables, photograph, [photograph])


def _style_units(
    objective: Objective, targets: Targets, moments: Mapping[str, Moments], photograph: Image
) -> dict[str, Float[Array, " parts"]]:
    form, distance, ours = objective.form, objective.style_loss, targets.content_moments
    sizes = {name: objective.reader.sizes(name, photograph) for name in moments}
    unit = lambda name: form.style(distance, ours[name], moments[name], sizes[name])
    parts = {name: len(style_parts(distance, ours[name], moments[name])) for name in moments}
    return {name: jnp.broadcast_to(unit(name), parts[name]) for name in moments}


def typical_units(
    objective: Objective,
    variables: Variables,
    moments: Mapping[str, Moments],
    photographs: Float[Array, "photographs height width 3"],
) -> Units:
    """The mean of the units of some photographs."""

    def units(photograph: Image) -> Units:
        targets = _own_targets(objective, variables, photograph)
        of_painting = lambda each: _style_units(objective, targets, each, photograph)
        return Units(targets.content_units, jax.vmap(of_painting)(moments))

    # One after the other: this is done once, and a batch of them all would take memory.
    return jax.tree.map(lambda each: jnp.mean(each, axis=0), jax.lax.map(units, photographs))


def picture_targets(
    objective: Objective, aims: Aims, photograph: Image, blend: Float[Array, " paintings"]
) -> Targets:
    """A photograph's targets with a blend of paintings as its style, and the units of training."""
    targets = _own_targets(objective, aims.variables, photograph)
    mixed = lambda leaf: jnp.tensordot(blend, leaf, axes=1)
    moments = {name: jax.tree.map(mixed, each) for name, each in aims.moments.items()}
    own = _style_units(objective, targets, moments, photograph)
    no_less = lambda unit, typical: jnp.maximum(unit, SMALLEST_UNIT * typical)
    content, style = aims.units
    return targets._replace(
        content_units={
            name: no_less(unit, content[name]) for name, unit in targets.content_units.items()
        },
        style=jax.tree.map(lambda leaf: leaf[None], moments),
        style_units={name: no_less(unit, mixed(style[name]))[None] for name, unit in own.items()},
    )


def painting_loss(
    objective: Objective,
    painter: Painter,
    parameters: Parameters,
    aims: Aims,
    photograph: Image,
    mixture: Float[Array, " rows"],
) -> Judgment:
    """The loss of what the network paints of a photograph with a mixture of its styles.

    The paintings are those of its last styles; earlier ones have no part in the mixture.
    """
    painted, _ = paint(painter, parameters, photograph, mixture)
    identity, blend = mixture[0], mixture[len(mixture) - count_paintings(aims) :]
    # The identity alone has no style; any will do, since its term does not count.
    share = jnp.sum(blend)
    blend = jnp.where(share > 0.0, blend / jnp.maximum(share, 1e-6), 1.0 / len(blend))
    targets = jax.lax.stop_gradient(picture_targets(objective, aims, photograph, blend))
    weights = aims.weights._replace(
        style_weight=share * aims.weights.style_weight,
        tv_weight=share * aims.weights.tv_weight,
        style_blend=jnp.ones(1),
    )
    loss, terms = objective(painted, aims.variables, targets, weights)
    pixels = identity * aims.identity_weight * jnp.mean(jnp.square(painted - photograph))
    return Judgment(loss + pixels, terms.content, terms.style, terms.total_variation, pixels)


def relative_objective(
    objective: Objective,
    aims: Aims,
    photograph: Image,
    painted: Image,
    blend: Float[Array, " paintings"],
) -> Scalar:
    """The objective of a painted picture just as `transfer` has it: in the photograph's units."""
    targets = _own_targets(objective, aims.variables, photograph)
    targets = targets._replace(style=aims.moments, style_units=None)
    weights = aims.weights._replace(style_blend=blend)
    return objective(painted, aims.variables, targets, weights)[0]
