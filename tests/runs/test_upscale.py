"""Enlarging and its training, from the command line to files."""

import json

import jax
import numpy as np
import problems
import psutil
import pytest
from safetensors.numpy import load_file
from small_enlargers import SMALL, write_small_enlarger
from small_painters import write_small_painter

from stylejax.cli.entry import main
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.runs.enlarger_file import WEIGHTS, read_enlarger, write_enlarger
from stylejax.runs.metadata import read_record
from stylejax.runs.tensor_file import write_tensor_file
from stylejax.superresolution import enlarge_picture, init_parameters


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_small_enlarger(tmp_path / "mine.safetensors")
    write_picture(tmp_path / "small.png", problems.picture(20, 26))
    return tmp_path


def upscale(*words: str, code: int = 0, weights: str | None = "mine.safetensors"):
    given = ["--weights", weights] if weights else []
    assert main(["upscale", *words, *given, "--no-compile-cache", "--quiet"]) == code


def test_a_picture_is_enlarged_and_can_be_repeated(folder, capsys):
    upscale("small.png", "--sharpness", "0.8", "--bits", "16", "-o", "large.png", "--json")
    shown = json.loads(capsys.readouterr().out)
    assert shown["pictures"] == ["large.png"] and shown["network"] == "mine.safetensors"
    made = read_picture(folder / "large.png").pixels
    small = read_picture(folder / "small.png").pixels
    wanted = enlarge_picture(
        small, SMALL, read_enlarger(folder / "mine.safetensors").parameters, 0.8
    )
    np.testing.assert_allclose(made, wanted, atol=1.01 / 255)
    record = read_record(folder / "large.png")
    assert record["method"] == "upscale" and record["options"]["factor"] == 4
    assert record["enlarger"]["name"] == "mine.safetensors" and str(folder) not in json.dumps(
        record
    )
    upscale("-o", "again.png", "--like", "large.png")
    assert (folder / "again.png").read_bytes() == (folder / "large.png").read_bytes()
    upscale("-o", "found.png", "--like", "large.png", weights=None)
    assert (folder / "found.png").read_bytes() == (folder / "large.png").read_bytes()
    upscale("small.png", "-o", "tiles.png", "--tile", "16", "--like", "large.png")
    tiles = read_picture(folder / "tiles.png").pixels
    np.testing.assert_allclose(tiles, made, atol=1.01 / 255)


def test_only_what_a_picture_was_made_with_repeats_it(folder, capsys):
    upscale("small.png", "-o", "large.png")
    (folder / "mine.safetensors").rename(folder / "kept.safetensors")
    upscale("-o", "not.png", "--like", "large.png", weights=None, code=2)
    error = capsys.readouterr().err
    assert "the network mine.safetensors" in error and "with --weights" in error
    write_enlarger(
        folder / "mine.safetensors", SMALL, init_parameters(SMALL, jax.random.key(9)), {}
    )
    upscale("-o", "not.png", "--like", "large.png", weights=None, code=2)
    assert "mine.safetensors: is not the file that" in capsys.readouterr().err
    (folder / "kept.safetensors").rename(folder / "mine.safetensors")
    write_picture(folder / "small.png", problems.picture(20, 26, 1))
    upscale("-o", "not.png", "--like", "large.png", weights=None, code=2)
    assert "small.png: is not the file that" in capsys.readouterr().err
    # Of another factor the network is another one, too.
    upscale("small.png", "-o", "8.png", "--like", "large.png", "--factor", "8", weights=None)
    assert read_record(folder / "8.png")["enlarger"]["name"] == "upscale-x8.safetensors"
    assert not (folder / "not.png").exists()


def test_transparency_and_a_folder(folder, capsys):
    (folder / "pictures").mkdir()
    alpha = np.linspace(0.0, 1.0, 26, dtype=np.float32)[None].repeat(20, 0)
    write_picture(folder / "pictures" / "clear.png", problems.picture(20, 26), alpha)
    write_picture(folder / "pictures" / "gray.png", problems.picture(16, 17))
    (folder / "pictures" / "broken.png").write_bytes(b"no picture")
    upscale("pictures", "-o", "large", code=1)
    assert "broken.png" in capsys.readouterr().err
    assert sorted(path.name for path in (folder / "large").iterdir()) == ["clear.png", "gray.png"]
    clear = read_picture(folder / "large" / "clear.png")
    assert clear.alpha is not None and clear.alpha.shape == (80, 104)
    np.testing.assert_allclose(clear.alpha.mean(), alpha.mean(), atol=0.01)
    assert read_picture(folder / "large" / "gray.png").pixels.shape == (64, 68, 3)


def test_the_bundled_networks_enlarge(folder):
    for factor in (4, 8):
        upscale("small.png", "--factor", str(factor), "-o", f"{factor}.png", weights=None)
        assert read_picture(folder / f"{factor}.png").pixels.shape == (20 * factor, 26 * factor, 3)


def test_what_cannot_be_enlarged_is_refused_in_one_line(folder, capsys, monkeypatch):
    write_small_painter(folder / "painter.safetensors")
    (folder / "text.safetensors").write_bytes(b"text")
    write_tensor_file(folder / "wild.safetensors", WEIGHTS, {}, SMALL._asdict() | {"blocks": 10**9})
    tensors = load_file(folder / "mine.safetensors")
    tensors["head.bias"] = tensors["head.bias"] * np.float16(np.nan)
    write_tensor_file(folder / "nan.safetensors", WEIGHTS, tensors, SMALL._asdict())
    for words, weights, says in (
        (["--factor", "3"], None, "--factor is 3: give 4 or 8"),
        (["--factor", "8"], "mine.safetensors", "trained for factor 4, not 8"),
        (["--sharpness", "1.5"], None, "--sharpness is 1.5"),
        (["--tile", "3"], None, "--tile is 3"),
        ([], "painter.safetensors", "no weight file of a network that enlarges"),
        ([], "text.safetensors", "not a whole safetensors file"),
        ([], "none.safetensors", "no such file"),
        ([], "wild.safetensors", "its record is damaged"),
        ([], "nan.safetensors", "not finite"),
    ):
        upscale("small.png", "-o", "not.png", *words, weights=weights, code=2)
        error = capsys.readouterr().err
        assert says in error and error.count("\n") == 1, (words, error)
    write_picture(folder / "wide.png", problems.picture(16, 4100))
    upscale("wide.png", "-o", "not.webp", code=2)
    assert "WEBP has 16383" in capsys.readouterr().err
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("", (), {"available": 10**5})())
    upscale("small.png", "-o", "not.png", code=2)
    error = capsys.readouterr().err
    assert "104 x 80 pixels, which need" in error and error.count("\n") == 1
    assert not list(folder.glob("not.*"))
