"""A folder of photographs solved for in one process."""

import json
from dataclasses import replace

import pytest
from problems import picture, random_weights

from stylejax.cli.entry import main
from stylejax.errors import InputError
from stylejax.images.write import write_picture
from stylejax.losses._units import Units
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions
from stylejax.runs import prepare
from stylejax.runs.checkpoint_paths import checkpoint_path
from stylejax.runs.observer import Observer
from stylejax.runs.request import Request
from stylejax.runs.transfer import run_transfer
from stylejax.runs.transfer_folder import run_transfer_folder
from stylejax.solvers.solver import Solver

SHALLOW = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))
OPTIONS = Options(PictureOptions(size=64), SHALLOW, SolverOptions(iterations=3))
FLAGS = "--size 64 --iterations 3 --content-layers pool1 --style-layers input,conv1_relu".split()


@pytest.fixture
def request_(tmp_path):
    photos, painting = tmp_path / "photos", tmp_path / "painting.png"
    photos.mkdir()
    write_picture(photos / "one.png", picture(48, 64, seed=1))
    write_picture(photos / "two.jpg", picture(48, 64, seed=2))
    write_picture(painting, picture(64, 48, seed=3))
    return Request(photos, (painting,), tmp_path / "out", OPTIONS, weights=random_weights())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def counted(monkeypatch, owner, name):
    calls, function = [], getattr(owner, name)

    def counting(self, *arguments, **named):
        calls.append(name)
        return function(self, *arguments, **named)

    monkeypatch.setattr(owner, name, counting)
    return calls


def test_pictures_of_a_shape_are_compiled_once_and_what_fails_is_said_at_the_end(
    request_, tmp_path, monkeypatch, capsys
):
    (request_.content / "broken.png").write_bytes(b"no picture")
    compiled = counted(monkeypatch, Solver, "lower")
    traced = counted(monkeypatch, Units, "join")
    line = ["transfer", str(request_.content / "*"), str(request_.styles[0])]
    line += ["-o", str(request_.output), "--weights", str(request_.weights), *FLAGS]
    with monkeypatch.context() as patch:
        # Weights are read once, before the first picture.
        patch.setattr(prepare, "read_weights", None)
        assert main([*line, "--json", "--quiet"]) == 1
    assert names(request_.output) == ["one.png", "two.png"]
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "broken.png: not a picture" in said.err
    told = json.loads(said.out)
    assert len(told["pictures"]) == 2 and len(told["failed"]) == 1 and told["kept"] == 0
    assert len(compiled) == len(traced) == 1
    # What is kept from one picture for the next changes none of them.
    alone = replace(request_, content=request_.content / "two.jpg", output=tmp_path / "two.png")
    run_transfer(alone)
    assert alone.output.read_bytes() == (request_.output / "two.png").read_bytes()


def test_a_stopped_run_goes_on_with_the_picture_that_was_under_way(request_, monkeypatch):
    begun = []
    begins = lambda name, done, total: begun.append(name)
    stopped = run_transfer_folder(request_, Observer(stop=lambda: len(begun) == 2), begins)
    assert stopped.stopped and [path.name for path in stopped.pictures] == ["one.png"]
    assert checkpoint_path(request_.output / "two.png").exists()
    compiled = counted(monkeypatch, Solver, "lower")
    again = replace(request_, resume=True)
    summary = run_transfer_folder(again)
    assert summary.kept == 1 and len(summary.pictures) == 2 and not summary.failed
    assert names(request_.output) == ["one.png", "two.png"] and len(compiled) == 1
    assert run_transfer_folder(again).kept == 2 and len(compiled) == 1
    # Of other options nothing is finished.
    other = replace(OPTIONS, loss=replace(SHALLOW, style_weight=5.0))
    assert run_transfer_folder(replace(again, options=other)).kept == 0


def test_what_cannot_be_is_refused_before_anything_is_written(request_, tmp_path):
    bad = {
        "belongs to one picture": {"history": tmp_path / "loss.csv"},
        "matches no picture": {"content": request_.content / "*.gif"},
        "name another (output|folder)": {"output": request_.content},
        "is a file's name": {"output": tmp_path / "out.png"},
        "no such file": {"styles": (tmp_path / "missing.png",)},
        "--style-blend has 2": {
            "options": replace(OPTIONS, loss=LossOptions(style_blend=(1.0, 2.0)))
        },
    }
    for message, changes in bad.items():
        with pytest.raises(InputError, match=message):
            run_transfer_folder(replace(request_, **changes))
    write_picture(request_.content / "two.png", picture(48, 64))
    with pytest.raises(InputError, match=r"would both be two\.png"):
        run_transfer_folder(request_)
    assert not request_.output.exists()


def test_a_pattern_that_the_shell_has_written_out_is_explained(request_, capsys):
    photos = [str(path) for path in sorted(request_.content.iterdir())]
    assert main(["transfer", *photos, str(request_.styles[0]), "-o", str(request_.output)]) == 2
    assert "put their pattern in quotes" in capsys.readouterr().err
