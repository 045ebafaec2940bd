"""Heads by least squares, and how much of the teacher they explain.

One compiled function, `moments`, measures student and teacher on a batch; all else is arithmetic on
its averages, in float64 on the host. The heads that a student is judged by are always fitted: they
are a reading glass that is thrown away, and one that lags behind the student would blur it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from training.distillation import (
    LOGITS,
    TAPS,
    AnyArray,
    Deviations,
    Student,
    head_inputs,
    predictions,
    student_taps,
    teacher_targets,
)
from training.pictures import Crops

LEAST_DEVIATION = 0.05
"""Of the median one: else a channel that hardly ever answers would weigh as much as the others."""
RIDGE = 1e-3
"""Of a channel's variance; it keeps channels apart that the sample hardly tells from each other."""


class Moments(NamedTuple):
    """Means over the positions of a tap in some pictures.

    Of the tap's channels (`inputs`), their products, the teacher's channels (`targets`), their
    squares, the products of both, and the squared errors of the heads.
    """

    inputs: Float[AnyArray, " inputs"]
    products: Float[AnyArray, "inputs inputs"]
    targets: Float[AnyArray, " targets"]
    squares: Float[AnyArray, " targets"]
    cross: Float[AnyArray, "inputs targets"]
    errors: Float[AnyArray, " targets"]


def moments(
    student: Student, teacher: Any, deviations: Deviations, pictures: Crops
) -> dict[str, Moments]:
    """Measure a student, with its stored statistics, on a batch: each tap's and the logits'."""
    targets = teacher_targets(teacher, deviations, pictures, jnp.float32)
    inputs = head_inputs(student_taps(student, pictures))
    predicted = predictions(student.heads, inputs)
    found = {}
    for tap, x in inputs.items():
        x, y = x.reshape(-1, x.shape[-1]), targets[tap].reshape(-1, targets[tap].shape[-1])
        errors = jnp.square(predicted[tap].reshape(y.shape) - y)
        # Least squares loses what the products lose.
        product = lambda a, b: jnp.matmul(a.T, b, precision=lax.Precision.HIGHEST) / len(a)
        found[tap] = Moments(
            inputs=x.mean(0),
            products=product(x, x),
            targets=y.mean(0),
            squares=jnp.square(y).mean(0),
            cross=product(x, y),
            errors=errors.mean(0),
        )
    return found


def mean_moments(batches: Iterable[Mapping[str, Moments]]) -> dict[str, Moments]:
    """The moments of several batches of equal size together, in float64."""
    total: Any = None
    count = 0
    for batch in batches:
        batch = jax.tree.map(lambda value: np.asarray(value, np.float64), dict(batch))
        total = batch if total is None else jax.tree.map(np.add, total, batch)
        count += 1
    return jax.tree.map(lambda value: value / count, total)


def channel_deviations(found: Mapping[str, Moments]) -> dict[str, np.ndarray]:
    """Standard deviation of each of the teacher's channels, at least a share of the median one.

    `found` must have been measured with deviations of 1.
    """
    deviations = {}
    for tap in TAPS:
        variance = np.maximum(found[tap].squares - np.square(found[tap].targets), 0.0)
        deviation = np.sqrt(variance)
        least = LEAST_DEVIATION * np.median(deviation)
        deviations[tap] = np.maximum(deviation, least).astype(np.float32)
    return deviations


def scaled(found: Mapping[str, Moments], deviations: Deviations) -> dict[str, Moments]:
    """Moments measured with deviations of 1, as they would be with these; errors are left out."""
    taps = dict(found)
    for tap in TAPS:
        unit, each = np.asarray(deviations[tap], np.float64), found[tap]
        taps[tap] = each._replace(
            targets=each.targets / unit,
            squares=each.squares / unit**2,
            cross=each.cross / unit,
            errors=np.full_like(each.errors, np.nan),
        )
    return taps


def fitted_heads(found: Mapping[str, Moments], ridge: float = RIDGE) -> dict[str, Any]:
    """The heads of least squared error on the pictures that were measured.

    With means taken out, the kernel solves `(covariance + ridge * its diagonal) kernel = cross
    covariance`.
    """
    heads = {}
    for tap, of in found.items():
        covariance = np.asarray(of.products) - np.outer(of.inputs, of.inputs)
        cross = np.asarray(of.cross) - np.outer(of.inputs, of.targets)
        variance = np.diag(covariance)
        # A silent channel has no variance: a trace of the others' keeps the matrix regular.
        weight = ridge * variance + 1e-6 * variance.mean() + 1e-12
        kernel = np.linalg.solve(covariance + np.diag(weight), cross)
        bias = of.targets - of.inputs @ kernel
        heads[tap] = {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}
    return heads


def explained_variance(found: Mapping[str, Moments]) -> dict[str, float]:
    """Share of the teacher's variance that the heads predict, by the teacher's feature map.

    For each tap, 1 minus squared error over variance, both summed over the teacher's channels, each
    in units of its standard deviation (`channel_deviations`).
    """
    explained = {}
    for tap, output in TAPS.items():
        # 1 up to sampling, as targets are in units of their deviation; less where that was floored.
        variance = found[tap].squares - np.square(found[tap].targets)
        explained[output] = float(1.0 - np.mean(found[tap].errors) / np.mean(variance))
    return explained


_TAP_MODULES = {
    "pool2_relu": ("transition1.norm", "transition1.conv"),
    "pool3_relu": ("transition2.norm", "transition2.conv"),
    "pool4_relu": ("transition3.norm", "transition3.conv"),
    "relu": ("norm5", None),
}


def balanced(student: Student, found: Mapping[str, Moments], most: float = 100.0) -> Student:
    """The same function with no channel of these taps stronger than `most` times the median one.

    Strength is the mean square over the pictures measured, a channel's entry on the Gram matrix's
    diagonal. A ReLU passes a positive factor through: what is divided out of a norm's scale and
    bias is multiplied into the rows of the convolution and the heads that read it, as Gatys et al.
    (2016) rescale VGG.
    """
    params, heads = dict(student.params), dict(student.heads)
    for tap, (norm, conv) in _TAP_MODULES.items():
        strength = np.diag(found[tap].products)
        factor = np.sqrt(np.maximum(1.0, strength / (most * max(np.median(strength), 1e-12))))
        factor = factor.astype(np.float32)
        params[norm] = {name: value / factor for name, value in params[norm].items()}
        readers = [(heads, tap), (params, conv) if conv else (heads, LOGITS)]
        for group, name in readers:
            group[name] = {**group[name], "kernel": group[name]["kernel"] * factor[:, None]}
    return student._replace(params=params, heads=heads)
