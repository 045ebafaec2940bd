"""Painting in learned styles, from the command line to files."""

import json
from pathlib import Path

import numpy as np
import problems
import pytest
from safetensors.numpy import load_file
from small_painters import write_small_painter

from stylejax.cli.entry import main
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.runs.metadata import read_record
from stylejax.runs.painter_file import WEIGHTS
from stylejax.runs.tensor_file import write_tensor_file


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_small_painter(tmp_path / "mine.safetensors")
    write_picture(tmp_path / "photo.png", problems.picture(40, 52))
    (tmp_path / "photos").mkdir()
    for seed, size in enumerate(((40, 52), (36, 60), (61, 33))):
        write_picture(tmp_path / "photos" / f"{seed}.png", problems.picture(*size, seed))
    return tmp_path


def apply(*words, style="mine.safetensors:a", code=0):
    assert main(["apply", *words, "--style", style, "--no-compile-cache", "--quiet"]) == code


def pixels(path):
    return read_picture(Path(path)).pixels


def test_a_photograph_keeps_its_size_unless_another_is_asked_for(folder):
    apply("photo.png", "-o", "out.png")
    assert pixels(folder / "out.png").shape == (40, 52, 3)
    apply("photo.png", "-o", "small.png", "--size", "26")
    assert pixels(folder / "small.png").shape == (20, 26, 3)


def test_strength_blend_and_masks(folder):
    found = {}
    for name, style, words in (
        ("a", "a", []),
        ("zero", "a", ["--strength", "0"]),
        ("zero-b", "b", ["--strength", "0"]),
        ("all-b", "b", []),
        ("blend", "a,b", ["--style-blend", "0,3"]),
        ("alike", "a,b", []),
    ):
        styles = ",".join(f"mine.safetensors:{each}" for each in style.split(","))
        apply("photo.png", "-o", f"{name}.png", *words, style=styles)
        found[name] = pixels(folder / f"{name}.png")
    np.testing.assert_array_equal(found["zero"], found["zero-b"])
    np.testing.assert_array_equal(found["blend"], found["all-b"])
    for name in ("zero", "all-b", "alike"):
        assert np.abs(found["a"] - found[name]).max() > 0.02

    # Each style in its half: far from the edge between them what is there is not the other one.
    mask = np.zeros((40, 52, 3), np.float32)
    mask[:, :26] = 1.0
    write_picture(folder / "left.png", mask)
    write_picture(folder / "right.png", 1.0 - mask)
    both = "mine.safetensors:a,mine.safetensors:b"
    apply("photo.png", "-o", "m.png", "--content-mask", "left.png", "right.png", style=both)
    masked = pixels(folder / "m.png")
    left = [np.abs(masked - found[name])[:, :20].mean() for name in ("a", "all-b")]
    right = [np.abs(masked - found[name])[:, 32:].mean() for name in ("a", "all-b")]
    assert left[0] < left[1] and right[1] < right[0]


def test_a_folder_and_several_photographs(folder, capsys):
    apply("photos", "-o", "painted")
    (folder / "photos" / "broken.png").write_bytes(b"no picture")
    apply("photos/0.png", "photos/broken.png", "photos/2.png", "-o", "some", code=1)
    assert "broken.png" in capsys.readouterr().err
    assert sorted(path.name for path in (folder / "some").iterdir()) == ["0.png", "2.png"]
    for name in ("0.png", "2.png"):
        same = (folder / "painted" / name).read_bytes()
        assert (folder / "some" / name).read_bytes() == same
    assert pixels(folder / "painted" / "1.png").shape == (36, 60, 3)
    # One photograph goes into a folder that is there.
    apply("photos/1.png", "-o", "some")
    assert (folder / "some" / "1.png").read_bytes() == (folder / "painted/1.png").read_bytes()


def test_held_statistics_are_those_of_the_first(folder):
    apply("photos", "-o", "own")
    apply("photos", "-o", "held", "--hold-statistics", "first")
    same = [np.array_equal(pixels(f"own/{n}.png"), pixels(f"held/{n}.png")) for n in range(3)]
    assert same == [True, False, False]
    assert read_record(folder / "held" / "1.png")["held"]["name"] == "0.png"
    assert "held" not in read_record(folder / "held" / "0.png")


def test_colors_alpha_and_depth(folder):
    picture = problems.picture(40, 52)
    alpha = np.linspace(0.0, 1.0, 52, dtype=np.float32)[None].repeat(40, 0)
    write_picture(folder / "clear.png", picture, alpha)
    apply("clear.png", "-o", "deep.tiff", "--bits", "16")
    deep = read_picture(folder / "deep.tiff")
    assert deep.alpha is not None
    np.testing.assert_allclose(deep.alpha, alpha, atol=2 / 255)

    apply("photo.png", "-o", "match.png", "--preserve-color", "match")
    matched, photo = pixels(folder / "match.png"), pixels(folder / "photo.png")
    np.testing.assert_allclose(matched.mean((0, 1)), photo.mean((0, 1)), atol=0.02)
    apply("photo.png", "-o", "luminance.png", "--preserve-color", "luminance")
    light = pixels(folder / "luminance.png") - photo
    unclipped = np.all((0.02 < light + photo) & (light + photo < 0.98), axis=-1)
    assert unclipped.any() and np.ptp(light[unclipped], axis=-1).max() < 3 / 255
    apply("photo.png", "-o", "strips.png", "--strip-rows", "16")
    apply("photo.png", "-o", "whole.png")
    words = ["--preserve-color", "histogram", "--color-strength"]
    apply("photo.png", "-o", "histogram.png", *words, "1")
    apply("photo.png", "-o", "half.png", *words, "0.5")
    ours, theirs = (
        np.sort(pixels(f"{name}.png").reshape(-1, 3), axis=0) for name in ("histogram", "photo")
    )
    assert np.abs(ours - theirs).mean() < 1.5 / 255
    between = (pixels("histogram.png") + pixels("whole.png")) / 2
    assert np.abs(pixels("half.png") - between).max() < 1.01 / 255
    assert np.abs(pixels("strips.png") - pixels("whole.png")).max() < 1.01 / 255


def test_a_picture_says_how_it_was_made_and_can_be_repeated(folder, capsys):
    words = ["--strength", "0.6", "--preserve-color", "luminance", "--color-strength", "0.7"]
    apply("photo.png", "-o", "out.png", *words)
    again = ["apply", "-o", "again.png", "--like", "out.png", "--no-compile-cache"]
    assert main([*again, "--json", "--quiet"]) == 0
    assert (folder / "again.png").read_bytes() == (folder / "out.png").read_bytes()
    shown = json.loads(capsys.readouterr().out)
    assert shown["pictures"] == ["again.png"] and shown["failed"] == []
    record = read_record(folder / "out.png")
    assert record["method"] == "apply" and record["options"]["strength"] == 0.6
    assert record["options"]["style"] == ["mine.safetensors:a"]
    assert record["painter"]["name"] == "mine.safetensors"
    assert str(folder) not in json.dumps(record)
    # What is given goes first; and another command does not take it.
    assert main([*again, "--strength", "1", "--quiet"]) == 0
    assert read_record(folder / "again.png")["options"]["strength"] == 1.0
    assert main(["universal", "photo.png", "photo.png", "-o", "u.png", "--like", "out.png"]) == 2
    assert "stylejax apply" in capsys.readouterr().err
    assert (
        main(["apply", "photo.png", "-o", "text.png", *words, "--style", "mine.safetensors:b"]) == 0
    )
    text = capsys.readouterr()
    assert "mine.safetensors" in text.out and "photo.png" in text.err


def test_the_styles_are_listed(folder, capsys):
    assert main(["styles"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "painting", "painter", "year", "license"]
    names = [line.split()[0] for line in lines[1:]]
    assert names == ["starry-night", "great-wave", "scream", "udnie", "composition-vii"]
    assert all("public domain" in line and "(1" in line for line in lines[1:])
    write_small_painter(folder / "two.safetensors", ("great-wave", "own"))
    assert main(["styles", "two.safetensors"]) == 0
    known, own = capsys.readouterr().out.splitlines()[1:]
    assert "Hokusai" in known and own.split() == ["own", "-", "-", "-", "-"]


def test_a_shipped_style_paints(folder):
    apply("photo.png", "-o", "out.png", style="scream")
    assert np.abs(pixels("out.png") - pixels("photo.png")).mean() > 0.05


@pytest.mark.parametrize(
    ("words", "style", "says"),
    [
        (["photo.png", "-o", "x.png"], "scraem", "did you mean scream?"),
        (["photo.png", "-o", "x.png"], "zzz", "there are starry-night, great-wave"),
        (["photo.png", "-o", "x.png"], "mine.safetensors:c", "no such style in mine.safetensors"),
        (["photo.png", "-o", "x.png"], "mine.safetensors", "has 2 styles; name one"),
        (["photo.png", "-o", "x.png"], "none.safetensors", "no such file"),
        (["photo.png", "-o", "x.png"], "scream,mine.safetensors:a", "do not mix"),
        (["photo.png", "-o", "x.png"], "scream,scream", "named twice"),
        (["photo.png", "-o", "x.png"], "", "no --style"),
        (["photo.png", "-o", "x.png", "--strength", "1.5"], "scream", "--strength is 1.5"),
        (["photo.png", "-o", "x.png", "--strength", "nan"], "scream", "--strength is nan"),
        (["photo.png", "-o", "x.png", "--style-blend", "1,1"], "scream", "--style-blend has 2"),
        (["photo.png", "-o", "x.png", "--size", "-1"], "scream", "--size is -1"),
        (["photo.png", "-o", "x.jpg", "--bits", "16"], "scream", "16"),
        (["photo.png", "-o", "photo.png"], "scream", "is an input of this run"),
        (["photos", "-o", "photos"], "scream", "is an input of this run"),
        (["photos", "photo.png", "-o", "x.png"], "scream", "need a folder"),
        (["photos", "-o", "none/folder"], "scream", "there is no folder none"),
        (["photo.png", "photos/0.png", "other/0.png", "-o", "f"], "scream", "no such file"),
        (["photos/0.png", "twin/0.jpg", "-o", "f"], "scream", "would both be 0.png"),
        (["twin/empty", "-o", "f"], "scream", "holds no picture"),
        (["none.png", "-o", "x.png"], "scream", "none.png"),
        (["-o", "x.png"], "scream", "no photograph"),
        (["photo.png", "-o", "x.png", "--content-mask", "photo.png"], "scream,udnie", "1 masks"),
        (["photos", "-o", "f", "--content-mask", "photo.png"], "scream", "belongs to one picture"),
        (["photo.png", "-o", "x.png", "--content-mask", "black.png"], "scream", "black throughout"),
        (["photo.png", "-o", "x.png", "--content-mask", "tall.png"], "scream", "another shape"),
        (
            ["photo.png", "-o", "x.png", "--content-mask", "photo.png", "--style-blend", "2"],
            "scream",
            "has its own place",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_line(folder, capsys, words, style, says):
    (folder / "twin" / "empty").mkdir(parents=True)
    write_picture(folder / "twin" / "0.jpg", problems.picture(40, 52))
    write_picture(folder / "black.png", np.zeros((40, 52, 3), np.float32))
    write_picture(folder / "tall.png", np.ones((52, 20, 3), np.float32))
    before = sorted(path for path in folder.rglob("*"))
    apply(*words, style=style, code=2)
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert sorted(path for path in folder.rglob("*")) == before


def test_weight_files_that_are_not_whole_are_refused(folder, capsys):
    whole = (folder / "mine.safetensors").read_bytes()
    tensors = load_file(folder / "mine.safetensors")
    record = {"styles": ["a", "b"], "width": 0.125}
    (folder / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.safetensors").write_bytes(b"")
    missing = {name: leaf for name, leaf in tensors.items() if name != "keeps"}
    write_tensor_file(folder / "missing.safetensors", WEIGHTS, missing, record)
    write_tensor_file(folder / "shape.safetensors", WEIGHTS, tensors, record | {"width": 0.25})
    write_tensor_file(folder / "record.safetensors", WEIGHTS, tensors, {"styles": ["a"]})
    broken = tensors | {"keeps": np.full_like(tensors["keeps"], np.nan)}
    write_tensor_file(folder / "finite.safetensors", WEIGHTS, broken, record)
    later = whole.replace(b'"version":"1"', b'"version":"2"')
    (folder / "later.safetensors").write_bytes(later)
    (folder / "other.safetensors").write_bytes(problems.random_weights().read_bytes())
    for name, says in (
        ("cut", "not a whole safetensors file"),
        ("empty", "not a whole safetensors file"),
        ("missing", "is missing or unknown"),
        ("shape", "has shape"),
        ("record", "record is damaged"),
        ("finite", "is not finite"),
        ("later", "later version"),
        ("other", "no weight file of a painting network"),
    ):
        apply("photo.png", "-o", "x.png", style=f"{name}.safetensors:a", code=2)
        error = capsys.readouterr().err
        assert says in error and error.count("\n") == 1, name
    assert not (folder / "x.png").exists()


def test_a_sweep_has_every_strength_of_every_style(folder, capsys):
    both = "mine.safetensors:a,mine.safetensors:b"
    words = ["sweep", "photo.png", "--method", "apply", "--style", both, "--no-compile-cache"]
    words += ["--strength", "0,1", "-o", "grid", "--quiet"]
    assert main(words) == 0
    names = [f"style-{style}_strength-{strength}.png" for style in "ab" for strength in "01"]
    rows = json.loads((folder / "grid" / "results.json").read_text())
    assert [row["picture"] for row in rows] == names
    assert [row["strength"] for row in rows] == [0.0, 1.0, 0.0, 1.0]
    assert (folder / "grid" / "contact-sheet.png").exists()
    apply("photo.png", "-o", "alone.png")
    np.testing.assert_array_equal(pixels("alone.png"), pixels(f"grid/{names[1]}"))
    before = (folder / "grid" / names[3]).read_bytes()
    (folder / "grid" / names[0]).unlink()
    assert main([*words, "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 3
    assert (folder / "grid" / names[3]).read_bytes() == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--method", "apply"], "no --style"),
        (["photo.png", "--method", "apply", "--style", "scream"], "takes no painting"),
        ([], "no style beside it"),
        (["photo.png", "--style", "scream"], "--style is of --method apply"),
        (["photo.png", "--strength", "0.5"], "--strength is of --method apply"),
        (["--method", "apply", "--style", "scream", "--alpha", "0"], "of --method universal"),
        (
            ["--method", "apply", "--style", "scream", "--tv-weight", "1"],
            "--tv-weight does nothing",
        ),
        (["--method", "apply", "--style", "scream", "--devices", "1"], "--devices does nothing"),
        (["--method", "apply", "--style", "scream", "--strength", "1,1"], "1 twice"),
        (["--method", "apply", "--style", "scream", "--strength", "2"], "--strength is 2"),
    ],
)
def test_a_sweep_refuses_what_belongs_to_another_method(folder, capsys, words, says):
    assert main(["sweep", "photo.png", *words, "-o", "grid", "--quiet"]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not (folder / "grid").exists()
