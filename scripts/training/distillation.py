"""Distilling GoogLeNet's feature maps into DenseNet-121: pure functions on batches and pytrees.

The student is supervised at five strides: each of its taps, through a 1x1 convolution that is
thrown away afterwards (a head), predicts a feature map of the teacher, each channel divided by its
standard deviation. A head is linear, so the Gram matrix of the teacher's map is a linear function
of the student's: what the teacher calls style, the student's Gram matrices hold.

It is learnt in stages from the picture upwards. While one part learns, the parts before it stand
still and need no gradient, which makes a step two to three times cheaper. `joint` then lets the
blocks that style and content are read from learn together. Normalized by its own batch, a network
can hide that it runs away on a picture unlike the others: `settle` takes that hiding-place away.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from stylejax.networks.densenet import DenseNet
from stylejax.networks.layers import layer_table
from stylejax.weights.read import IMAGENET_MEAN, IMAGENET_STANDARD_DEVIATION
from training.googlenet import CHANNELS, GoogLeNet
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


class Stage(NamedTuple):
    """A part of the training: which parts of the student learn, from which taps, for how long.

    Parts are 0 (the stem) to 4 (the last block); a transition's 1x1 convolution belongs to the
    block after it. `share` is of the whole training's time. A `settled` stage normalizes with the
    stored statistics, as the finished network does.
    """

    name: str
    parts: tuple[int, ...]
    taps: tuple[str, ...]
    share: float
    learning_rate: float
    settled: bool = False


_NAMES = tuple(TAPS)
STAGES = (
    Stage("stem", (0,), _NAMES[:1], 0.02, 1e-2),
    Stage("block1", (1,), _NAMES[1:2], 0.10, 1e-2),
    Stage("block2", (2,), _NAMES[2:3], 0.29, 1e-2),
    Stage("block3", (3,), _NAMES[3:4], 0.20, 6e-3),
    Stage("joint", (1, 2, 3), _NAMES[1:4], 0.16, 2e-3),
    Stage("block4", (4,), _NAMES[4:], 0.09, 6e-3),
    Stage("settle", (3, 4), _NAMES[3:], 0.14, 1e-3, settled=True),
)


class Recipe(NamedTuple):
    """What is added to the taps' errors, each with its weight; 0 leaves it out of the program.

    `gram` weighs the relative squared error of the teacher's Gram matrices as seen through the
    heads. `adversarial` is the L2 length, a pixel (root mean square), of one step uphill on the
    error that the pictures take before they are learnt from.
    """

    gram: float = 0.0
    adversarial: float = 0.0


class Student(NamedTuple):
    """All that is learnt; `heads` and the classifier among them are thrown away at the end."""

    params: dict[str, Any]
    batch_stats: dict[str, Any]
    heads: dict[str, Any]


def part_of(module: str) -> int:
    """The part of the student (0 to 4) that a module belongs to, by torchvision's name."""
    if module in ("conv0", "norm0"):
        return 0
    if module == "norm5":
        return 4
    kind, number = module.split(".")[0][:-1], int(module.split(".")[0][-1])
    return number + 1 if kind == "transition" and module.endswith("conv") else number


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


def init_heads(keys: Sequence[PRNGKeyArray]) -> dict[str, dict[str, Array]]:
    """Heads of random numbers: a key for each tap, and one for the teacher's classes."""
    table = layer_table()
    *of_taps, of_logits = keys
    heads = {
        tap: _head(key, table[tap].channels, CHANNELS[output], PAIRED[tap])
        for key, (tap, output) in zip(of_taps, TAPS.items(), strict=True)
    }
    return heads | {LOGITS: _head(of_logits, table["relu"].channels, CHANNELS[LOGITS])}


def init_student(key: PRNGKeyArray) -> Student:
    """A student of random numbers, with heads."""
    network_key, *head_keys = jax.random.split(key, 2 + len(TAPS))
    network = DenseNet(("relu",), training=True)
    variables: Any = jax.jit(network.init)(network_key, jnp.zeros((1, 64, 64, 3)))
    return Student(variables["params"], variables["batch_stats"], init_heads(head_keys))


def normalized(pictures: Crops) -> Crops:
    """Pictures as the student takes them: ImageNet's mean and standard deviation per channel."""
    return (pictures - jnp.array(IMAGENET_MEAN)) / jnp.array(IMAGENET_STANDARD_DEVIATION)


def student_taps(
    student: Student, pictures: Crops, taps: tuple[str, ...], training: bool, dtype: DTypeLike
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The student's feature maps at its taps, and its batch-norm statistics afterwards."""
    network = DenseNet(taps, training=training, dtype=dtype)
    variables = {"params": student.params, "batch_stats": student.batch_stats}
    if not training:
        return network.apply(variables, normalized(pictures)), student.batch_stats  # type: ignore
    features, updated = network.apply(variables, normalized(pictures), mutable=["batch_stats"])
    return features, {**student.batch_stats, **updated["batch_stats"]}  # type: ignore


def predictions(heads: Mapping[str, Any], features: Mapping[str, Array]) -> dict[str, Array]:
    """The teacher's normalized feature maps (and logits) as the heads read them, in float32."""
    found = {
        tap: features[tap].astype(jnp.float32) @ heads[tap]["kernel"] + heads[tap]["bias"]
        for tap in features
    }
    if "relu" in features:
        mean = features["relu"].astype(jnp.float32).mean((1, 2))
        found[LOGITS] = mean @ heads[LOGITS]["kernel"] + heads[LOGITS]["bias"]
    return found


def teacher_outputs(taps: tuple[str, ...]) -> tuple[str, ...]:
    """The teacher's feature maps that supervise these taps."""
    return tuple(TAPS[tap] for tap in taps) + ((LOGITS,) if "relu" in taps else ())


def teacher_targets(
    variables: Mapping[str, Any],
    deviations: Mapping[str, Array],
    pictures: Crops,
    taps: tuple[str, ...],
    dtype: DTypeLike,
) -> dict[str, Array]:
    """The teacher's feature maps for the student's taps, each channel over its deviation."""
    features = GoogLeNet(teacher_outputs(taps), dtype).apply(variables, pictures)
    targets = {tap: features[TAPS[tap]].astype(jnp.float32) / deviations[tap] for tap in taps}  # type: ignore
    return targets | ({LOGITS: features[LOGITS]} if "relu" in taps else {})  # type: ignore


def channel_deviations(
    variables: Mapping[str, Any], pictures: Crops, least: float = 0.05
) -> dict[str, Float[Array, " channels"]]:
    """Standard deviation of each of the teacher's channels, at least `least` of the median one.

    Without the floor a channel that hardly ever answers would weigh as much as the others.
    """
    features = GoogLeNet(tuple(TAPS.values())).apply(variables, pictures)
    deviations = {tap: features[output].std((0, 1, 2)) for tap, output in TAPS.items()}  # type: ignore
    return {tap: jnp.maximum(value, least * jnp.median(value)) for tap, value in deviations.items()}


def _gram(features: Float[Array, "batch height width channels"]) -> Array:
    return jnp.einsum("bhwc,bhwd->bcd", features, features) / np.prod(features.shape[1:])


def _gram_error(predicted: Array, target: Array) -> Array:
    want = _gram(target)
    return jnp.mean(
        jnp.sum((_gram(predicted) - want) ** 2, (1, 2)) / jnp.sum(want**2, (1, 2)).clip(1e-6)
    )


def _logits_error(predicted: Array, target: Array) -> Array:
    """Kullback-Leibler divergence of the teacher's classes from the student's, in nats."""
    student, teacher = jax.nn.log_softmax(predicted), jax.nn.log_softmax(target)
    return jnp.mean(jnp.sum(jnp.exp(teacher) * (teacher - student), -1))


def distillation_loss(
    predicted: Mapping[str, Array], targets: Mapping[str, Array], gram: float
) -> tuple[Array, dict[str, Array]]:
    """Sum over taps of the mean squared error a channel; the errors of each tap besides."""
    errors = {
        tap: _logits_error(predicted[tap], target)
        if tap == LOGITS
        else jnp.mean((predicted[tap] - target) ** 2)
        for tap, target in targets.items()
    }
    loss = sum(error * (LOGITS_WEIGHT if tap == LOGITS else 1.0) for tap, error in errors.items())
    if gram:
        pairs = [(predicted[tap], targets[tap]) for tap in targets if tap != LOGITS]
        loss = loss + gram * sum(_gram_error(*pair) for pair in pairs)
    return jnp.asarray(loss), errors


def optimizer() -> optax.GradientTransformation:
    """AdamW for unit learning rate, on clipped gradients; kernels decay, scales and biases not."""

    def kernels(params: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf.ndim > 1, params)

    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(b2=0.99),
        optax.add_decayed_weights(1e-2, kernels),
        optax.scale(-1.0),
    )


def split_parts(student: Student, stage: Stage) -> tuple[dict[str, Any], dict[str, Any]]:
    """What learns in this stage (parameters and heads), and the parameters that stand still."""
    learns = {name: part_of(name) in stage.parts for name in student.params}
    heads = (*stage.taps, LOGITS) if "relu" in stage.taps else stage.taps
    learning = {
        "params": {name: value for name, value in student.params.items() if learns[name]},
        "heads": {name: student.heads[name] for name in heads},
    }
    return learning, {name: value for name, value in student.params.items() if not learns[name]}


def training_step(
    stage: Stage,
    recipe: Recipe,
    draw: Callable[[PRNGKeyArray, Array], Crops],
    dtype: DTypeLike,
) -> Callable[..., tuple[Any, dict[str, Array]]]:
    """One step of a stage as a pure function, to be compiled.

    It maps `((student, optimizer state), teacher, deviations, tiles, key, learning rate)` to the
    new `(student, optimizer state)` and the errors of the taps.
    """
    transform = optimizer()

    def targets_of(teacher: Any, deviations: Any, pictures: Crops) -> dict[str, Array]:
        return teacher_targets(teacher, deviations, pictures, stage.taps, dtype)

    def step(
        state: Any, teacher: Any, deviations: Any, tiles: Array, key: PRNGKeyArray, rate: Array
    ) -> tuple[Any, dict[str, Array]]:
        student, optimizer_state = state
        learning, frozen = split_parts(student, stage)
        pictures = draw(key, tiles)
        targets = targets_of(teacher, deviations, pictures)

        def loss(learning: Any, pictures: Crops, targets: Any) -> Any:
            params = {**frozen, **learning["params"]}
            current = Student(params, student.batch_stats, student.heads)
            training = not stage.settled
            features, statistics = student_taps(current, pictures, stage.taps, training, dtype)
            predicted = predictions({**student.heads, **learning["heads"]}, features)
            value, errors = distillation_loss(predicted, targets, recipe.gram)
            return value, (errors, statistics)

        if recipe.adversarial:
            uphill = jax.grad(loss, argnums=1, has_aux=True)(learning, pictures, targets)[0]
            norm = jnp.sqrt(jnp.mean(uphill**2, (1, 2, 3), keepdims=True))
            pictures = jnp.clip(pictures + recipe.adversarial * uphill / (norm + 1e-12), 0.0, 1.0)
            targets = targets_of(teacher, deviations, pictures)
        gradient, (errors, statistics) = jax.grad(loss, has_aux=True)(learning, pictures, targets)
        updates, optimizer_state = transform.update(gradient, optimizer_state, learning)
        learning = jax.tree.map(lambda value, change: value + rate * change, learning, updates)
        student = Student(
            params={**student.params, **learning["params"]},
            batch_stats=statistics,
            heads={**student.heads, **learning["heads"]},
        )
        return (student, optimizer_state), errors

    return step


_TAP_MODULES = {
    "pool2_relu": ("transition1.norm", "transition1.conv"),
    "pool3_relu": ("transition2.norm", "transition2.conv"),
    "pool4_relu": ("transition3.norm", "transition3.conv"),
    "relu": ("norm5", None),
}


def balanced(student: Student, pictures: Crops, most: float = 100.0) -> Student:
    """The same function with no channel of these taps stronger than `most` times the median one.

    Strength is the mean square over the pictures, a channel's entry on the Gram matrix's diagonal.
    A ReLU passes a positive factor through: what is divided out of a norm's scale and bias is
    multiplied into the rows of the convolution and the heads that read it, as Gatys et al. (2016)
    rescale VGG.
    """
    taps_of = jax.jit(student_taps, static_argnums=(2, 3, 4))
    features, _ = taps_of(student, pictures, tuple(_TAP_MODULES), False, jnp.float32)
    params, heads = dict(student.params), dict(student.heads)
    for tap, (norm, conv) in _TAP_MODULES.items():
        strength = jnp.mean(jnp.square(features[tap]), (0, 1, 2))
        factor = jnp.sqrt(jnp.maximum(1.0, strength / (most * jnp.median(strength))))
        params[norm] = {name: value / factor for name, value in params[norm].items()}
        readers = [(heads, tap)] + ([(params, conv)] if conv else [(heads, LOGITS)])
        for group, name in readers:
            group[name] = {**group[name], "kernel": group[name]["kernel"] * factor[:, None]}
    return student._replace(params=params, heads=heads)
