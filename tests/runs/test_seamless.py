"""Pictures that tile, from the command line to files."""

from dataclasses import replace

import numpy as np
import pytest
from problems import picture, random_weights

from stylejax.cli.commands import Transfer
from stylejax.cli.entry import main
from stylejax.cli.parse import parse_command
from stylejax.errors import InputError
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.options import LossOptions, Options, SolverOptions
from stylejax.runs.metadata import read_record
from stylejax.sweep.sweep import style_sweep
from stylejax.transfer.transfer import style_transfer
from stylejax.weights.read import read_weights

SHALLOW = ["--content-layers", "pool1", "--style-layers", "input,conv1_relu", "--levels", "2"]
PHOTO = picture(66, 82, seed=1)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    write_picture(tmp_path / "photo.png", PHOTO)
    write_picture(tmp_path / "painting.png", picture(64, 64, seed=2)[..., ::-1])
    return tmp_path


def transfer(*words):
    return main(["transfer", "photo.png", "painting.png", "-o", "out.png", "--quiet", *words])


def steps(image):
    """Mean difference of neighboring rows, and of columns, those over the border last."""
    for axis in (0, 1):
        between = np.abs(np.roll(image, -1, axis) - image)
        yield between.mean(axis=(1 - axis, 2))


def test_the_border_is_no_edge_and_sides_are_what_tiles(folder):
    assert max(step[-1] / step[:-1].max() for step in steps(PHOTO)) > 2
    words = ["--size", "82", *SHALLOW, "--iterations", "25", "--content-weight", "0"]
    assert transfer(*words, "--init", "noise", "--seamless") == 0
    image = read_picture(folder / "out.png").pixels
    # Of 66 x 82 pixels the nearest that are multiples of the stride, 4, at half the size too.
    assert image.shape == (64, 80, 3)
    for step in steps(image):
        assert step[-1] < step[:-1].max()
    assert read_record(folder / "out.png")["options"]["seamless"] is True
    again = ["transfer", "-o", "again.png", "--like", "out.png"]
    for more, expected in (([], True), (["--seamless"], True), (["--no-seamless"], False)):
        command = parse_command([*again, *more])
        assert isinstance(command, Transfer) and command.options.loss.seamless is expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--strip-rows 32", "--strip-rows 32: a picture made with --seamless is seen as a whole"),
        ("--preserve-color luminance", "--preserve-color luminance: with --seamless"),
        ("--print 6x4cm", "--print: crops and enlarges what --seamless has made"),
        ("--devices 2", "--devices: a picture made with --seamless is not split"),
        (
            "--output-size 82x66",
            "82 x 66 pixels do not tile: at 2 levels both sides are multiples of 8, as 80 x 64",
        ),
    ],
)
def test_what_does_not_go_with_it_is_one_line(folder, capsys, words, message):
    assert transfer("--size", "82", *SHALLOW, "--seamless", *words.split()) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert not (folder / "out.png").exists()


@pytest.mark.parametrize("method", ["universal", "apply"])
def test_methods_of_one_pass_have_no_such_option(folder, capsys, method):
    style = ["painting.png"] if method == "universal" else ["--style", "scream"]
    assert main([method, "photo.png", *style, "-o", "out.png", "--seamless"]) == 2
    said = capsys.readouterr().err
    assert "--seamless" in said and said.count("\n") == 1


def test_arrays_that_do_not_tile_are_refused():
    loss = LossOptions(content_layers=("pool1",), style_layers=("conv1_relu",), seamless=True)
    options, weights = Options(loss=loss, solve=SolverOptions(levels=1)), read_weights()
    with pytest.raises(InputError, match="82 x 66 .* multiples of 8, as 80 x 64"):
        two = replace(options, solve=SolverOptions(levels=2))
        style_transfer(PHOTO, [PHOTO], weights=weights, options=two)
    with pytest.raises(InputError, match="82 x 66 .* multiples of 4, as 80 x 64"):
        style_sweep(PHOTO, [PHOTO], [options], weights=weights)
