"""The functions that a step of the training is made of, on small networks and random teachers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import picture
from teachers import narrow_googlenet, random_teacher_file

from stylejax.networks.densenet import DenseNet
from stylejax.networks.layers import Architecture
from training import distillation, figures, googlenet, heads, network
from training.distillation import LOGITS, TAPS

SMALL = Architecture(stem_channels=8, growth_rate=4, block_sizes=(2, 1, 1, 1))
"""Of a student that is compiled in seconds."""


taps_of = jax.jit(distillation.student_taps)


@pytest.fixture(scope="module", autouse=True)
def narrow():
    with narrow_googlenet():
        yield


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    path = random_teacher_file(tmp_path_factory.mktemp("teacher") / "googlenet.safetensors")
    return googlenet.read_googlenet(path)


@pytest.fixture(scope="module")
def student():
    """Random numbers, with statistics of no batch under which every tap answers."""
    made = jax.device_get(distillation.init_student(jax.random.key(0), SMALL))
    random = np.random.default_rng(0)
    bounds = {"mean": (-0.2, 0.2), "var": (0.5, 1.5)}
    stored = {
        norm: {name: np.float32(random.uniform(*bounds[name], x.shape)) for name, x in of.items()}
        for norm, of in made.batch_stats.items()
    }
    return made._replace(batch_stats=stored)


@pytest.fixture(scope="module")
def crops():
    """A bright and a dark one: the deep maps of a random teacher hardly tell others apart."""
    return np.stack([picture(64, 64, 0), 0.3 * picture(64, 64, 1)])


@pytest.fixture(scope="module")
def deviations():
    return {tap: np.ones(googlenet.CHANNELS[name], np.float32) for tap, name in TAPS.items()}


def test_a_student_tells_its_architecture(student):
    assert distillation.architecture_of(student) == SMALL


learning = jax.jit(network.learning_taps, static_argnums=(3, 4))


@pytest.mark.parametrize("settled", [False, True])
def test_what_learns_is_the_network_that_ships(student, crops, settled):
    inputs, stored = distillation.normalized(crops), student.batch_stats
    sizes = SMALL.block_sizes
    found, used = learning(student.params, stored, inputs, sizes, jnp.float32, settled)
    module = DenseNet(tuple(TAPS), SMALL, training=not settled)
    variables = {"params": student.params, "batch_stats": student.batch_stats}
    expected = jax.jit(partial(module.apply, mutable=["batch_stats"]))(variables, inputs)[0]
    for tap in TAPS:
        # A tap that is silent would be equal to anything.
        scale = np.abs(expected[tap]).max()
        assert scale > 0.1
        np.testing.assert_allclose(found[tap] / scale, expected[tap] / scale, atol=1e-5)
    assert used.keys() == stored.keys()
    if settled:
        jax.tree.map(np.testing.assert_array_equal, used, stored)


def test_statistics_of_a_batch_are_the_naive_ones(student, crops):
    found = jax.jit(distillation.batch_statistics)(student, jnp.asarray(crops))
    # Each norm with the map that it reads; the last two read what several layers have added.
    reads = {
        "norm0": "conv1_conv",
        "denseblock1.denselayer1.norm2": "conv2_block1_1_conv",
        "denseblock1.denselayer2.norm1": "conv2_block1_concat",
        "norm5": "conv5_block1_concat",
    }
    module = DenseNet(tuple(reads.values()), SMALL, training=True)
    variables = {"params": student.params, "batch_stats": student.batch_stats}
    inputs = distillation.normalized(crops)
    maps, _ = jax.jit(partial(module.apply, mutable=["batch_stats"]))(variables, inputs)
    for norm, layer in reads.items():
        values = np.asarray(maps[layer], np.float64).reshape(-1, maps[layer].shape[-1])
        np.testing.assert_allclose(found[norm]["mean"], values.mean(0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found[norm]["var"], values.var(0), rtol=1e-3, atol=1e-5)


@pytest.fixture
def targets():
    random = np.random.default_rng(0)
    shapes = {tap: (4, 8, 8, 16) for tap in TAPS} | {LOGITS: (4, 10)}
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def test_loss_is_the_weighted_sum_of_the_unexplained_variances(targets):
    silent = {name: np.zeros_like(target) for name, target in targets.items()}
    weights = jnp.array([1.0, 2.0, 2.0, 1.0, 0.5])
    loss, errors = distillation.distillation_loss(silent, targets, weights)
    for tap in TAPS:
        assert float(errors[tap]) == pytest.approx(1.0, abs=0.06)
        assert float(errors[tap]) == pytest.approx(float(np.mean(np.square(targets[tap]))))
    classes = distillation.LOGITS_WEIGHT * float(errors[LOGITS])
    expected = sum(w * float(errors[tap]) for w, tap in zip(weights, TAPS, strict=True)) + classes
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    exact, _ = distillation.distillation_loss(targets, targets, weights)
    assert float(exact) == pytest.approx(0.0, abs=1e-6)


def test_all_that_is_learnt_lies_end_to_end_and_comes_back(student):
    flat = distillation.flattened(student)
    again = distillation.restored(jax.device_get(flat), student)
    jax.tree.map(np.testing.assert_array_equal, again, student)
    count = sum(leaf.size for leaf in jax.tree.leaves(student.params) if leaf.ndim == 1)
    assert len(flat.others) == count + sum(len(head["bias"]) for head in student.heads.values())


@pytest.fixture(scope="module")
def step(student):
    return jax.jit(distillation.training_step(student, jnp.float32))


def steps(step, student, teacher, deviations, crops, settled, count):
    state, errors = distillation.begin(student), []
    numbers = distillation.Numbers(
        rate=jnp.float32(1e-2), keep=jnp.float32(0.5), weights=jnp.ones(5), settled=settled
    )
    for _ in range(count):
        state, found = step(state, student.batch_stats, teacher, deviations, crops, numbers)
        errors.append({tap: float(error) for tap, error in found.items()})
    return state, errors


@pytest.fixture(scope="module")
def scaled_deviations(teacher, student, crops, deviations):
    found = jax.jit(heads.moments)(student, teacher, deviations, jnp.asarray(crops))
    return heads.channel_deviations(heads.mean_moments([found]))


@pytest.mark.parametrize("settled", [False, True])
def test_every_tap_learns_at_once(step, student, teacher, scaled_deviations, crops, settled):
    state, errors = steps(step, student, teacher, scaled_deviations, crops, settled, 20)
    for tap in TAPS:
        assert errors[-1][tap] < 0.9 * errors[0][tap], tap
    after = distillation.restored(state.learning, student)
    for module, values in student.params.items():
        moved = jax.tree.map(lambda a, b: bool((a != b).any()), values, after.params[module])
        assert jax.tree.all(moved), module


def test_a_step_is_adamw_on_the_gradient_and_the_average_follows(
    step, student, teacher, scaled_deviations, crops
):
    state, _ = steps(step, student, teacher, scaled_deviations, crops, False, 1)
    before = distillation.flattened(student)
    # Adam's first step is the sign of the gradient, whatever its length; kernels decay besides.
    others = np.abs(np.asarray(state.learning.others - before.others))
    assert others.max() == pytest.approx(1e-2, rel=1e-3)
    assert np.median(others) == pytest.approx(1e-2, rel=1e-2)
    kernels = np.asarray(state.learning.kernels - before.kernels * (1 - 1e-2 * 1e-2))
    assert np.abs(kernels).max() == pytest.approx(1e-2, rel=1e-3)
    half = 0.5 * (np.asarray(before.others) + np.asarray(state.learning.others))
    np.testing.assert_allclose(state.average.others, half, atol=1e-7)


def test_least_squares_finds_a_known_linear_map():
    random = np.random.default_rng(0)
    x = random.normal(1.0, 2.0, (500, 12))
    kernel, bias = random.normal(size=(12, 7)), random.normal(size=7)
    y = x @ kernel + bias
    found = heads.Moments(
        inputs=x.mean(0),
        products=x.T @ x / 500,
        targets=y.mean(0),
        squares=np.square(y).mean(0),
        cross=x.T @ y / 500,
        errors=np.zeros(7),
    )
    head = heads.fitted_heads({"relu": found}, ridge=0.0)["relu"]
    np.testing.assert_allclose(head["kernel"], kernel, atol=1e-5)
    np.testing.assert_allclose(head["bias"], bias, atol=1e-4)
    # A channel that never answers is no harm, and is not read.
    silent = found._replace(
        inputs=np.r_[found.inputs, 0.0],
        products=np.pad(found.products, (0, 1)),
        cross=np.pad(found.cross, ((0, 1), (0, 0))),
    )
    head = heads.fitted_heads({"relu": silent}, ridge=0.0)["relu"]
    np.testing.assert_allclose(head["kernel"], np.pad(kernel, ((0, 1), (0, 0))), atol=1e-5)


@pytest.fixture(scope="module")
def measured(student, teacher, scaled_deviations, crops):
    measure = jax.jit(heads.moments)
    unit = {tap: np.ones_like(value) for tap, value in scaled_deviations.items()}
    both = [measure(student, teacher, unit, jnp.asarray(half)) for half in (crops[:1], crops[1:])]
    fitted = heads.fitted_heads(heads.scaled(heads.mean_moments(both), scaled_deviations))
    student = student._replace(heads=fitted)
    both = [
        measure(student, teacher, scaled_deviations, jnp.asarray(half))
        for half in (crops[:1], crops[1:])
    ]
    return student, heads.mean_moments(both)


def test_explained_variance_is_what_it_says(measured, teacher, scaled_deviations, crops):
    student, found = measured
    explained = heads.explained_variance(found)
    features = taps_of(student, crops)
    module = googlenet.GoogLeNet(tuple(TAPS.values()))
    maps = jax.jit(module.apply)(teacher, jnp.asarray(crops))
    for tap, name in TAPS.items():
        y = np.asarray(maps[name], np.float64) / scaled_deviations[tap]  # type: ignore[index]
        head = student.heads[tap]
        error = np.square(np.asarray(features[tap], np.float64) @ head["kernel"] + head["bias"] - y)
        variance = np.var(y, axis=(0, 1, 2))
        expected = 1.0 - error.mean() / variance.mean()
        assert explained[name] == pytest.approx(expected, abs=2e-3)
        assert explained[name] > 0.01


def mean_products(maps):
    """What balancing reads of the moments: for each tap the mean products of its channels."""
    empty, found = np.zeros(0), {}
    for tap, value in maps.items():
        x = np.asarray(value, np.float64).reshape(-1, value.shape[-1])
        found[tap] = heads.Moments(empty, x.T @ x / len(x), empty, empty, empty, empty)
    return found


@pytest.mark.parametrize(("tap", "norm"), [("pool3_relu", "transition2.norm"), ("relu", "norm5")])
def test_balancing_tames_a_channel_and_changes_no_prediction(student, crops, tap, norm):
    # A channel that answers, made 300 times as strong: a silent one has no strength to lose.
    strongest = int(np.argmax(np.mean(np.square(taps_of(student, crops)[tap]), (0, 1, 2))))
    values = {name: value.copy() for name, value in student.params[norm].items()}
    for value in values.values():
        value[strongest] *= 300.0
    wild = student._replace(params={**student.params, norm: values})
    before = distillation.head_inputs(taps_of(wild, crops))
    found = mean_products(before)
    tame = heads.balanced(wild, found, 50.0)
    after = distillation.head_inputs(taps_of(tame, crops))
    strength = np.diag(mean_products(after)[tap].products)
    given = np.diag(found[tap].products)
    most = 50.0 * np.median(given)
    assert given[strongest] > 100.0 * most
    assert strength[strongest] == pytest.approx(most, rel=1e-3)
    np.testing.assert_allclose(strength, np.minimum(given, most), rtol=1e-3)
    expected = distillation.predictions(wild.heads, before)
    for name, value in distillation.predictions(tame.heads, after).items():
        scale = np.abs(expected[name]).max()
        assert scale > 0.1
        np.testing.assert_allclose(value / scale, expected[name] / scale, atol=1e-5)
    # What needs no balancing keeps its numbers to the bit.
    calm = heads.balanced(wild, found, 1e12)
    jax.tree.map(np.testing.assert_array_equal, calm, wild)


def test_statistics_name_a_dead_and_a_dominant_channel(student, crops):
    bias = student.params["norm0"]["bias"].copy()
    bias[3], bias[5] = -1e6, 1e3
    broken = student._replace(
        params={**student.params, "norm0": {**student.params["norm0"], "bias": bias}}
    )
    healthy = figures.activation_statistics(student, jnp.asarray(crops))["conv1_relu"]
    found = figures.activation_statistics(broken, jnp.asarray(crops))["conv1_relu"]
    assert healthy["dead"] == 0.0 and found["dead"] == pytest.approx(1 / 8)
    assert healthy["dominance"] < 1000 < found["dominance"]


def test_the_stem_picture_shows_every_filter(student):
    shown = np.asarray(figures.stem_picture(student, 1))
    assert shown.shape == (9, 72, 3)
    kernel = np.asarray(student.params["conv0"]["kernel"])[..., 3]
    expected = 255 * (0.5 + 0.5 * kernel / np.abs(kernel).max())
    np.testing.assert_allclose(shown[1:8, 28:35], expected, atol=1.0)
