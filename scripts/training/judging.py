"""A student measured: heads fitted, held-out crops explained; and statistics measured anew."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from training.bench import Bench, learning_crops, ready
from training.distillation import TAPS, Student
from training.heads import (
    Moments,
    balanced,
    channel_deviations,
    explained_variance,
    fitted_heads,
    mean_moments,
    scaled,
)
from training.pictures import Crops
from training.programs import everywhere
from training.weight_file import rounded

STATISTICS_NUMBER = 1 << 31
"""Batches for statistics are numbered from here on: none of them is a step's."""


def _moments(bench: Bench, student: Student, deviations: Any, held_out: bool) -> dict[str, Moments]:
    options, programs = bench.options, bench.programs
    measure = ready(programs.moments, bench.deadline)
    wanted = options.held_out if held_out else options.sample
    student, deviations = everywhere((student, deviations))
    draw = ready(programs.held_out, bench.deadline) if held_out else None

    def drawn(number: int) -> Crops:
        bench.deadline.check()
        if draw is None:
            return learning_crops(bench, number, vary=False)
        return draw(bench.held_out, np.uint32(options.seed), np.uint32(number))

    return mean_moments(
        measure(student, bench.teacher, deviations, drawn(number))
        for number in range(-(-wanted // options.batch))
    )


def measured(
    bench: Bench, student: Student, deviations: Any = None
) -> tuple[Student, Any, dict[str, float]]:
    """Fit a student's heads to crops of the pictures to learn from, and judge it by held-out ones.

    The crops are the same every time, and the student is taken as its weight file holds it.

    Args:
        bench: what the run works with.
        student: on the host.
        deviations: of the teacher's channels; measured now unless given.

    Returns:
        The student with these heads, balanced; the deviations; and the explained variance.

    Raises:
        Late: the deadline came first.
    """
    half = rounded(student)
    unit = {tap: np.ones(student.heads[tap]["bias"].shape, np.float32) for tap in TAPS}
    found = _moments(bench, half, unit, held_out=False)
    deviations = channel_deviations(found) if deviations is None else deviations
    heads = fitted_heads(scaled(found, deviations))
    held_out = _moments(bench, half._replace(heads=heads), deviations, held_out=True)
    student = balanced(student._replace(heads=heads), found)
    return student, deviations, explained_variance(held_out)


def unexplained(explained: Mapping[str, float], weights: tuple[float, ...]) -> float:
    """The weighted mean over the taps of what is not explained: what training lessens."""
    return float(np.average([1.0 - value for value in explained.values()], weights=weights))


def fallen(
    before: Mapping[str, float], after: Mapping[str, float], largest_loss: float
) -> list[str]:
    """The taps that lost more of their explained variance than that."""
    return [name for name in before if before[name] - after[name] > largest_loss]


def with_statistics(bench: Bench, student: Student) -> Student:
    """The student with its batch-norm statistics measured anew, as means over some batches.

    Raises:
        Late: the deadline came first.
    """
    program = ready(bench.programs.statistics, bench.deadline)
    placed, total = everywhere(student), None
    for number in range(bench.options.statistics):
        bench.deadline.check()
        crops = learning_crops(bench, STATISTICS_NUMBER + number, vary=True)
        batch = jax.device_get(program(placed, crops))
        batch = jax.tree.map(lambda value: value.astype(np.float64), batch)
        total = batch if total is None else jax.tree.map(np.add, total, batch)
    mean = lambda value: (value / bench.options.statistics).astype(np.float32)
    return student._replace(batch_stats=jax.tree.map(mean, total))
