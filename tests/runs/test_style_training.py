import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest
from safetensors.numpy import load_file

from stylejax.cli.entry import main
from stylejax.errors import InputError
from stylejax.feedforward import initial_state
from stylejax.feedforward.network import Painter
from stylejax.feedforward.perceptual import Judgment
from stylejax.feedforward.training import advanced, pace_at, spread_rows
from stylejax.images import files
from stylejax.images.write import write_picture
from stylejax.runs.painter_file import read_painter, read_state
from stylejax.runs.style_material import prepare_programs
from stylejax.runs.style_request import StyleRequest
from stylejax.runs.style_training import train_styles


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures; equal trainings share their compiled programs, which are most of what they cost."""
    folder, made = tmp_path_factory.mktemp("training"), {}

    def shared(request, material, *others):
        # Of the same paintings the names may be others.
        key = json.dumps(material.record | {"styles": len(material.record["styles"])})
        if key not in made:
            made[key] = prepare_programs(request, material, *others)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stylejax.runs.style_training.prepare_programs", shared)
        yield filled(folder)


def filled(folder):
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
    inputs = {
        "paintings": (folder / "a.png", folder / "b.png"),
        "photos": (folder / "photos",),
        "output": folder / f"{name}.safetensors",
        "validation": (folder / "photos" / "0.png",),
        "weights": problems.random_weights(),
        "checkpoint": folder / f"{name}.checkpoint.safetensors",
    }
    return StyleRequest(**(inputs | values | changes | paths))


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


def test_other_options_do_not_go_on(folder, whole):
    # Of the same paintings the names may be others.
    swapped = {"names": ("b", "a"), "paintings": (folder / "b.png", folder / "a.png")}
    for changes, says in (
        ({"batch": 4, "resume": "whole.checkpoint.safetensors"}, "other batch"),
        (swapped | {"resume": "whole.safetensors"}, "other styles"),
    ):
        with pytest.raises(InputError, match=says):
            train(folder, "refused", **changes)


def test_what_is_not_finite_changes_nothing():
    painter = Painter(styles=1, width=0.125)
    state = jax.jit(lambda key: initial_state(painter, key))(jax.random.key(0))
    fine = Judgment(*[jnp.ones(2)] * 5)
    slope = jax.tree.map(np.ones_like, jax.device_get(state.parameters))
    advance = jax.jit(advanced)
    moved = advance(state, slope, jnp.float32(3.0), fine.loss, 0.1)
    broken = fine._replace(loss=jnp.array([1.0, jnp.nan]))
    after = advance(moved, slope, jnp.float32(3.0), broken.loss, 0.1)
    assert int(after.skipped) == 1 and int(after.steps) == 2
    jax.tree.map(np.testing.assert_array_equal, after.parameters, moved.parameters)
    jax.tree.map(np.testing.assert_array_equal, after.average, moved.average)
    before, then = jax.device_get((state.parameters, moved.parameters))
    changed = jax.tree.map(lambda a, b: bool((a != b).all()), then, before)
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
        ({"names": ("one", "a:b")}, "use none of"),
        ({"paintings": ()}, "no painting"),
        ({"photos": ()}, "no --photos"),
        ({"base": Path("none.safetensors")}, "no such file"),
        ({"batch": 0}, "--batch"),
        ({"resume": "a.png"}, "safetensors"),
    ],
)
def test_what_cannot_be_trained_is_refused(folder, changes, says):
    with pytest.raises(InputError, match=says):
        train(folder, "refused", **changes)


@pytest.fixture(scope="module")
def added(folder, whole):
    """A style learned on top of a network that stays as it is."""
    changes = {"base": folder / "whole.safetensors", "paintings": (folder / "c.png",)}
    write_picture(folder / "c.png", problems.picture(48, 60, 20))
    return train(folder, "added", **changes, steps=12, rate=3e-2)


def test_a_base_keeps_its_styles_to_the_bit(folder, added):
    report, _ = added
    assert report["styles"] == ["a", "b", "c"] and len(report["paintings_sha256"]) == 3
    before, after = (load_file(folder / f"{name}.safetensors") for name in ("whole", "added"))
    for name, leaf in before.items():
        if name.endswith("kernel"):
            np.testing.assert_array_equal(after[name], leaf, err_msg=name)
        else:
            np.testing.assert_array_equal(after[name][:3], leaf, err_msg=name)
            assert after[name].shape[0] == 4
    changed = after["conv_scales"][3] - before["conv_scales"][1:].astype(np.float32).mean(0)
    assert np.abs(changed).max() > 1e-2
    first, last = report["validation"][0], report["validation"][-1]
    assert set(first) == {"steps", "c", "identity PSNR"} and last["c"] < first["c"]
    assert first["identity PSNR"] == pytest.approx(last["identity PSNR"], abs=1e-4)


def test_a_base_with_a_style_of_that_name_is_refused(folder, whole):
    with pytest.raises(InputError, match="has a style a already"):
        train(folder, "twice", base=folder / "whole.safetensors")


def test_the_command_line_trains(folder, whole, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    words = ["train", "style", "a.png", "b.png", "--photos", "photos", "--names", "one,two"]
    words += ["--weights", str(problems.random_weights()), "--validation", "photos/0.png"]
    words += ["--width", "0.125", "--size", "32", "--style-size", "48", "--batch", "3"]
    words += ["--rate", "1e-2", "--no-compile-cache"]
    assert main([*words, "--steps", "24", "-o", "shown.safetensors", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["styles"] == ["one", "two"]
    assert "photographs" in shown.err and "validation" in shown.err
    # The names are of no weight: it is the network that the library trains.
    shown_file, whole_file = (load_file(f"{name}.safetensors") for name in ("shown", "whole"))
    for name in whole_file:
        np.testing.assert_array_equal(shown_file[name], whole_file[name])
    assert main([*words, "--steps", "24", "-o", "a.png"]) == 2
    assert "named .safetensors" in capsys.readouterr().err
    assert main(["train", "stile", "a.png", "-o", "x.safetensors"]) == 2
    assert "train style" in capsys.readouterr().err


def test_a_full_disk_leaves_the_last_good_state(folder, whole, monkeypatch):
    written = []

    def full(path, content):
        if len(written) >= 2:
            raise InputError(f"{path}: cannot be written (No space left on device)")
        written.append(path)
        files.replace_file(path, content)

    monkeypatch.setattr("stylejax.runs.tensor_file.replace_file", full)
    monkeypatch.setattr("stylejax.runs.training_loop.SECONDS_BETWEEN_SAVES", 0.0)
    with pytest.raises(InputError, match="No space left"):
        train(folder, "full")
    assert read_painter(folder / "full.safetensors").record["steps"] == 10


def test_an_output_that_is_an_input_is_refused(folder, whole):
    base = folder / "whole.safetensors"
    with pytest.raises(InputError, match="is an input of this run"):
        train(folder, "whole", base=base)
    with pytest.raises(InputError, match="named for two outputs"):
        train(folder, "both", checkpoint=folder / "both.safetensors")
    with pytest.raises(InputError, match="no such file|neither a folder"):
        train(folder, "refused", photos=(folder / "none",))
    (folder / "no-photos").mkdir(exist_ok=True)
    with pytest.raises(InputError, match="no picture that can be read"):
        train(folder, "refused", photos=(folder / "no-photos",))
    assert not (folder / "refused.safetensors").exists()
