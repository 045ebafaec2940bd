"""Distilling GoogLeNet's feature maps into DenseNet-121: pure functions on batches and pytrees.

The student is supervised at five strides: each of its taps, through a 1x1 convolution that is
thrown away afterwards (a head), predicts a feature map of the teacher, each channel divided by its
standard deviation. A head is linear, so the Gram matrix of the teacher's map is a linear function
of the student's: what the teacher calls style, the student's Gram matrices hold.

All of it learns at once. Normalized by its own batch, a network can hide that it runs away on a
picture unlike the others: so it learns on stored statistics at the end.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from stylejax.networks.densenet import DenseNet
from stylejax.networks.layers import DENSENET121, Architecture, layer_table
from stylejax.weights.read import IMAGENET_MEAN, IMAGENET_STANDARD_DEVIATION
from training.googlenet import CHANNELS, GoogLeNet
from training.network import learning_taps
from training.pictures import Crops

TAPS = {
    "conv1_relu": "conv1",
    "pool2_relu": "conv2",
    "pool3_relu": "3b",
    "pool4_relu": "4e",
    "relu": "5b",
}
PAIRED = {"conv1_relu": 64, "pool2_relu": 192, "pool3_relu": 256, "pool4_relu": 384, "relu": 256}
"""How many of a tap's channels, the last ones, are paired with a channel of the teacher."""
LOGITS = "logits"
LOGITS_WEIGHT = 0.1

Statistics = Mapping[str, Any]
AnyArray = Array | np.ndarray
Deviations = Mapping[str, Float[AnyArray, " channels"]]


class Student(NamedTuple):
    """All that is learnt; `heads` and the classifier among them are thrown away at the end."""

    params: dict[str, Any]
    batch_stats: dict[str, Any]
    heads: dict[str, Any]


class Flat(NamedTuple):
    """All numbers that are learnt, end to end: kernels, and scales and biases.

    A program that updates hundreds of arrays one by one takes longer to compile than all else in
    it.
    """

    kernels: Float[Array, " kernels"]
    others: Float[Array, " others"]


class State(NamedTuple):
    """What is learnt, the moving average of it, and Adam's moments."""

    learning: Flat
    average: Flat
    optimizer: Any


class Numbers(NamedTuple):
    """What a step may differ in: learning rate, share of the average kept, weight of each tap.

    And whether batch norm uses the stored statistics, as the finished network does.
    """

    rate: Any
    keep: Any
    weights: Any
    settled: Any


def _head(key: PRNGKeyArray, inputs: int, outputs: int, paired: int = 0) -> dict[str, Array]:
    """A head whose last `paired` inputs begin as outputs of the teacher, one for one.

    A channel that starts as a channel of the teacher gets that channel's error alone for a
    gradient: it learns several times faster than through a head of random numbers.
    """
    kernel = nn.initializers.lecun_normal()(key, (inputs, outputs), jnp.float32)
    if paired:
        kernel = 0.3 * kernel
        kernel = kernel.at[inputs - paired :, outputs - paired :].add(jnp.eye(paired))
    return {"kernel": kernel, "bias": jnp.zeros(outputs)}


def init_heads(key: PRNGKeyArray, architecture: Architecture = DENSENET121) -> dict[str, Any]:
    """Heads of random numbers, with paired channels."""
    table, keys = layer_table(architecture), jax.random.split(key, 1 + len(TAPS))
    heads = {}
    for head_key, (tap, output) in zip(keys, TAPS.items(), strict=False):
        inputs = table[tap].channels
        heads[tap] = _head(head_key, inputs, CHANNELS[output], min(PAIRED[tap], inputs))
    heads[LOGITS] = _head(keys[-1], table["relu"].channels, CHANNELS[LOGITS])
    return heads


def init_student(key: PRNGKeyArray, architecture: Architecture = DENSENET121) -> Student:
    """A student of random numbers, with heads."""
    network = DenseNet(("relu",), architecture)

    def init(key: PRNGKeyArray) -> Student:
        network_key, heads_key = jax.random.split(key)
        variables: Any = network.init(network_key, jnp.zeros((1, 64, 64, 3)))
        heads = init_heads(heads_key, architecture)
        return Student(variables["params"], variables["batch_stats"], heads)

    # One program: as operations on arrays of many shapes each would be compiled by itself.
    return jax.jit(init)(key)


def architecture_of(student: Student) -> Architecture:
    """The student's widths and block sizes, as its parameters show them."""
    names = [name.split(".")[0] for name in student.params if name.endswith(".norm1")]
    blocks = sorted(set(names))
    return Architecture(
        stem_channels=student.params["conv0"]["kernel"].shape[-1],
        growth_rate=student.params["denseblock1.denselayer1.conv2"]["kernel"].shape[-1],
        block_sizes=tuple(names.count(block) for block in blocks),
    )


def normalized(pictures: Crops) -> Crops:
    """Pictures as the student takes them: ImageNet's mean and standard deviation per channel."""
    return (pictures - jnp.array(IMAGENET_MEAN)) / jnp.array(IMAGENET_STANDARD_DEVIATION)


def student_taps(student: Student, pictures: Crops) -> dict[str, Array]:
    """The student's feature maps at its taps, with its stored statistics: as it ships."""
    network = DenseNet(tuple(TAPS), architecture_of(student))
    variables = {"params": student.params, "batch_stats": student.batch_stats}
    return network.apply(variables, normalized(pictures))  # type: ignore[return-value]


def head_inputs(features: Mapping[str, Array]) -> dict[str, Array]:
    """What the heads read, in float32: the taps, and for the classes the last one's mean."""
    found = {tap: features[tap].astype(jnp.float32) for tap in TAPS}
    return found | {LOGITS: found["relu"].mean((1, 2))}


def predictions(heads: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The teacher's normalized feature maps, and its logits, as the heads read them."""
    return {tap: x @ heads[tap]["kernel"] + heads[tap]["bias"] for tap, x in inputs.items()}


def teacher_targets(
    variables: Mapping[str, Any], deviations: Deviations, pictures: Crops, dtype: DTypeLike
) -> dict[str, Array]:
    """The teacher's feature maps for the taps, each channel over its deviation, and its logits."""
    features: Any = GoogLeNet((*TAPS.values(), LOGITS), dtype).apply(variables, pictures)
    targets = {
        tap: features[name].astype(jnp.float32) / deviations[tap] for tap, name in TAPS.items()
    }
    return targets | {LOGITS: features[LOGITS]}


def _logits_error(predicted: Array, target: Array) -> Array:
    """Kullback-Leibler divergence of the teacher's classes from the student's, in nats."""
    student, teacher = jax.nn.log_softmax(predicted), jax.nn.log_softmax(target)
    return jnp.mean(jnp.sum(jnp.exp(teacher) * (teacher - student), -1))


def distillation_loss(
    predicted: Mapping[str, Array], targets: Mapping[str, Array], weights: Float[Array, " taps"]
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Weighted sum over the taps of the mean squared error a channel; each tap's error besides."""
    errors = {tap: jnp.mean(jnp.square(predicted[tap] - targets[tap])) for tap in TAPS}
    loss = jnp.dot(weights, jnp.stack(list(errors.values())))
    errors[LOGITS] = _logits_error(predicted[LOGITS], targets[LOGITS])
    return loss + LOGITS_WEIGHT * errors[LOGITS], errors


def optimizer() -> optax.GradientTransformation:
    """AdamW for unit learning rate, on clipped gradients; kernels decay, scales and biases not."""
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(b2=0.99),
        optax.add_decayed_weights(1e-2, Flat(kernels=True, others=False)),  # type: ignore[arg-type]
        optax.scale(-1.0),
    )


def _learning_part(student: Student) -> tuple[dict[str, Any], dict[str, Any]]:
    return student.params, student.heads


def flattened(student: Student) -> Flat:
    """What a student has learnt, all but its statistics, in the order of its pytree's leaves."""
    leaves = jax.tree.leaves(_learning_part(student))
    kernels, others = (
        jnp.concatenate([leaf.ravel() for leaf in leaves if (leaf.ndim > 1) == wanted])
        for wanted in (True, False)
    )
    return Flat(kernels, others)


def restored(flat: Flat, student: Student) -> Student:
    """The inverse of `flattened`; shapes and statistics are those of `student`."""
    leaves, structure = jax.tree.flatten(_learning_part(student))
    places = {True: 0, False: 0}
    found = []
    for leaf in leaves:
        source = flat.kernels if leaf.ndim > 1 else flat.others
        first = places[leaf.ndim > 1]
        places[leaf.ndim > 1] = last = first + math.prod(leaf.shape)
        found.append(source[first:last].reshape(leaf.shape))
    params, heads = jax.tree.unflatten(structure, found)
    return student._replace(params=params, heads=heads)


@jax.jit
def begin(student: Student) -> State:
    """The state before the first step."""
    learning = flattened(student)
    # A step donates its state's buffers: the average needs its own.
    average = jax.tree.map(jnp.copy, learning)
    return State(learning, average, optimizer().init(learning))  # type: ignore[arg-type]


def training_step(student: Student, dtype: DTypeLike) -> Callable[..., Any]:
    """One step as a pure function, to be compiled.

    It maps `(state, statistics, teacher, deviations, crops, Numbers)` to the new state and the
    errors of the taps. Batch norm uses the batch's statistics, or where `settled` the stored ones
    (`statistics`). Of `student` only the shapes count.
    """
    transform, sizes = optimizer(), architecture_of(student).block_sizes

    def step(
        state: State,
        statistics: Statistics,
        teacher: Any,
        deviations: Deviations,
        crops: Crops,
        numbers: Numbers,
    ) -> tuple[State, dict[str, Array]]:
        targets = teacher_targets(teacher, deviations, crops, dtype)

        def loss(params: Any, heads: Any) -> Any:
            known = (params, statistics, normalized(crops), sizes, dtype, numbers.settled)
            features, _ = learning_taps(*known)
            predicted = predictions(heads, head_inputs(features))
            return distillation_loss(predicted, targets, numbers.weights)

        learning = restored(state.learning, student)
        differentiate = jax.grad(loss, argnums=(0, 1), has_aux=True)
        (params, heads), errors = differentiate(learning.params, learning.heads)
        # Without the barrier all of the gradient would be computed inside one concatenation.
        gradient = lax.optimization_barrier(Student(params, {}, heads))
        updates, moments = transform.update(flattened(gradient), state.optimizer, state.learning)
        flat = jax.tree.map(lambda value, up: value + numbers.rate * up, state.learning, updates)
        blend = lambda a, b: numbers.keep * a + (1.0 - numbers.keep) * b
        return State(flat, jax.tree.map(blend, state.average, flat), moments), errors

    return step


def batch_statistics(student: Student, crops: Crops) -> Statistics:
    """Means and variances of one batch at each batch norm, computed in float32."""
    sizes = architecture_of(student).block_sizes
    return learning_taps(student.params, None, normalized(crops), sizes, jnp.float32)[1]
