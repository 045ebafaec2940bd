"""Whole runs of the training: small networks, random teachers, tiny archives."""

import hashlib
import json
import os
import struct
import subprocess
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import picture
from safetensors.numpy import load_file
from teachers import narrow_googlenet, random_teacher_file, write_archive

from stylejax.errors import InputError
from stylejax.networks.layers import ARCHITECTURES, Architecture
from stylejax.weights.names import expected_shapes
from stylejax.weights.read import read_weights
from training import bench, checkpoint, command, judging, loop, programs, schedule
from training.archives import painted_tiles
from training.options import Options, checked

SMALL = Architecture(stem_channels=8, growth_rate=4, block_sizes=(1, 1, 1, 1))


@pytest.fixture(scope="module", autouse=True)
def small():
    """Narrow networks, whose programs all runs of the same shapes share.

    Compiling is most of what a run costs, and reading weight files of the small student is allowed.
    """
    made: dict[Any, programs.Programs] = {}

    def shared(options, *known):
        key = (options.batch, options.size, options.precision)
        if key not in made:
            made[key] = programs.compile_programs(options, *known)
        return made[key]

    with narrow_googlenet() as patch:
        patch.setitem(ARCHITECTURES, "densenet121", SMALL)
        patch.setattr(bench, "compile_programs", shared)
        yield


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Any:
    """A teacher, and archives of tiles and of photographs of several sizes."""
    folder = tmp_path_factory.mktemp("files")
    tiles = {f"class{n % 3}/{n}.webp": tile for n, tile in enumerate(painted_tiles(6, seed=5))}
    sizes = ((140, 160), (64, 200), (30, 90))
    photographs = {
        f"{n}.webp": (255 * picture(*size, seed=n)).astype(np.uint8) for n, size in enumerate(sizes)
    }
    return {
        "teacher": random_teacher_file(folder / "teacher.safetensors"),
        "train": (
            write_archive(folder / "tiles.zip", tiles),
            write_archive(folder / "photographs.zip", photographs),
        ),
        "validation": (write_archive(folder / "held-out.zip", tiles),),
    }


@pytest.fixture(scope="module")
def options(files, tmp_path_factory):
    # That ten steps make a difference: at the stem they do.
    weights = (4.0, 1.0, 0.5, 0.5, 0.5)
    small: Any = {
        "tap_weights": weights,
        "batch": 8,
        "size": 64,
        "sample": 32,
        "held_out": 16,
        "statistics": 3,
    }
    out = tmp_path_factory.mktemp("out") / "out.safetensors"
    return Options(**files, out=out, steps=10, settle_steps=3, learning_rate=1e-2, **small)


def run(options, folder, stop=lambda: False, **changes):
    changed = replace(options, out=folder / "out.safetensors", **changes)
    return command.pretrain(changed, time.monotonic(), stop, SMALL), changed.out


@pytest.fixture(scope="module")
def whole(options, tmp_path_factory):
    """A run that was never stopped: its report and its file."""
    return run(options, tmp_path_factory.mktemp("whole"))


def test_ten_steps_write_a_better_file_and_say_so(whole, options):
    report, out = whole
    assert report["recipe"]["steps"] == {"train": 10, "settle": 3}
    assert report["recipe"]["pictures"] == 13 * options.batch
    assert report["recipe"]["kept"] in ("train", "settle")
    assert report["unexplained_after"] < report["unexplained_before"] < 1.0
    assert json.loads(out.with_suffix(".json").read_text()) == report
    tensors = load_file(out)
    assert {key: value.shape for key, value in tensors.items()} == expected_shapes(SMALL)
    assert {value.dtype for value in tensors.values()} == {np.dtype(np.float16)}
    assert not checkpoint.checkpoint_path(out).exists()


def metadata_of(path):
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length])["__metadata__"]


def test_the_file_says_what_it_is(whole, files):
    metadata = metadata_of(whole[1])
    assert list(metadata) == sorted(metadata)
    assert metadata["network"] == "densenet121" and metadata["names"] == "torchvision"
    assert metadata["teacher"].startswith("BVLC GoogLeNet")
    assert "tiles.zip, photographs.zip" in metadata["data"]
    (recipe,) = json.loads(metadata["recipe"])
    assert recipe["steps"] == {"train": 10, "settle": 3}
    assert set(recipe["files"]) == {path.name for path in files["teacher"].parent.iterdir()}
    assert {"data_sha256", "licence", "date", "what"} <= set(metadata)


def test_a_stopped_run_goes_on_to_the_same_bytes(whole, options, tmp_path):
    asked = iter([False] * 4 + [True])
    with pytest.raises(loop.Stopped):
        run(options, tmp_path, stop=lambda: next(asked))
    assert not (tmp_path / "out.safetensors").exists()
    # In the middle of the second stage, too.
    asked = iter([False] * 6 + [True])
    with pytest.raises(loop.Stopped):
        run(options, tmp_path, stop=lambda: next(asked), resume=True)
    report, out = run(options, tmp_path, resume=True)
    assert out.read_bytes() == whole[1].read_bytes()
    assert report["after"] == whole[0]["after"]


def test_a_checkpoint_of_another_run_is_refused(options, tmp_path):
    with pytest.raises(InputError, match="there is no checkpoint"):
        run(options, tmp_path, resume=True)
    with pytest.raises(loop.Stopped):
        run(options, tmp_path, stop=lambda: True)
    with pytest.raises(InputError, match="another run .learning_rate was 0.01, is 0.5"):
        run(options, tmp_path, resume=True, learning_rate=0.5)
    path = checkpoint.checkpoint_path(tmp_path / "out.safetensors")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a whole checkpoint"):
        run(options, tmp_path, resume=True)


@pytest.fixture(scope="module")
def again(whole, options, tmp_path_factory):
    """Ten steps more, from the file of the whole run: what was asked for, and what came of it."""
    changes = {"start": whole[1], "settle_steps": 0, "largest_loss": 1.0}
    report, out = run(options, tmp_path_factory.mktemp("again"), **changes)
    return SimpleNamespace(changes=changes, report=report, out=out)


def test_it_starts_from_a_weight_file_and_adds_to_its_history(whole, again):
    report = again.report
    # The same student, measured in the same way: as the file holds it.
    assert report["before"] == pytest.approx(whole[0]["after"], abs=1e-3)
    assert report["recipe"]["kept"] == "train"
    before, after = metadata_of(whole[1]), metadata_of(again.out)
    assert after["start_sha256"] == hashlib.sha256(whole[1].read_bytes()).hexdigest()
    assert json.loads(after["recipe"])[:1] == json.loads(before["recipe"])
    assert json.loads(after["recipe"])[1] == report["recipe"]
    assert read_weights(again.out).architecture == SMALL


@pytest.fixture
def harm(monkeypatch):
    """Has stages end in a network that is silent.

    A high learning rate need not do harm: heads are fitted anew to whatever comes out, and random
    features explain something, too.
    """
    learn, harmed = loop._steps, []

    def steps(bench, stage, run):
        run = learn(bench, stage, run)
        if stage.name not in harmed:
            return run
        silent = run.state._replace(average=jax.tree.map(jnp.zeros_like, run.state.average))
        return run._replace(state=silent)

    monkeypatch.setattr(loop, "_steps", steps)
    return harmed.append


def test_settling_is_taken_back_where_it_harms(options, harm, tmp_path, capsys):
    (tmp_path / "harmed").mkdir()
    (tmp_path / "without").mkdir()
    harm("settle")
    report, harmed = run(options, tmp_path / "harmed")
    _, without = run(options, tmp_path / "without", settle_steps=0)
    assert report["recipe"]["kept"] == "train" and report["recipe"]["steps"]["settle"] == 3
    assert max(report["stages"]["settle"].values()) < 0.01 < report["stages"]["train"]["conv1"]
    assert report["after"] == report["stages"]["train"]
    assert "taken back" in capsys.readouterr().err
    for name, value in load_file(without).items():
        np.testing.assert_array_equal(load_file(harmed)[name], value)


@pytest.mark.parametrize("learning_rate", [1e-2, 1e30], ids=["harmful", "not finite"])
def test_nothing_worse_than_the_start_is_written(
    whole, options, harm, tmp_path, capsys, learning_rate
):
    harm("train")
    harm("settle")
    rates = {"settle_learning_rate": learning_rate, "learning_rate": learning_rate}
    report, out = run(options, tmp_path, start=whole[1], **rates)
    said = capsys.readouterr().err
    assert report["recipe"]["kept"] == "start" and "nothing better was found" in said
    assert ("not finite any more" in said) == (learning_rate > 1e10)
    assert report["after"] == report["before"]
    for name, value in load_file(whole[1]).items():
        np.testing.assert_array_equal(load_file(out)[name], value)


class Clock:
    """One that stands still but when time is spent."""

    passed = 0.0

    def monotonic(self):
        return self.passed

    def spending(self, seconds, function):
        """The function, which takes so long from now on."""

        def spend(*given):
            self.passed += seconds
            return function(*given)

        return spend


@pytest.fixture
def clock(monkeypatch):
    """A step takes 2 seconds by it, a measurement 10, and new statistics 5."""
    clock = Clock()
    for module in (command, loop, schedule):
        monkeypatch.setattr(module, "time", clock)
    for name, seconds in (("measured", 10.0), ("with_statistics", 5.0)):
        monkeypatch.setattr(loop, name, clock.spending(seconds, getattr(loop, name)))
    return clock


def timed(options, clock, start, folder, minutes):
    given = {"start": start, "steps": None, "settle_steps": None, "deadline": minutes}
    options = replace(options, out=folder / "out.safetensors", **given)
    return command.pretrain(options, 0.0, clock.spending(2.0, lambda: False)), options.out


def test_the_deadline_is_kept_and_used(whole, options, clock, tmp_path):
    report, out = timed(options, clock, whole[1], tmp_path, 2.0)
    assert out.exists() and report["minutes"] == clock.passed / 60.0
    # What is put by for writing is left, and what a measurement may take longer than the first.
    assert 97.0 < clock.passed <= 120.0 - schedule.WRITING
    steps = report["recipe"]["steps"]
    assert steps["train"] > 3 * steps["settle"] > 0
    assert 2.0 * sum(steps.values()) + 3 * 10.0 + 5.0 == clock.passed


def test_a_measurement_is_broken_off_at_the_deadline(
    whole, options, clock, tmp_path, monkeypatch, capsys
):
    slow = clock.spending(60.0, judging.fitted_heads)
    given = iter((judging.fitted_heads, slow))
    monkeypatch.setattr(judging, "fitted_heads", lambda *of: next(given)(*of))
    report, out = timed(options, clock, whole[1], tmp_path, 1.5)
    # Once late, nothing is begun any more; what the run started from is there to be written.
    assert report["recipe"]["steps"].keys() == {"train"}
    assert report["stages"] == {} and "no time to measure" in capsys.readouterr().err
    for name, value in load_file(whole[1]).items():
        np.testing.assert_array_equal(load_file(out)[name], value)


def test_a_deadline_before_all_is_compiled_is_refused(options, tmp_path, monkeypatch):
    pending = programs.Programs(*(Future() for _ in programs.Programs._fields))
    monkeypatch.setattr(bench, "compile_programs", lambda *_: pending)
    with pytest.raises(InputError, match="--deadline is over before all is compiled"):
        run(options, tmp_path, steps=None, settle_steps=None, deadline=0.01)


def test_options_that_do_not_go_together_are_refused(options, tmp_path):
    for changes, message in (
        ({"steps": None}, "neither --deadline nor --steps"),
        ({"size": 100}, "--size 100: must be a multiple of 32"),
        ({"batch": 1}, "--batch 1: must be a multiple"),
        ({"out": tmp_path / "nowhere" / "out.safetensors"}, "there is no folder"),
    ):
        with pytest.raises(InputError, match=message):
            checked(replace(options, **changes))
    assert checked(replace(options, steps=100, settle_steps=None)).settle_steps == 18


COMMAND = """
import pretrain
from teachers import narrow_googlenet
from test_pretrain import ARCHITECTURES, SMALL
ARCHITECTURES["densenet121"] = SMALL
with narrow_googlenet():
    pretrain.main()
"""


def flags(**options):
    """Options as words of a command line."""
    for name, value in options.items():
        yield f"--{name.replace('_', '-')}"
        yield from map(str, value if isinstance(value, tuple) else [value])


def test_ten_steps_of_the_command_on_two_devices(again, options, files, tmp_path):
    """Spread over two devices, batch norm still sees the whole batch."""
    names = ("tap_weights", "batch", "size", "sample", "held_out", "statistics", "learning_rate")
    given = {name: getattr(options, name) for name in names} | again.changes | files | {"steps": 10}
    here = Path(__file__).resolve().parent
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1] / "scripts"), *sys.path]),
    }
    out = tmp_path / "out.safetensors"
    found = subprocess.run(
        [sys.executable, "-c", COMMAND, *flags(**given, out=out)],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    report = json.loads(out.with_suffix(".json").read_text())
    assert json.loads(found.stdout) == {name: report[name] for name in ("before", "after")}
    assert report["recipe"]["machine"].startswith("2 x")
    assert report["recipe"]["steps"] == {"train": 10}
    assert report["before"] == pytest.approx(again.report["before"], abs=1e-3)
    assert report["stages"]["train"] == pytest.approx(again.report["stages"]["train"], abs=0.03)
