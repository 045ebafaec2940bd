"""What a picture keeps of the content: the distance of two feature maps of the same shape.

Feature maps are height x width x channels; results are float32 scalars, at least 0, without unit.
Source: Gatys, Ecker, Bethge, A Neural Algorithm of Artistic Style (2015), arXiv 1508.06576.
"""

from collections.abc import Callable, Collection

import jax
import jax.numpy as jnp
import numpy as np

from stylejax.errors import InputError
from stylejax.types import FeatureMap, Scalar

ContentDistance = Callable[[FeatureMap, FeatureMap], Scalar]
"""A content loss: of a feature map and its target.

A picture that goes through the network in strips adds it up over them, each padded with zeros in
both maps; so there it must be a sum over positions, and 0 where both are 0
(`check_sum_over_positions`).
"""

# Float32 sums in another order agree far better, and means over positions are off by a factor.
_SUM_TOLERANCE = 1e-3


def content_loss(feature_map: FeatureMap, target: FeatureMap) -> Scalar:
    """Half the squared distance of two feature maps of the same shape (equation 1)."""
    return 0.5 * jnp.sum(jnp.square(feature_map - target))


def check_sum_over_positions(distance: ContentDistance, channels: Collection[int]) -> None:
    """Refuse a content loss that strips cannot add up, tried on random maps with these channels.

    Raises:
        InputError: two strips do not add up to the whole map, or the loss takes no strips.
    """
    for count in set(channels) if distance is not content_loss else ():
        random = np.random.default_rng(0).random((2, 32, 16, count), np.float32)
        try:
            # Also where the objective is made inside of a traced function.
            with jax.ensure_compile_time_eval():
                maps = jnp.asarray(random)
                # Cuts are of another height than the map, with 0 outside of a strip's own rows.
                halves = maps.reshape(2, 2, 16, 16, count)
                cuts = jnp.pad(halves, [(0, 0), (0, 0), (4, 4), (0, 0), (0, 0)])
                whole = float(distance(*maps))
                parts = float(distance(*cuts[:, 0])) + float(distance(*cuts[:, 1]))
        except (TypeError, ValueError) as error:
            reason = f"cannot be tried on maps of 32 x 16 x {count} ({str(error).splitlines()[0]})"
            raise InputError(f"content_loss {reason}: leave strip_rows at 0") from error
        if not abs(parts - whole) <= _SUM_TOLERANCE * abs(whole):
            raise InputError(
                f"content_loss is not a sum over positions: two strips add up to {parts:.3g} where "
                f"the whole map has {whole:.3g}: give one that is, or leave strip_rows at 0"
            )


def content_spread(target: FeatureMap, distance: ContentDistance = content_loss) -> Scalar:
    """The content loss of the best picture without content: each channel at its mean.

    Dividing `content_loss` by it gives the share of the content's variance that was lost.
    """
    return distance(jnp.broadcast_to(jnp.mean(target, axis=(0, 1)), target.shape), target)
