"""`--placement` and `--keep` from the command line: what is recorded, repeated, swept, refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from problems import picture, random_weights

from stylejax.cli.entry import main
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.options import LossOptions, Options, PictureOptions
from stylejax.runs.checks import check_inputs
from stylejax.runs.metadata import read_record
from stylejax.runs.prepare import prepare_run
from stylejax.runs.request import Request
from stylejax.sweep.lanes import shared_options
from stylejax.transfer.presets import PRESETS, network_options, preset_options

SMALL = ["--size", "64", "--content-layers", "pool1", "--style-layers", "input,conv1_relu"]
SMALL += ["--iterations", "3", "--quiet"]


@pytest.fixture
def pair(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    content, style, mask = (tmp_path / f"{name}.png" for name in ("content", "style", "mask"))
    write_picture(content, picture(48, 64, seed=1))
    write_picture(style, picture(64, 48, seed=2)[..., ::-1])
    white = np.zeros((48, 64, 3), np.float32)
    white[:, :32] = 1.0
    write_picture(mask, white)
    return [str(content), str(style)]


def test_it_is_recorded_repeated_and_swept(pair, tmp_path):
    out, again, folder = (tmp_path / name for name in ("out.png", "again.png", "sweep"))
    mask = ["--keep", str(tmp_path / "mask.png"), "--keep-weight", "20"]
    assert main(["transfer", *pair, "-o", str(out), *SMALL, "--placement", "0.5", *mask]) == 0
    record = read_record(out)
    assert record["options"]["placement"] == 0.5 and record["options"]["keep_weight"] == 20.0
    assert record["keep"]["name"] == "mask.png" and len(record["keep"]["sha256"]) == 64
    names = ("content", "style", "total_variation", "matched", "local_energy")
    terms = [record["result"][name] for name in names]
    assert min(terms) > 0.0 and record["result"]["loss"] == pytest.approx(sum(terms), rel=1e-5)
    like = ["--like", str(out), *mask[:2], "--quiet"]
    assert main(["transfer", *pair, "-o", str(again), *like]) == 0
    assert again.read_bytes() == out.read_bytes()

    assert main(["sweep", *pair, "-o", str(folder), *SMALL, "--placement", "0,0.5", *mask]) == 0
    rows = json.loads((folder / "results.json").read_text())
    assert [row["placement"] for row in rows] == [0.0, 0.5]
    assert rows[0]["matched"] == rows[0]["local_energy"] == 0.0
    assert min(rows[1]["matched"], rows[1]["local_energy"]) > 0.0
    assert rows[1]["loss"] == pytest.approx(record["result"]["loss"], rel=1e-3)
    pictures = [read_picture(folder / row["picture"]).pixels for row in rows]
    assert np.abs(pictures[0] - pictures[1]).max() > 1 / 255
    assert np.abs(pictures[1] - read_picture(out).pixels).max() < 3 / 255


def test_the_estimate_of_memory_counts_what_each_place_is_compared_with(pair, tmp_path):
    def needed(placement):
        options = Options(PictureOptions(size=64), LossOptions(placement=placement))
        content, style = map(Path, pair)
        request = Request(content, (style,), tmp_path / "out.png", options=options)
        return prepare_run(check_inputs(request)).needed

    # Two layers of 256 and 512 channels at stride 4 and 8, four bytes a number.
    matched = 48 * 64 * 4 * (256 / 4**2 + 512 / 8**2)
    assert needed(0.5) - needed(0.0) == pytest.approx(matched, rel=1e-3)
    assert needed(0.1) == needed(0.5)


def test_what_is_to_stay_must_fit_the_photograph(pair, tmp_path, capsys):
    black, wide = tmp_path / "black.png", tmp_path / "wide.png"
    write_picture(black, np.zeros((48, 64, 3), np.float32))
    write_picture(wide, np.ones((20, 64, 3), np.float32))
    for path, reason in ((black, "is black throughout"), (wide, "of another shape")):
        out = tmp_path / "out.png"
        assert main(["transfer", *pair, "-o", str(out), *SMALL, "--keep", str(path)]) == 2
        said = capsys.readouterr().err
        assert reason in said and said.count("\n") == 1 and not out.exists()


def test_presets_of_published_programs_do_without():
    assert all(preset_options(name).loss.placement == 0.0 for name in PRESETS)
    plain = network_options("densenet121")
    assert shared_options([preset_options("gatys"), plain]).loss == max(
        (preset_options("gatys").loss, plain.loss), key=lambda loss: loss.placement
    )
