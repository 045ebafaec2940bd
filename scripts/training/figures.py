"""How well a student has learnt: figures for the model card.

Everything is computed from the averaged student with its stored statistics, as it ships.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from PIL import Image

from training.distillation import (
    TAPS,
    Student,
    channel_deviations,
    predictions,
    student_taps,
    teacher_targets,
)
from training.pictures import LabeledTiles, crops

_TAP_NAMES = tuple(TAPS)


def explained_variance(
    student: Student, teacher: Mapping[str, Any], tiles: np.ndarray, size: int = 64
) -> dict[str, float]:
    """Share of the teacher's variance that the heads predict on 2,048 held-out crops.

    For each tap, 1 minus squared error over variance, both summed over the teacher's channels, each
    in units of its standard deviation (`channel_deviations`).
    """
    draw = jax.jit(crops, static_argnums=(2, 3))
    batches = [draw(jax.random.key(number), tiles, 64, size) for number in range(32)]
    deviations = channel_deviations(teacher, jnp.concatenate(batches[:8]))

    @jax.jit
    def sums(pictures: Array) -> dict[str, Array]:
        targets = teacher_targets(teacher, deviations, pictures, _TAP_NAMES, jnp.float32)
        features, _ = student_taps(student, pictures, _TAP_NAMES, False, jnp.float32)
        predicted = predictions(student.heads, features)
        moment = lambda value: value.mean((0, 1, 2))
        return {
            tap: jnp.stack(
                [
                    moment(jnp.square(predicted[tap] - targets[tap])),
                    moment(targets[tap]),
                    moment(jnp.square(targets[tap])),
                ]
            )
            for tap in _TAP_NAMES
        }

    parts = [sums(pictures) for pictures in batches]
    found = {}
    for tap, output in TAPS.items():
        error, mean, square = np.mean([part[tap] for part in parts], axis=0)
        # 1 up to sampling, as targets are in units of their deviation; less where that was floored.
        variance = square - mean**2
        found[output] = float(1.0 - np.mean(error) / np.mean(variance))
    return found


def _pooled(student: Student, tiles: np.ndarray) -> Float[Array, "tiles channels"]:
    """Mean over positions of the last tap, of tiles at native resolution."""

    @jax.jit
    def pool(pictures: Array) -> Array:
        scaled = pictures.astype(jnp.float32) / 255.0
        return student_taps(student, scaled, ("relu",), False, jnp.float32)[0]["relu"].mean((1, 2))

    whole = len(tiles) // 100 * 100
    return jnp.concatenate([pool(tiles[first : first + 100]) for first in range(0, whole, 100)])


def linear_probe(
    student: Student, train: LabeledTiles, validation: LabeledTiles, steps: int = 300
) -> float:
    """Top-1 of a linear classifier on the pooled last tap, trained on every fifth picture."""
    inputs, labels = _pooled(student, train.tiles[::5]), train.labels[::5]
    held_out = _pooled(student, validation.tiles)
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
    return float(np.mean(np.asarray(guesses) == validation.labels[: len(guesses)]))


def activation_statistics(student: Student, pictures: Array) -> dict[str, dict[str, float]]:
    """Per tap: mean, deviation, share of channels that never answer, strongest over median channel.

    The last is of the diagonal of the Gram matrix: how far one channel dominates it.
    """
    taps_of = jax.jit(student_taps, static_argnums=(2, 3, 4))
    features, _ = taps_of(student, pictures, _TAP_NAMES, False, jnp.float32)
    found = {}
    for tap, values in features.items():
        energy = jnp.mean(jnp.square(values), (0, 1, 2))
        found[tap] = {
            "mean": float(values.mean()),
            "deviation": float(values.std()),
            "dead": float(jnp.mean(values.max((0, 1, 2)) <= 0.0)),
            "dominance": float(energy.max() / jnp.median(energy)),
        }
    return found


def stem_picture(student: Student, enlargement: int = 12) -> Image.Image:
    """The 64 filters of the stem, each scaled to its own range, as one picture."""
    kernel = np.asarray(student.params["conv0"]["kernel"])
    strongest = np.abs(kernel).max((0, 1, 2))
    scaled = 0.5 + 0.5 * kernel / strongest
    framed = np.pad(scaled, ((1, 1), (1, 1), (0, 0), (0, 0)), constant_values=1.0)
    side = framed.shape[0]
    grid = framed.transpose(3, 0, 1, 2).reshape(8, 8, side, side, 3).transpose(0, 2, 1, 3, 4)
    picture = Image.fromarray((255 * grid.reshape(8 * side, 8 * side, 3)).round().astype(np.uint8))
    size = (enlargement * picture.width, enlargement * picture.height)
    return picture.resize(size, Image.Resampling.NEAREST)


def evaluate(
    student: Student, teacher: Mapping[str, Any], train: LabeledTiles, validation: LabeledTiles
) -> dict[str, Any]:
    """All figures of the model card."""
    photographs = crops(jax.random.key(0), jnp.asarray(validation.tiles), 64, 128)
    noise = jax.random.uniform(jax.random.key(1), photographs.shape)
    return {
        "explained_variance": explained_variance(student, teacher, validation.tiles),
        "explained_variance_128px": explained_variance(student, teacher, validation.tiles, 128),
        "linear_probe_top1": linear_probe(student, train, validation),
        "photographs": activation_statistics(student, photographs),
        "noise": activation_statistics(student, noise),
    }
