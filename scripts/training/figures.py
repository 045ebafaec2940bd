"""Figures of a weight file for its model card, beside the explained variance."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, UInt8
from PIL import Image

from training.distillation import TAPS, Student, student_taps

_BATCH = 100


def _pooled(
    student: Student, tiles: UInt8[np.ndarray, "tiles 64 64 3"]
) -> Float[Array, "tiles channels"]:
    """Mean over positions of the last tap, of tiles at native resolution."""

    @jax.jit
    def pool(student: Student, pictures: Array) -> Array:
        scaled = pictures.astype(jnp.float32) / 255.0
        return student_taps(student, scaled)["relu"].mean((1, 2))

    whole = len(tiles) // _BATCH * _BATCH
    starts = range(0, whole, _BATCH)
    return jnp.concatenate([pool(student, tiles[first : first + _BATCH]) for first in starts])


def linear_probe(
    student: Student,
    train: tuple[UInt8[np.ndarray, "_ 64 64 3"], Int[np.ndarray, " _"]],
    validation: tuple[UInt8[np.ndarray, "_ 64 64 3"], Int[np.ndarray, " _"]],
    steps: int = 300,
) -> float:
    """Top-1 of a linear classifier on the pooled last tap, trained on every fifth tile.

    `train` and `validation` are tiles and their labels.
    """
    inputs, labels = _pooled(student, train[0][::5]), train[1][::5]
    held_out = _pooled(student, validation[0])
    mean, deviation = inputs.mean(0), inputs.std(0) + 1e-6
    inputs, held_out = (inputs - mean) / deviation, (held_out - mean) / deviation
    labels = jnp.asarray(labels[: len(inputs)])
    transform = optax.adamw(optax.cosine_decay_schedule(3e-3, steps), weight_decay=1e-2)
    layer = (jnp.zeros((inputs.shape[1], int(labels.max()) + 1)), jnp.zeros(int(labels.max()) + 1))

    def loss(layer: tuple[Array, Array]) -> Array:
        logits = inputs @ layer[0] + layer[1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    @jax.jit
    def step(layer: Any, state: Any) -> Any:
        updates, state = transform.update(jax.grad(loss)(layer), state, layer)
        return optax.apply_updates(layer, updates), state

    state = transform.init(layer)
    for _ in range(steps):
        layer, state = step(layer, state)
    guesses = jnp.argmax(held_out @ layer[0] + layer[1], -1)
    return float(np.mean(np.asarray(guesses) == validation[1][: len(guesses)]))


def activation_statistics(
    student: Student, pictures: Float[Array, "batch size size 3"]
) -> dict[str, dict[str, float]]:
    """Per tap: mean, deviation, share of channels that never answer, strongest over median channel.

    The last is of the diagonal of the Gram matrix: how far one channel dominates it.
    """
    features = jax.jit(student_taps)(student, pictures)
    found = {}
    for tap in TAPS:
        values = features[tap]
        energy = jnp.mean(jnp.square(values), (0, 1, 2))
        found[tap] = {
            "mean": float(values.mean()),
            "deviation": float(values.std()),
            "dead": float(jnp.mean(values.max((0, 1, 2)) <= 0.0)),
            "dominance": float(energy.max() / jnp.median(energy)),
        }
    return found


def stem_picture(student: Student, enlargement: int = 12) -> Image.Image:
    """The filters of the stem, eight a row, each scaled to its own range, as one picture."""
    kernel = np.asarray(student.params["conv0"]["kernel"])
    strongest = np.abs(kernel).max((0, 1, 2))
    scaled = 0.5 + 0.5 * kernel / strongest
    framed = np.pad(scaled, ((1, 1), (1, 1), (0, 0), (0, 0)), constant_values=1.0)
    side, rows = framed.shape[0], framed.shape[-1] // 8
    grid = framed.transpose(3, 0, 1, 2).reshape(rows, 8, side, side, 3).transpose(0, 2, 1, 3, 4)
    pixels = (255 * grid.reshape(rows * side, 8 * side, 3)).round().astype(np.uint8)
    picture = Image.fromarray(pixels)
    size = (enlargement * picture.width, enlargement * picture.height)
    return picture.resize(size, Image.Resampling.NEAREST)
