import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from problems import picture, random_weights

from stylejax.cli.commands import Demo, Sweep, Transfer
from stylejax.cli.entry import main
from stylejax.cli.parse import parse_command
from stylejax.errors import InputError
from stylejax.images.write import write_picture
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions
from stylejax.runs.request import Request, SweepRequest
from stylejax.runs.sweep import run_sweep
from stylejax.runs.transfer import run_transfer
from stylejax.sweep.combinations import SweptLossOptions, SweptOptions, as_lists

SHALLOW = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))
OPTIONS = Options(PictureOptions(size=64), SHALLOW, SolverOptions(iterations=1))
FLAGS = ["--size", "64", "--content-layers", "pool1", "--style-layers", "input,conv1_relu"]
FLAGS += ["--iterations", "1", "--quiet", "--no-compile-cache"]

_watching: list[Counter[Path]] = []


def _count(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _watching and isinstance(arguments[0], (str, bytes, os.PathLike)):
        _watching[0][Path(os.fsdecode(arguments[0])).absolute()] += 1


# A hook cannot be taken away again: it counts while something is watching.
sys.addaudithook(_count)


@pytest.fixture
def opened():
    """How often each file has been opened by Python since the test began."""
    counts: Counter[Path] = Counter()
    _watching.append(counts)
    yield counts
    _watching.clear()


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(random_weights().read_bytes())
    for seed, name in enumerate(("content", "one", "two", "start")):
        write_picture(tmp_path / f"{name}.png", picture(64, 64, seed=seed))
    half = np.zeros((64, 64, 3), np.float32)
    half[:32] = 1.0
    for name, mask in {"up": half, "down": 1 - half, "left": half.swapaxes(0, 1)}.items():
        write_picture(tmp_path / f"{name}.png", mask)
    return tmp_path


def test_each_input_is_opened_once_by_a_transfer(files, opened):
    name = lambda *stems: tuple(files / f"{stem}.png" for stem in stems)
    request = Request(
        files / "content.png",
        name("one", "two"),
        files / "out.png",
        replace(OPTIONS, picture=PictureOptions(size=64, init=str(files / "start.png"))),
        content_masks=name("up", "down"),
        style_masks=name("left", "up"),
        weights=files / "weights.safetensors",
    )
    opened.clear()
    run_transfer(request)
    # A file that is named twice is read once all the same.
    inputs = name("content", "one", "two", "start", "up", "down", "left")
    assert {path: opened[path] for path in inputs} == dict.fromkeys(inputs, 1)
    assert opened[files / "weights.safetensors"] == 1


def test_each_input_is_opened_once_by_a_sweep_and_a_figure(files, opened):
    options = as_lists(OPTIONS)
    loss = replace(options.loss, style_weight=(1.0, 5.0))
    request = SweepRequest(
        files / "content.png",
        (files / "one.png",),
        output=files / "folder",
        options=SweptOptions(options.picture, loss, options.solve),
        weights=files / "weights.safetensors",
    )
    opened.clear()
    assert len(run_sweep(request).rows) == 2
    for name in ("content.png", "one.png", "weights.safetensors"):
        assert opened[files / name] == 1

    figure = ["--content", "content.png", "--style", "one.png", "-o", "figure.png"]
    figure += ["--layers", "input", "--size", "64", "--iterations", "1", "--quiet"]
    opened.clear()
    assert main(["reconstruct", *figure, "--weights", "weights.safetensors"]) == 0
    for name in ("content.png", "one.png", "weights.safetensors"):
        assert opened[files / name] == 1


def test_each_input_is_opened_once_by_the_command_line(files, opened):
    weights = ["--weights", "weights.safetensors"]
    assert main(["transfer", "content.png", "one.png", "-o", "a.png", *FLAGS, *weights]) == 0
    inputs = [files / name for name in ("content.png", "one.png", "weights.safetensors")]
    assert [opened[path] for path in inputs] == [1, 1, 1]
    opened.clear()
    quiet = ["--quiet", "--no-compile-cache", *weights]
    assert main(["transfer", "-o", "b.png", "--like", "a.png", *quiet]) == 0
    assert [opened[path] for path in (*inputs, files / "a.png")] == [1, 1, 1, 1]
    assert (files / "a.png").read_bytes() == (files / "b.png").read_bytes()


def test_what_is_parsed_is_the_request_itself():
    arguments = ["c.jpg", "s.jpg", "t.jpg", "-o", "out.png", "--style-blend", "3,1", "--devices=2"]
    arguments += ["--content-mask", "m.png", "n.png", "--save-every", "5", "--style-weight", "7"]
    command = parse_command(["transfer", *arguments])
    assert isinstance(command, Transfer) and isinstance(command, Request)
    options = Options(loss=LossOptions(style_weight=7.0, style_blend=(3.0, 1.0)))
    request = Request(
        Path("c.jpg"),
        (Path("s.jpg"), Path("t.jpg")),
        Path("out.png"),
        options,
        content_masks=(Path("m.png"), Path("n.png")),
        devices=2,
        save_every=5,
    )
    assert {name: getattr(command, name) for name in vars(request)} == vars(request)


def test_a_sweep_is_parsed_into_its_request_and_knows_its_first_picture():
    command = parse_command(
        ["sweep", "c.jpg", "s.jpg", "-o", "folder", "--style-weight", "5,80", "--yes"]
    )
    assert isinstance(command, Sweep) and isinstance(command, SweepRequest) and command.yes
    assert command.options == SweptOptions(loss=SweptLossOptions(style_weight=(5.0, 80.0)))
    assert len(command.grid.lanes) == 2
    first = Request(Path("c.jpg"), (Path("s.jpg"),), Path("folder"), command.grid.lanes[0].options)
    assert command.first == first and first.options.loss.style_weight == 5.0


def test_the_demo_takes_no_other_pictures(capsys):
    command = parse_command(["demo", "--style-weight", "3", "-o", "there.png"])
    assert isinstance(command, Demo) and isinstance(command, Request)
    assert command.content.name == "astronaut.jpg" and command.output == Path("there.png")
    # A changed copy, as a run makes one, keeps the samples.
    assert replace(command, options=Options()).styles == command.styles
    for arguments in (["photo.jpg"], ["--content-mask", "mask.png"]):
        with pytest.raises(InputError):
            parse_command(["demo", *arguments])


def test_weights_may_be_named_in_a_request(files, monkeypatch):
    request = Request(files / "content.png", (files / "one.png",), files / "out.png", OPTIONS)
    bundled = run_transfer(replace(request, weights=Path("densenet121-random"))).weights
    assert bundled.name == "densenet121-random.safetensors"
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(files / "weights.safetensors"))
    assert run_transfer(request).weights.name == "weights.safetensors"
    with pytest.raises(InputError, match="unknown weights 'densenet'"):
        run_transfer(replace(request, weights=Path("densenet")))
