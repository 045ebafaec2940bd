"""Checkpoints that are damaged, of another run, or cannot be written: never a traceback."""

import json
import zipfile

import numpy as np
import pytest

from stylejax.errors import InputError
from stylejax.runs import checkpoint as module
from stylejax.runs.checkpoint import Checkpoint, CheckpointFile, load_checkpoint, save_checkpoint

FILE = {"name": "photo.png", "sha256": "a" * 64}
SETTINGS = {"content": FILE, "options": {"size": 64}, "versions": {"jax": "1"}}
LEAVES = [np.arange(12, dtype=np.float32), np.ones((3, 4), np.float32)]
HISTORY = {"iteration": np.arange(3), "loss": np.ones(3)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "out.png.checkpoint.npz"
    save_checkpoint(path, SETTINGS, Checkpoint(2, LEAVES, HISTORY))
    return path


def load(path, levels=2, **changes):
    return load_checkpoint(path, SETTINGS | changes, levels)


def refusal(path, **changes):
    with pytest.raises(InputError) as caught:
        load(path, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_saved_is_loaded(path):
    found = load(path)
    assert found.level == 2 and found.upgrade == "" and isinstance(found.state, list)
    for one, two in zip(found.state, LEAVES, strict=True):
        np.testing.assert_array_equal(one, two)
    assert found.history.keys() == HISTORY.keys()


def test_damaged_ones_are_refused_or_are_the_same(path):
    whole, random = path.read_bytes(), np.random.default_rng(0)
    for number in range(600):
        changed = bytearray(whole)
        place, other = (int(n) for n in random.integers(0, len(whole) - 40, 2))
        if number % 3 == 0:
            changed[place] ^= 1 << int(random.integers(8))
        elif number % 3 == 1:
            del changed[place:]
        else:
            changed[place : place + 40] = whole[other : other + 40]
        path.write_bytes(changed)
        try:
            found = load(path)
        except InputError as error:
            assert "\n" not in str(error)
            continue
        assert isinstance(found.state, list)
        for one, two in zip(found.state, LEAVES, strict=True):
            np.testing.assert_array_equal(one, two)


def parts_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}, archive.comment


def packed(path, parts, comment=b""):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        archive.comment = comment


def test_parts_of_another_checkpoint_are_refused(path, tmp_path):
    parts, comment = parts_of(path)
    packed(path, parts, comment)
    load(path)
    # The checksums of an archive's parts are right where whole parts are exchanged.
    packed(path, parts | {"state:0.npy": parts["state:1.npy"]}, comment)
    assert "not a whole checkpoint" in refusal(path)
    for change in (
        {"level.npy": parts["state:0.npy"]},
        {"state:0.npy": b"no array"},
        {"settings.npy": parts["level.npy"]},
        {"history:loss.npy": parts["state:0.npy"]},
        {"history:loss.npy": parts["settings.npy"]},
        {"more.npy": parts["level.npy"]},
    ):
        packed(path, parts | change)
        assert "not a whole checkpoint" in refusal(path)
    for name in ("level.npy", "settings.npy", "state:0.npy"):
        packed(path, {other: part for other, part in parts.items() if other != name})
        assert "not a whole checkpoint" in refusal(path)
    # Without a digest, as earlier versions wrote them.
    packed(path, parts)
    assert load(path).level == 2


def test_of_another_run_or_of_fewer_levels(path):
    assert "options size 64, now 65" in refusal(path, options={"size": 65})
    assert "content sha256" in refusal(path, content=FILE | {"sha256": "b" * 64})
    assert "level 2, of 1 now" in refusal(path, levels=1)
    save_checkpoint(path, SETTINGS, Checkpoint(0, None, {}))
    assert "not a whole checkpoint" in refusal(path)


def test_after_an_upgrade_or_under_a_new_name_a_run_goes_on(path):
    found = load(path, versions={"jax": "2"}, content=FILE | {"name": "renamed.png"})
    assert found.upgrade == "jax 1, now 2" and found.level == 2
    lanes = {"lanes": [SETTINGS, SETTINGS], "size": 2}
    save_checkpoint(path, lanes, Checkpoint(1, LEAVES, {}))
    newer = json.loads(json.dumps(lanes))
    for lane in newer["lanes"]:
        lane["versions"] = {"jax": "2"}
    assert load_checkpoint(path, newer, 1).upgrade == "jax 1, now 2"


def test_one_that_cannot_be_written_is_said_once(tmp_path, monkeypatch):
    said = []

    def full(path, content):
        raise InputError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr(module, "replace_file", full)
    file = CheckpointFile(tmp_path / "out.npz", said.append)
    for _ in range(3):
        file.save(SETTINGS, Checkpoint(1, LEAVES, HISTORY))
    assert len(said) == 1 and "goes on without" in said[0] and "No space left" in said[0]
    monkeypatch.undo()
    file.save(SETTINGS, Checkpoint(1, LEAVES, HISTORY))
    assert load(tmp_path / "out.npz").level == 1


def test_a_large_state_is_saved_after_a_longer_time(monkeypatch):
    now, saved = [100.0], []
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module, "SECONDS_BETWEEN_CHECKPOINTS", 5.0)
    monkeypatch.setattr(module, "CHECKPOINT_SHARE", 0.05)
    state = np.zeros(int(1e8), np.uint8)
    clock = module.CheckpointClock()

    def at(seconds, size, takes=0.0):
        """Whether a look after so many seconds saves."""
        before = len(saved)
        now[0] = 100.0 + seconds

        def save():
            saved.append(seconds)
            now[0] += takes

        clock.look(save, state[:size])
        return len(saved) > before

    assert not at(0, 10) and not at(4.9, 10)
    # 0.5 s of saving in 10 s of solving.
    assert not at(9.9, 10**8) and at(10.1, 10**8, takes=1.0)
    # It has taken a second: after 20 s once more.
    assert not at(31, 10) and at(31.2, 10)
    # Of what has taken no time the pause is the shortest.
    assert not at(36, 10) and at(36.3, 10)
