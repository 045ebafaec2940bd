import csv
import json
import signal
import sys

import numpy as np
import pytest
from problems import SAVING, picture, random_weights
from processes import printed, started, wait_until

from stylejax.cli.entry import main
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.runs.checkpoint_paths import checkpoint_path
from stylejax.runs.metadata import read_record
from stylejax.transfer.history import TERMS

# The stem alone compiles in seconds.
SMALL = ["--size", "64", "--content-layers", "pool1", "--style-layers", "input,conv1_relu"]
SMALL += ["--iterations", "6", "--quiet"]


@pytest.fixture
def pair(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    content, style = tmp_path / "content.png", tmp_path / "style.png"
    write_picture(content, picture(60, 80, seed=1))
    write_picture(style, picture(90, 70, seed=2)[..., ::-1])
    return [str(content), str(style)]


def rows_of(folder):
    rows = json.loads((folder / "results.json").read_text())
    with (folder / "results.csv").open() as file:
        assert [row["picture"] for row in csv.DictReader(file)] == [row["picture"] for row in rows]
    return rows


def test_every_combination_its_tables_and_its_sheet(pair, tmp_path, capsys, monkeypatch):
    # The bundled weights: it is looked at what the options do to the pictures.
    monkeypatch.delenv("STYLEJAX_WEIGHTS")
    folder = tmp_path / "sweep"
    grid = ["--style-weight", "2,200", "--tv-weight", "0,1e3"]
    assert main(["sweep", *pair, *grid, "-o", str(folder), *SMALL, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["pictures"] == 4 and report["lanes_at_once"] == 4 and report["kept"] == 0

    rows = rows_of(folder)
    assert [(row["style_weight"], row["tv_weight"]) for row in rows] == [
        (2.0, 0.0),
        (2.0, 1e3),
        (200.0, 0.0),
        (200.0, 1e3),
    ]
    names = {"contact-sheet.png", "index.html", "results.csv", "results.json"}
    assert {path.name for path in folder.iterdir()} == names | {row["picture"] for row in rows}
    for row in rows:
        terms = sum(row[name] for name in (*TERMS, "matched", "local_energy"))
        assert row["loss"] == pytest.approx(terms, rel=1e-5)
        assert row["iterations"] == 6 and row["evaluations"] >= 7 and row["seconds"] > 0
        settings = read_record(folder / row["picture"])
        assert settings["options"]["style_weight"] == row["style_weight"]
        assert settings["result"]["loss"] == row["loss"]
    # Less style keeps more of the content; the weight of total variation smooths.
    assert rows[0]["content"] < rows[2]["content"]
    pictures = [read_picture(folder / row["picture"]).pixels for row in rows]
    rough = [np.abs(np.diff(pixels, axis=0)).mean() for pixels in pictures]
    assert rough[1] < rough[0] and rough[3] < rough[2]
    sheet = read_picture(folder / "contact-sheet.png").pixels
    assert sheet.shape[0] > 2 * 48 and sheet.shape[1] > 2 * 64
    page = (folder / "index.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 1 + len(rows)
    assert all(json.dumps(row) in page for row in rows)


def test_a_lane_is_what_a_single_run_makes(pair, tmp_path):
    folder = tmp_path / "sweep"
    assert main(["sweep", *pair, "--style-weight", "5,80", "-o", str(folder), *SMALL]) == 0
    single = tmp_path / "single.png"
    assert main(["transfer", *pair, "--style-weight", "80", "-o", str(single), *SMALL]) == 0
    lane = folder / "style-weight-80.png"
    difference = read_picture(lane).pixels - read_picture(single).pixels
    # 8 bits, and rounding that the solver has carried along.
    assert np.abs(difference).max() < 6 / 255 and np.abs(difference).mean() < 1 / 255
    ours, theirs = read_record(lane)["result"], read_record(single)["result"]
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-2)
    again = tmp_path / "again"
    assert main(["sweep", *pair, "--style-weight", "5,80", "-o", str(again), *SMALL]) == 0
    assert lane.read_bytes() == (again / lane.name).read_bytes()


def test_several_styles_and_seeds(pair, tmp_path):
    other, folder = tmp_path / "plain.png", tmp_path / "sweep"
    write_picture(other, np.full((64, 64, 3), (0.9, 0.1, 0.1), np.float32))
    grid = ["--seed", "1,2", "--init", "noise", "--content-weight", "0"]
    assert main(["sweep", *pair, str(other), *grid, "-o", str(folder), *SMALL]) == 0
    rows = rows_of(folder)
    assert [(row["style_blend"], row["seed"]) for row in rows] == [
        ([1.0, 0.0], 1),
        ([1.0, 0.0], 2),
        ([0.0, 1.0], 1),
        ([0.0, 1.0], 2),
    ]
    first, second, *plain = (read_picture(folder / row["picture"]).pixels for row in rows)
    assert np.abs(first - second).max() > 0.05
    for made in plain:
        assert made[..., 0].mean() > 0.6 > 0.4 > made[..., 1].mean()


def test_levels_go_from_coarse_to_fine(pair, tmp_path):
    folder = tmp_path / "sweep"
    levels = ["--size", "96", "--levels", "2", "--level-iterations", "2,1"]
    assert main(["sweep", *pair, "--style-weight", "5,80", "-o", str(folder), *SMALL, *levels]) == 0
    options = read_record(folder / "style-weight-80.png")["options"]
    assert options["levels"] == 2
    assert all(row["iterations"] == 6 for row in rows_of(folder))


def test_resuming_keeps_what_is_finished_and_recomputes_none(pair, tmp_path, capsys):
    folder = tmp_path / "sweep"
    sweep = ["sweep", *pair, "-o", str(folder), *SMALL, "--json"]
    assert main([*sweep, "--style-weight", "5,80"]) == 0
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("style-*.png")}
    first = rows_of(folder)
    capsys.readouterr()
    # A grid that has grown goes on from the pictures of the smaller one.
    assert main([*sweep, "--style-weight", "5,20,80", "--resume"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["kept"] == 2 and report["pictures"] == 3
    assert {name: (folder / name).stat().st_mtime_ns for name in before} == before
    rows = rows_of(folder)
    assert [row["style_weight"] for row in rows] == [5.0, 20.0, 80.0]
    assert [rows[0], rows[2]] == first
    # Of other options nothing is kept.
    assert main([*sweep, "--style-weight", "5,80", "--resume", "--content-weight", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 0


def test_a_killed_sweep_goes_on_from_its_checkpoint(pair, tmp_path):
    options = [*SMALL[:-3], "--quiet", "--iterations", "100"]
    arguments = ["sweep", *pair, "--style-weight", "5,80", *options]
    folder = tmp_path / "sweep"
    checkpoint = checkpoint_path(folder / "sweep")
    command = [sys.executable, "-c", SAVING, *arguments, "-o", str(folder)]
    with started(command) as process:
        wait_until(checkpoint.exists, process, "its first checkpoint")
        process.send_signal(signal.SIGKILL)
        printed(process)
    assert checkpoint.exists() and not list(folder.glob("style-*.png"))
    assert main([*arguments, "-o", str(folder), "--resume"]) == 0
    assert not checkpoint.exists()
    whole = tmp_path / "whole"
    assert main([*arguments, "-o", str(whole)]) == 0
    for path in whole.glob("style-*.png"):
        assert path.read_bytes() == (folder / path.name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--style-weight", ","], "--style-weight is empty"),
        (["--style-weight", "5,5"], "--style-weight holds 5 twice"),
        (["--style-weight", "1,nan"], "--style-weight is nan"),
        (["--style-weight", "1,two"], "style-weight"),
        (["--style-weight", ",".join(map(str, range(2000)))], "2000 combinations"),
        (["--devices", "64"], "--devices 64: JAX sees"),
        (["--num-processes", "2"], "need --coordinator"),
        (["--coordinator", "somewhere", "--num-processes", "2", "--process-id", "0"], "HOST:PORT"),
        (["--coordinator", "a:1", "--num-processes", "2", "--process-id", "2"], "give 0 to 1"),
        (["--coordinator", "a:1"], "needs --num-processes"),
    ],
)
def test_what_cannot_be_swept_is_refused_in_one_line(pair, tmp_path, capsys, arguments, message):
    folder = tmp_path / "sweep"
    assert main(["sweep", *pair, "-o", str(folder), *SMALL, *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not folder.exists()


def test_a_file_in_the_folders_place_is_refused(pair, tmp_path, capsys):
    assert main(["sweep", *pair, "-o", pair[0], *SMALL]) == 2
    assert "is a file" in capsys.readouterr().err
    assert main(["sweep", *pair, "-o", str(tmp_path), *SMALL]) == 2
    assert "name another folder" in capsys.readouterr().err
