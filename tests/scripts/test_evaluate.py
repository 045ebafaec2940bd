import json

import evaluate
import numpy as np
import pytest
from comparison.jobs import swept_methods
from comparison.pairs import PAIRS, chosen
from comparison.table import figures_table, placement_table
from problems import picture, random_weights, write_vgg

from stylejax.images.read import read_picture
from stylejax.images.write import write_picture

SHALLOW = "--content-layers pool1 --style-layers input,conv1_relu --iterations"
GIVEN = [
    "--images",
    "images",
    "-o",
    "sheet.png",
    "--size",
    "128",
    "--pairs",
    "neckarfront x vangogh",
]


@pytest.fixture
def images(tmp_path, monkeypatch):
    """A folder laid out like the one that is meant, with a pair and its reference in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    for folder in ("content", "style", "reference"):
        (tmp_path / "images" / folder).mkdir(parents=True)
    painting = picture(96, 128, 5)[..., ::-1]
    for name, pixels in {
        "content/tubingen_neckarfront.jpg": picture(96, 128),
        "style/vangogh_starry_night.jpg": painting,
        "reference/vgg19_tubingen_starry_night.png": painting,
    }.items():
        write_picture(tmp_path / "images" / name, pixels)
    write_vgg(tmp_path / "judge.safetensors")
    return tmp_path


def test_methods_stand_side_by_side_and_are_reused(images, capsys):
    methods = ["--method", "few", f"{SHALLOW} 1", "--method", "more", f"{SHALLOW} 8"]
    judge = ["--judge", "judge.safetensors", "--json", "table.json"]
    (images / "others").mkdir()
    photograph = read_picture(images / "images/content/tubingen_neckarfront.jpg").pixels
    write_picture(images / "others/tubingen_neckarfront-vangogh_starry_night.png", photograph)
    other = ["--other", "theirs", "others", "--plot", "plot.png"]
    assert evaluate.main([*GIVEN, *methods, *judge, *other]) == 0
    tables = capsys.readouterr().out.split("\n\n")
    for table, bars in zip(tables, (9, 12), strict=True):
        lines = table.splitlines()
        assert len(lines) == 2 + 4 and all(line.count("|") == bars for line in lines)
    assert read_picture(images / "plot.png").pixels.shape[1] > 300
    few, more, reference, theirs = json.loads((images / "table.json").read_text())["rows"]
    names = [row["method"] for row in (few, more, reference, theirs)]
    assert names == ["few", "more", "reference: vgg19", "theirs"]
    # Theirs is the photograph itself.
    assert theirs["rank_correlation"] > 0.99 > more["rank_correlation"] and theirs["blotch"] < 0.01
    assert theirs["self_similarity"]["judge"] < 0.2 * reference["self_similarity"]["judge"]
    assert theirs["content"]["judge"] < 0.1 and "transfer" not in theirs
    # Eight iterations bring more style and less content than one; the reference is the painting.
    assert 0.0 < more["colour"] < few["colour"]
    assert few["content"]["judge"] < more["content"]["judge"]
    assert reference["style"]["judge"] < 0.2 * more["style"]["judge"]
    assert reference["content"]["judge"] == pytest.approx(1.0, abs=0.05)
    assert few["transfer"]["iterations"] == 1 and "transfer" not in reference
    # Photograph, painting, two methods and a reference: five cells wide.
    assert read_picture(images / "sheet.png").pixels.shape[1] > 5 * 128

    times = {path: path.stat().st_mtime_ns for path in (images / "evaluation").glob("*.png")}
    methods[-1] = f"{SHALLOW} 2"
    assert evaluate.main([*GIVEN, *methods, *judge, "--reuse"]) == 0
    remade = [path.name for path, time in times.items() if path.stat().st_mtime_ns != time]
    assert remade == ["tubingen_neckarfront-vangogh_starry_night-more.png"]
    kept, other, _ = json.loads((images / "table.json").read_text())["rows"]
    assert kept == few and other["transfer"]["iterations"] == 2


def test_of_several_style_weights_each_is_a_method():
    one, other = swept_methods("m", ["--levels", "1", "--style-weight", "5,20", "--seed", "2"])
    assert (one.name, other.name, one.curve, other.curve) == ("m-5", "m-20", "m", "m")
    assert other.options == ("--levels", "1", "--style-weight", "20", "--seed", "2")
    (alone,) = swept_methods("m", ["--style-weight", "5"])
    assert alone.name == alone.curve == "m"


def test_the_table_of_placement_has_a_line_for_each_picture():
    leaks = {"0.7": {"ratio": 2.0, "share": 0.5, "of_painting": 0.25}}
    row = {"pair": "a", "method": "m", "leak": leaks, "rank_correlation": 0.5, "blotch": 0.1}
    lines = placement_table([row | {"self_similarity": {"j": 0.2}}], ["j"]).splitlines()
    assert lines[2:] == ["| a | m | 2.0 | 0.50 | 0.25 | 0.50 | 0.100 | 0.200 |"]


def test_the_table_ends_in_means():
    spent = {"seconds_compile": 1.0, "seconds_solve": 3.0}
    row = {"method": "m", "style": {"j": 0.25}, "content": {"j": 0.5}, "grid": 1.0, "colour": 2.0}
    row |= {"grid_2px": 1.5}
    rows = [row | {"pair": "a", "transfer": spent}, row | {"pair": "b", "style": {"j": 0.75}}]
    lines = figures_table([*rows, row | {"pair": "a", "method": "n"}], ["j"]).splitlines()
    assert lines[2] == "| a | m | 0.25 | 0.50 | 1.00 | 1.50 | 2.0 | 4 |"
    assert lines[5:] == ["| mean of 2 | m | 0.50 | 0.50 | 1.00 | 1.50 | 2.0 |  |"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pairs", "monalisa"], "--pairs monalisa"),
        (["--size", "64"], "--size is 64"),
        (["--pairs", "scream"], "munch_the_scream.jpg: no such file"),
        (["--method", "odd", "--color"], "--color"),
        (["--judge", "none.safetensors"], "no such file"),
        (["-o", "sheet.txt"], "sheet.txt"),
        (["--other", "theirs", "nowhere"], "--other nowhere: no such folder"),
        (["--other", "theirs", "images"], "--other images: has no picture of these pairs"),
        (
            ["--method", "own", "--style-layers conv3_block7_0_relu"]
            + ["--judge", str(random_weights())],
            "conv3_block7_0_relu, which tubingen",
        ),
    ],
)
def test_what_cannot_be_used_is_one_line_before_anything_is_made(
    images, capsys, arguments, message
):
    assert evaluate.main([*GIVEN, *arguments]) == 2
    shown = capsys.readouterr()
    assert message in shown.err and shown.err.count("\n") == 1 and shown.out == ""
    assert not (images / "evaluation").exists()


def test_the_pairs_are_at_least_eight_and_use_every_photograph():
    assert len(PAIRS) >= 8 and len(chosen([])) == len(PAIRS)
    assert len({pair.content for pair in PAIRS}) == 8
    assert [pair.style for pair in chosen(["tubingen"])] == [
        "vangogh_starry_night.jpg",
        "munch_the_scream.jpg",
    ]
    assert np.unique([pair.name for pair in PAIRS]).size == len(PAIRS)
