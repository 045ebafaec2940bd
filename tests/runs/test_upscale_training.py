"""The training of networks that enlarge, from the command line to files."""

import json

import numpy as np
import problems
import pytest
from safetensors.numpy import load_file

from stylejax.cli.entry import main
from stylejax.images.write import write_picture
from stylejax.runs.enlarger_file import read_enlarger


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*words, code=0):
    common = ["--photos", "photos", "--weights", str(problems.random_weights()), "--quiet"]
    common += ["--size", "12", "--batch", "2", "--no-compile-cache", "--blocks", "1"]
    assert main(["train", "upscale", *words, *common, "--channels", "4"]) == code


def test_training_goes_on_to_the_same_bytes(folder, capsys):
    (folder / "photos").mkdir()
    for seed in range(3):
        write_picture(folder / "photos" / f"{seed}.png", problems.picture(150, 160, seed))
    schedule = ["--steps", "40", "--exact-share", "0.5", "--validation", "photos/0.png"]
    whole = [*schedule, "-o", "whole.safetensors", "--checkpoint", "whole.state"]
    train(*whole)
    report = json.loads((folder / "whole.json").read_text())
    before, after = report["validation"][0], report["validation"][-1]
    # As it begins it is bicubic interpolation, but for the border.
    assert abs(before["sharpness 0"] - before["bicubic"]) < 0.3
    assert after != before and report["steps"] == 40
    assert (folder / "whole.jpg").stat().st_size > 0

    parts = ["--checkpoint", "part.state", "-o", "part.safetensors"]
    train(*schedule, *parts, "--stop-after", "23")
    train(*schedule, *parts, "--resume", "part.state")
    for one, other in (("whole.state", "part.state"), ("whole.safetensors", "part.safetensors")):
        first, second = load_file(folder / one), load_file(folder / other)
        for name, value in first.items():
            np.testing.assert_array_equal(second[name], value, err_msg=name)

    # The other factor begins with the body, and bicubic interpolation again.
    to_eight = ["--factor", "8", "--resume", "whole.safetensors", "--steps", "1"]
    train(*to_eight, "-o", "eight.safetensors")
    eight, four = (read_enlarger(folder / f"{name}.safetensors") for name in ("eight", "whole"))
    assert eight.enlarger.factor == 8
    near, far = (each.parameters["head"]["kernel"] for each in (eight, four))
    np.testing.assert_allclose(near, far, atol=0.02)
    capsys.readouterr()
    for words, says in (
        (
            [*schedule, "--resume", "whole.state", "--seed", "1", "--exact-share", "0.1"],
            "exact_share",
        ),
        (["--factor", "8", "--resume", "whole.state"], "is for factor 4"),
        (["--factor", "5"], "--factor is 5"),
        (
            ["--preset", "johnson", "--resume", "whole.safetensors"],
            "has body residual of 4 channels",
        ),
    ):
        train(*words, "-o", "not.safetensors", code=2)
        error = capsys.readouterr().err
        assert says in error and error.count("\n") == 1
    assert not list(folder.glob("not.*"))
