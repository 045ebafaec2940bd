"""Two processes on loopback as one run: results, who writes, and what happens when one dies."""

import contextlib
import json
import signal
import socket
import sys
import time

import numpy as np
import pytest
from problems import SAVING, picture, random_weights
from processes import printed, started, wait_until

from stylejax.cli.entry import main
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.runs.checkpoint_paths import checkpoint_path

SMALL = ["--content-layers", "pool1", "--style-layers", "input,conv1_relu", "--quiet"]


@pytest.fixture
def pair(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    content, style = tmp_path / "content.png", tmp_path / "style.png"
    write_picture(content, picture(64, 64, seed=1))
    write_picture(style, picture(64, 64, seed=2)[..., ::-1])
    return [str(content), str(style)]


@contextlib.contextmanager
def started_twice(*arguments):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", SAVING, *arguments, *SMALL]
    command += ["--coordinator", f"127.0.0.1:{port}", "--num-processes", "2", "--process-id"]
    with started([*command, "0"]) as first, started([*command, "1"]) as second:
        yield first, second


def test_a_sweep_by_two_processes_is_that_of_one(pair, tmp_path):
    sweep = ["sweep", *pair, "--style-weight", "5,80", "--size", "64", "--iterations", "4"]
    folder, alone = tmp_path / "two", tmp_path / "one"
    with started_twice(*sweep, "-o", str(folder), "--json") as processes:
        ended = [printed(process, 200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended
    # The first one alone reports.
    assert (
        json.loads(ended[0][0].splitlines()[-1])["pictures"] == 2 and "pictures" not in ended[1][0]
    )
    assert main([*sweep, "-o", str(alone), *SMALL]) == 0
    for path in alone.glob("style-*.png"):
        difference = read_picture(path).pixels - read_picture(folder / path.name).pixels
        assert np.abs(difference).max() < 4 / 255


def test_the_death_of_one_ends_the_other_and_the_run_resumes(pair, tmp_path):
    output = tmp_path / "out.png"
    transfer = ["transfer", *pair, "-o", str(output), "--size", "64", "--levels", "1"]
    checkpoint = checkpoint_path(output)
    # The second checkpoint is the first one with a state in it.
    saved = lambda: checkpoint.exists() and checkpoint.stat().st_size > 100_000
    with started_twice(*transfer, "--iterations", "100000") as (first, second):
        wait_until(saved, first, "a checkpoint with a state in it", 200)
        second.send_signal(signal.SIGKILL)
        died = time.monotonic()
        _, error = printed(first)
        printed(second)
    assert time.monotonic() - died < 60
    assert first.returncode not in (0, None)
    assert "process" in error and "--resume" in error or "another task died" in error
    assert not output.exists() and checkpoint.exists()
    done = json.loads(str(np.load(checkpoint)["settings"]))
    assert done["devices"] == 2
