"""The scripts that train the bundled weights, on random teachers and pictures."""

import io
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pretrain
import pytest
from PIL import Image
from safetensors.numpy import load_file
from scipy.signal import correlate
from teachers import random_teacher_file
from training.distillation import STAGES, TAPS, Recipe

from stylejax.weights.names import expected_shapes
from training import distillation, figures, googlenet
from training import pictures as training_pictures

crops = jax.jit(training_pictures.crops, static_argnums=(2, 3))


@pytest.fixture(scope="module")
def teacher_file(tmp_path_factory):
    return random_teacher_file(tmp_path_factory.mktemp("teacher") / "googlenet.safetensors")


@pytest.fixture(scope="module")
def teacher(teacher_file):
    return googlenet.read_googlenet(teacher_file)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Twelve pictures of three classes, smooth enough to have edges and flat parts."""
    path = tmp_path_factory.mktemp("pictures") / "train.zip"
    tiles = training_pictures.painted_tiles(12, seed=5)
    with zipfile.ZipFile(path, "w") as file:
        for number, tile in enumerate(tiles):
            encoded = io.BytesIO()
            Image.fromarray(tile).save(encoded, "WEBP", lossless=True)
            file.writestr(f"class{number % 3}/{number:03}.webp", encoded.getvalue())
    return path


@pytest.fixture(scope="module")
def student():
    """As `init_student` makes one, whose random numbers take longest to compile of all here."""
    random = np.random.default_rng(0)

    def begun(path, leaf):
        entry = path[-1].key
        if entry == "kernel":
            deviation = np.prod(leaf.shape[:-1]) ** -0.5
            return random.normal(0.0, deviation, leaf.shape).astype(np.float32)
        return np.full(leaf.shape, entry in ("scale", "var"), np.float32)

    form = jax.eval_shape(distillation.init_student, jax.random.key(0))
    drawn = jax.tree.map(jnp.asarray, jax.tree_util.tree_map_with_path(begun, form))
    heads = distillation.init_heads(list(jax.random.split(jax.random.key(0), 1 + len(TAPS))))
    assert jax.tree.map(jnp.shape, heads) == jax.tree.map(jnp.shape, drawn.heads)
    return drawn._replace(heads=heads)


def convolved(x: np.ndarray, tensors: dict, key: str, stride: int = 1) -> np.ndarray:
    """An oracle in the file's own layout: channels first, kernels OIHW, ReLU after."""
    kernel = tensors[f"{key}.weight"].astype(np.float64)
    padding = kernel.shape[2] // 2
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    maps = [correlate(x, filters, "valid")[0, ::stride, ::stride] for filters in kernel]
    return np.maximum(np.stack(maps) + tensors[f"{key}.bias"][:, None, None], 0.0)


def pooled(x: np.ndarray, stride: int, before: int) -> np.ndarray:
    """3x3 maxima; windows may reach past the end but start inside."""
    channels, side = x.shape[0], x.shape[1] + 2 * before
    count = -(-(side - 3) // stride) + 1
    whole = np.full((channels, side + 2, side + 2), -np.inf)
    whole[:, before : before + x.shape[1], before : before + x.shape[2]] = x
    found = np.empty((channels, count, count))
    for i in range(count):
        for j in range(count):
            window = whole[:, stride * i : stride * i + 3, stride * j : stride * j + 3]
            found[:, i, j] = window.max((1, 2))
    return found


def normalized(x: np.ndarray) -> np.ndarray:
    found = np.empty_like(x)
    for channel in range(len(x)):
        near = x[max(channel - 2, 0) : channel + 3]
        found[channel] = x[channel] / (1.0 + 1e-4 / 5 * np.sum(near**2, 0)) ** 0.75
    return found


def test_googlenet_computes_what_caffe_defines(teacher_file, teacher):
    """formats.md's recipe, spelled out channel by channel in float64."""
    picture = np.random.default_rng(1).uniform(size=(30, 30, 3)).astype(np.float32)
    tensors = load_file(teacher_file)
    x = picture[..., ::-1].transpose(2, 0, 1) * 255.0 - np.array([104, 117, 123])[:, None, None]
    conv1 = convolved(x, tensors, "conv1/7x7_s2", 2)
    x = normalized(pooled(conv1, 2, 0))
    conv2 = convolved(convolved(x, tensors, "conv2/3x3_reduce"), tensors, "conv2/3x3")
    x = pooled(normalized(conv2), 2, 0)
    key = "inception_3a"
    branches = (
        convolved(x, tensors, f"{key}/1x1"),
        convolved(convolved(x, tensors, f"{key}/3x3_reduce"), tensors, f"{key}/3x3"),
        convolved(convolved(x, tensors, f"{key}/5x5_reduce"), tensors, f"{key}/5x5"),
        convolved(pooled(x, 1, 1), tensors, f"{key}/pool_proj"),
    )
    oracle = {"conv1": conv1, "conv2": conv2, "3a": np.concatenate(branches)}
    features = googlenet.GoogLeNet(tuple(oracle)).apply(teacher, picture[None])
    assert set(features) == set(oracle)
    for name, expected in oracle.items():
        found = np.asarray(features[name][0]).transpose(2, 0, 1)  # type: ignore[index]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.max())


def test_googlenet_has_the_strides_of_densenet(teacher):
    network = googlenet.GoogLeNet((*TAPS.values(), "logits"))
    shapes = jax.eval_shape(network.apply, teacher, jnp.zeros((2, 64, 64, 3)))
    for output, side in zip(TAPS.values(), (32, 16, 8, 4, 2), strict=True):
        assert shapes[output].shape == (2, side, side, googlenet.CHANNELS[output])
    assert shapes["logits"].shape == (2, 1000)


def test_tiles_and_labels_are_read_in_order(archive):
    tiles, labels = training_pictures.read_tiles([archive])
    assert tiles.shape == (12, 64, 64, 3) and tiles.dtype == np.uint8
    assert labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    np.testing.assert_array_equal(tiles[0], training_pictures.painted_tiles(12, seed=5)[0])


def test_native_crops_are_windows_of_the_tiles():
    """A tile of one color each: every crop shows at most four colors, and only theirs."""
    colors = np.random.default_rng(0).integers(0, 256, (5, 1, 1, 3), dtype=np.uint8)
    tiles = np.broadcast_to(colors, (5, 64, 64, 3))
    found = crops(jax.random.key(3), jnp.asarray(tiles), 16, 64)
    assert found.shape == (16, 64, 64, 3) and found.dtype == jnp.float32
    for crop in np.asarray(found):
        seen = np.unique((crop * 255).round().astype(int).reshape(-1, 3), axis=0)
        assert len(seen) <= 4
        assert {tuple(color) for color in seen} <= {tuple(c) for c in colors.reshape(-1, 3)}


@pytest.mark.parametrize("size", [64, 128])
def test_crops_of_any_size_have_no_empty_border(size):
    found = crops(jax.random.key(1), jnp.full((4, 64, 64, 3), 255, jnp.uint8), 8, size)
    np.testing.assert_allclose(found, 1.0, atol=1e-5)


def test_variations_differ_from_the_picture_and_stay_in_range():
    pictures = jax.random.uniform(jax.random.key(0), (32, 64, 64, 3))
    varied = jax.jit(training_pictures.varied)
    found = varied(jax.random.key(1), pictures)
    assert float(found.min()) >= 0.0 and float(found.max()) <= 1.0
    changed = jnp.abs(found - pictures).max((1, 2, 3)) > 1e-6
    assert 8 <= int(changed.sum()) <= 32
    again = varied(jax.random.key(1), pictures)
    np.testing.assert_array_equal(found, again)


def test_every_module_belongs_to_one_part():
    modules = {key.removeprefix("features.").rsplit(".", 1)[0] for key in expected_shapes()}
    parts = {module: distillation.part_of(module) for module in modules}
    assert parts["conv0"] == parts["norm0"] == 0
    assert parts["denseblock1.denselayer1.norm1"] == parts["transition1.norm"] == 1
    assert parts["transition1.conv"] == parts["transition2.norm"] == 2
    assert parts["transition3.conv"] == parts["norm5"] == 4
    assert set(parts.values()) == {0, 1, 2, 3, 4}
    assert {part for stage in STAGES for part in stage.parts} == {0, 1, 2, 3, 4}


def test_shares_of_the_stages_sum_to_one():
    assert sum(stage.share for stage in STAGES) == pytest.approx(1.0)


def test_loss_is_the_unexplained_variance():
    target = jax.random.normal(jax.random.key(0), (4, 8, 8, 16))
    loss, errors = distillation.distillation_loss(
        {"pool2_relu": jnp.zeros_like(target)}, {"pool2_relu": target}, 0.0
    )
    assert float(loss) == float(errors["pool2_relu"]) == pytest.approx(1.0, abs=0.05)
    exact, _ = distillation.distillation_loss({"a": target}, {"a": target}, 3.0)
    assert float(exact) == 0.0


def test_the_gram_term_sees_statistics_and_not_places():
    target = jax.random.normal(jax.random.key(0), (4, 8, 8, 16))
    moved = jnp.roll(target, 3, 1)
    plain, _ = distillation.distillation_loss({"a": moved}, {"a": target}, 0.0)
    with_gram, _ = distillation.distillation_loss({"a": moved}, {"a": target}, 5.0)
    assert float(with_gram) == pytest.approx(float(plain), rel=1e-4)
    scaled, _ = distillation.distillation_loss({"a": 2.0 * target}, {"a": target}, 5.0)
    plain, _ = distillation.distillation_loss({"a": 2.0 * target}, {"a": target}, 0.0)
    # The Gram matrix is four times the target's: a relative squared error of 9.
    assert float(scaled - plain) == pytest.approx(5.0 * 9.0, rel=1e-3)


@pytest.fixture(scope="module")
def tiles():
    return jnp.asarray(training_pictures.painted_tiles(20, seed=1))


@pytest.fixture(scope="module")
def deviations(teacher, tiles):
    sample = crops(jax.random.key(9), tiles, 16, 64)
    return jax.jit(distillation.channel_deviations)(teacher, sample)


def steps(student, teacher, deviations, stage, recipe, tiles, count):
    draw = lambda key, tiles: training_pictures.crops(key, tiles, 8, 64)
    step = jax.jit(distillation.training_step(stage, recipe, draw, jnp.float32))
    learning = distillation.split_parts(student, stage)[0]
    state = (student, distillation.optimizer().init(learning))
    errors = []
    for number in range(count):
        key = jax.random.key(number)
        state, error = step(state, teacher, deviations, tiles, key, jnp.float32(1e-2))
        errors.append(float(error["conv1_relu"]))
    return state[0], errors


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(gram=0.1), Recipe(adversarial=0.02)])
def test_the_stem_learns_and_all_else_stands_still(student, teacher, deviations, tiles, recipe):
    after, errors = steps(student, teacher, deviations, STAGES[0], recipe, tiles, 40)
    assert np.mean(errors[-5:]) < 0.4 * errors[0]
    for module, values in student.params.items():
        same = jax.tree.map(np.array_equal, values, after.params[module])
        assert jax.tree.all(same) == (module not in ("conv0", "norm0"))
    assert not np.array_equal(
        student.heads["conv1_relu"]["kernel"], after.heads["conv1_relu"]["kernel"]
    )


def options(archive, teacher_file, folder, **changes):
    fixed = {"stages": ("stem",), "batch": 8, "painted": 4, "minutes": 0.02}
    return pretrain.Options(
        teacher=teacher_file,
        train=(archive,),
        validation=archive,
        out=folder / "out.safetensors",
        checkpoint=folder / "checkpoints",
        **{**fixed, **changes},
    )


def test_training_stops_and_goes_on(archive, teacher_file, student, tmp_path, monkeypatch):
    begun = jax.device_get(student)
    monkeypatch.setattr(distillation, "init_student", lambda key: begun)
    monkeypatch.setattr(pretrain, "SAMPLE", 16)
    given = options(archive, teacher_file, tmp_path)
    photographs = training_pictures.read_tiles(given.train).tiles
    material = pretrain.read_material(given, photographs)
    assert material.tiles.shape == (16, 64, 64, 3)
    first, clock = pretrain.train(given, material)
    assert clock.stage == 1 and clock.pictures == 8 * clock.steps > 0

    # The whole schedule is behind it: resuming learns nothing more and returns the same student.
    again, same_clock = pretrain.train(
        options(archive, teacher_file, tmp_path, resume=True), material
    )
    assert same_clock == clock
    jax.tree.map(np.testing.assert_array_equal, first, again)

    (tmp_path / "second").mkdir()
    following = options(archive, teacher_file, tmp_path / "second", start=given.checkpoint)
    second, _ = pretrain.train(following, material)
    assert not np.array_equal(second.params["conv0"]["kernel"], first.params["conv0"]["kernel"])

    pretrain.write_weights(tmp_path / "out.safetensors", first, {"what": "a test"})
    tensors = load_file(tmp_path / "out.safetensors")
    assert {key: value.shape for key, value in tensors.items()} == expected_shapes()
    assert {value.dtype for value in tensors.values()} == {np.dtype(np.float16)}


def test_resuming_from_nothing_is_refused(student, tmp_path):
    with pytest.raises(SystemExit, match="no checkpoint"):
        pretrain.restore_run(tmp_path, [STAGES[0]], student)


def test_learning_rate_warms_up_and_falls():
    stage = STAGES[1]
    rates = [pretrain.learning_rate(stage, progress) for progress in (0.0, 0.03, 0.5, 1.0)]
    assert rates[0] == 0.0
    assert rates[1] == pytest.approx(stage.learning_rate, rel=0.01)
    assert rates[2] == pytest.approx(0.505 * stage.learning_rate, rel=0.01)
    assert rates[3] == pytest.approx(0.01 * stage.learning_rate)


def test_a_long_pause_does_not_use_up_the_schedule():
    clock = pretrain.Clock().after_step(3600.0, 32)
    assert clock.seconds == pretrain.LONGEST_STEP and clock.pictures == 32


def test_balancing_tames_a_channel_and_changes_no_prediction(student):
    pictures = jax.random.uniform(jax.random.key(0), (2, 64, 64, 3))
    norm = {name: value.at[7].set(300.0) for name, value in student.params["norm5"].items()}
    transition = student.params["transition2.norm"]
    strong = {name: value.at[5].set(200.0) for name, value in transition.items()}
    params = {**student.params, "norm5": norm, "transition2.norm": strong}
    wild = student._replace(params=params)
    tame = distillation.balanced(wild, pictures, 50.0)
    # The stem is not among them: with the same taps as in `balanced` it is the same program.
    taps = tuple(TAPS)[1:]
    taps_of = jax.jit(distillation.student_taps, static_argnums=(2, 3, 4))
    before, after = (taps_of(s, pictures, taps, False, jnp.float32)[0] for s in (wild, tame))
    for tap, channel in (("pool3_relu", 5), ("relu", 7)):
        strength = np.mean(np.square(after[tap]), (0, 1, 2))
        assert strength[channel] == pytest.approx(50.0 * np.median(strength), rel=1e-3)
        assert np.mean(np.square(before[tap])[..., channel]) > 10 * strength[channel]
    expected = distillation.predictions(wild.heads, before)
    for tap, value in distillation.predictions(tame.heads, after).items():
        scale = np.abs(expected[tap]).max()
        np.testing.assert_allclose(value / scale, expected[tap] / scale, atol=1e-5)


def test_statistics_name_a_dead_and_a_dominant_channel(student):
    pictures = jax.random.uniform(jax.random.key(0), (2, 64, 64, 3))
    bias = student.params["norm0"]["bias"].at[3].set(-1e6).at[5].set(1e3)
    norm0 = {**student.params["norm0"], "bias": bias}
    broken = student._replace(params={**student.params, "norm0": norm0})
    healthy = figures.activation_statistics(student, pictures)["conv1_relu"]
    found = figures.activation_statistics(broken, pictures)["conv1_relu"]
    assert healthy["dead"] == 0.0 and found["dead"] == pytest.approx(1 / 64)
    assert healthy["dominance"] < 1000 < found["dominance"]


def test_the_stem_picture_shows_every_filter(student):
    picture = np.asarray(figures.stem_picture(student, 1))
    assert picture.shape == (72, 72, 3)
    kernel = np.asarray(student.params["conv0"]["kernel"])[..., 9]
    expected = 255 * (0.5 + 0.5 * kernel / np.abs(kernel).max())
    np.testing.assert_allclose(picture[10:17, 10:17], expected, atol=1.0)
