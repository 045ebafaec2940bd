import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest
from safetensors.numpy import load_file

from stylejax.errors import InputError
from stylejax.feedforward import initial_state
from stylejax.feedforward.network import Painter
from stylejax.feedforward.perceptual import Judgment
from stylejax.feedforward.training import _advanced, pace_at, spread_rows
from stylejax.images.write import write_picture
from stylejax.runs.painter_file import read_painter, read_state
from stylejax.runs.style_request import StyleRequest
from stylejax.runs.style_training import train_styles


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    (folder / "photos").mkdir()
    for seed in range(4):
        write_picture(folder / "photos" / f"{seed}.png", problems.picture(64, 90, seed))
    (folder / "photos" / "broken.png").write_bytes(b"no picture")
    for seed, name in enumerate(("a", "b"), start=7):
        write_picture(folder / f"{name}.png", problems.picture(48, 40 + 8 * seed, seed))
    return folder


def request(folder, name, **changes):
    paths = {key: folder / value for key, value in changes.items() if key in ("resume",)}
    values = {"steps": 24, "size": 32, "style_size": 48, "batch": 3, "width": 0.125, "rate": 1e-2}
    return StyleRequest(
        paintings=(folder / "a.png", folder / "b.png"),
        photos=(folder / "photos",),
        output=folder / f"{name}.safetensors",
        validation=(folder / "photos" / "0.png",),
        weights=problems.random_weights(),
        checkpoint=folder / f"{name}.checkpoint.safetensors",
        **(values | changes | paths),
    )


def train(folder, name, **changes):
    lines = []
    ending = train_styles(request(folder, name, **changes), time.monotonic(), lines.append)
    return ending.report, lines


@pytest.fixture(scope="module")
def whole(folder):
    return train(folder, "whole")


def test_the_objective_falls_and_the_files_say_what_they_are(folder, whole):
    report, lines = whole
    first, last = report["validation"][0], report["validation"][-1]
    assert last["steps"] == report["steps"] == 24 and not report["skipped"]
    assert last["a"] < first["a"] and last["b"] < first["b"]
    assert "4 photographs (1 could not be read)" in lines[0]
    assert json.loads((folder / "whole.json").read_text()) == json.loads(json.dumps(report))
    assert (folder / "whole.jpg").stat().st_size > 0

    file = read_painter(folder / "whole.safetensors")
    assert file.names == ("a", "b") and file.record["steps"] == 24
    assert len(file.record["paintings_sha256"]) == 2
    tensors = load_file(folder / "whole.safetensors")
    assert {leaf.dtype for leaf in tensors.values()} == {np.dtype(np.float16)}


def test_a_checkpoint_goes_on_to_the_same_bytes(folder, whole):
    train(folder, "half", stop_after=10)
    train(folder, "rest", resume="half.checkpoint.safetensors")
    for ending in ("safetensors", "checkpoint.safetensors"):
        whole_file, rest = (load_file(folder / f"{name}.{ending}") for name in ("whole", "rest"))
        for name in whole_file:
            np.testing.assert_array_equal(rest[name], whole_file[name], err_msg=name)


def test_a_weight_file_goes_on_with_a_fresh_optimizer(folder, whole):
    file = read_painter(folder / "whole.safetensors")
    state, record = read_state(folder / "whole.safetensors", file.painter)
    assert int(state.steps) == 0 and record["steps"] == 24
    for tree in (state.parameters, state.average):
        jax.tree.map(np.testing.assert_array_equal, tree, file.parameters)


def test_what_is_not_finite_changes_nothing():
    painter = Painter(styles=1, width=0.125)
    state = jax.jit(lambda key: initial_state(painter, key))(jax.random.key(0))
    fine = Judgment(*[jnp.ones(2)] * 5)
    slope = jax.tree.map(jnp.ones_like, state.parameters)
    moved = _advanced(state, slope, jnp.float32(3.0), fine, 0.1)
    broken = fine._replace(loss=jnp.array([1.0, jnp.nan]))
    after = _advanced(moved, slope, jnp.float32(3.0), broken, 0.1)
    assert int(after.skipped) == 1 and int(after.steps) == 2
    jax.tree.map(np.testing.assert_array_equal, after.parameters, moved.parameters)
    jax.tree.map(np.testing.assert_array_equal, after.average, moved.average)
    changed = jax.tree.map(lambda a, b: bool((a != b).all()), moved.parameters, state.parameters)
    assert all(jax.tree.leaves(changed))


def test_rows_come_as_often_as_their_shares_say():
    shares = jnp.array([0.5, 1.0, 1.0])
    draw = jax.jit(jax.vmap(lambda key: jnp.bincount(spread_rows(key, shares, 5), length=3)))
    counts = np.asarray(draw(jax.random.split(jax.random.key(0), 64)))
    assert set(counts[:, 0]) == {1} and set(counts[:, 1]) == {2} and set(counts[:, 2]) == {2}


def test_the_pace_rises_and_falls():
    paces = [pace_at(progress, 1.0) for progress in np.linspace(0.0, 1.0, 101)]
    rates = [pace.rate for pace in paces]
    assert 0 < rates[0] < 0.05 and max(rates) > 0.99 and rates[-1] == pytest.approx(0.01)
    assert pace_at(0.0, 1.0, ramp=False).style == 1.0
    assert paces[0].style == pytest.approx(0.05) and paces[20].style == paces[-1].style == 1.0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"steps": 0}, "--deadline"),
        ({"names": ("one",)}, "match"),
        ({"names": ("one", "one")}, "name of its own"),
        ({"batch": 0}, "--batch"),
        ({"resume": "a.png"}, "safetensors"),
    ],
)
def test_what_cannot_be_trained_is_refused(folder, changes, says):
    with pytest.raises(InputError, match=says):
        train(folder, "refused", **changes)
