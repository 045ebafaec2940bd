"""How good decoders are on pictures that they were not trained on."""

from typing import Any

import jax
import jax.numpy as jnp

from stylejax.universal.decoders import LEVELS, run_block
from training.decoder_features import (
    Frozen,
    encode,
    encoded_again,
    in_deviations,
    in_pixels,
    map_between,
    statistics,
)


@jax.jit
def held_out(average: Any, frozen: Frozen, photographs: Any, styles: Any) -> dict[str, Any]:
    """PSNR from each tap, and the share of the style's distance that is left, on fixed pictures."""
    pictures = photographs.astype(jnp.float32) / 255.0
    maps = in_deviations(encode(frozen.encoder, pictures), frozen.deviations)
    run = lambda name, x: run_block(name, average[name], x)
    found = {}
    for first, name in enumerate(LEVELS):
        x = maps[name]
        for level in LEVELS[first:]:
            x = run(level, x)
        error = jnp.mean(jnp.square(x - in_pixels(maps)), (1, 2, 3))
        found[f"PSNR {name}"] = jnp.mean(-10.0 * jnp.log10(error))

    shares, results = jax.lax.map(
        lambda given: _left(average, frozen, *given), (pictures[: len(styles)], styles)
    )
    return found | jax.tree.map(jnp.mean, shares) | {"pictures": results}


def _left(average: Any, frozen: Frozen, picture: Any, style: Any) -> tuple[dict[str, Any], Any]:
    """Squared distance of Gram matrices after a transfer over that before it, at each tap."""
    again = lambda x: encoded_again(frozen.encoder, frozen.deviations, x)
    own, target = (
        in_deviations(encode(frozen.encoder, each[None]), frozen.deviations)
        for each in (picture, style / 255.0)
    )
    result = in_pixels(own)
    for first, level in enumerate(LEVELS):
        features = again(result)[level]
        given = statistics(features), statistics(target[level])
        x = (features - given[0].mean) @ map_between(*given, jnp.bool_(True)) + given[1].mean
        for name in LEVELS[first:]:
            x = run_block(name, average[name], x)
        result = x

    def gram(x: Any) -> Any:
        found = statistics(x)
        return found.covariance + jnp.outer(found.mean, found.mean)

    distance = lambda x, name: jnp.sum(jnp.square(gram(x[name]) - gram(target[name])))
    after = again(result)
    shares = {f"left {name}": distance(after, name) / distance(own, name) for name in LEVELS}
    return shares, result[0]
