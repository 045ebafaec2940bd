"""Universal style transfer from files to files, by the command line."""

import json

import numpy as np
import pytest
from PIL import Image
from small_decoders import picture, write_networks

from stylejax.cli.entry import main
from stylejax.images.read import read_picture
from stylejax.runs.metadata import read_record
from stylejax.weights.read import read_weights


def save(path, seed, height=64, width=64, alpha=None):
    pixels = np.round(255 * picture(seed, height, width)).astype(np.uint8)
    layers = pixels if alpha is None else np.dstack([pixels, alpha])
    Image.fromarray(layers).save(path)
    return str(path)


@pytest.fixture
def short_networks(tmp_path, monkeypatch):
    """Options that name files of networks with few layers."""
    encoder, decoders = write_networks(tmp_path, monkeypatch)
    return ["--weights", str(encoder), "--decoders", str(decoders)]


@pytest.fixture
def photo(tmp_path):
    return save(tmp_path / "photo.png", 0)


@pytest.fixture
def painting(tmp_path):
    return save(tmp_path / "painting.png", 1)


def universal(*arguments):
    return main(["universal", *map(str, arguments), "--size", "64", "--quiet"])


def pixels_of(path):
    return read_picture(path).pixels


def test_a_picture_says_how_it_was_made_and_can_be_made_again(tmp_path, photo, painting, capsys):
    first, again = tmp_path / "first.png", tmp_path / "again.png"
    assert universal(photo, painting, "-o", first, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["output"] == str(first)
    assert (said["pictures"], said["failed"]) == ([str(first)], [])
    record = read_record(first)
    assert record["method"] == "universal"
    assert record["content"]["name"] == "photo.png"
    assert record["weights"]["sha256"] == read_weights().sha256
    assert record["options"]["level_alphas"] == [0.5, 1.0, 1.0, 1.0]
    assert main(["universal", photo, painting, "--like", str(first), "-o", str(again)]) == 0
    assert first.read_bytes() == again.read_bytes()
    changed = np.abs(pixels_of(first) - pixels_of(tmp_path / "photo.png"))
    assert changed.mean() > 0.02


def test_alpha_0_is_the_photograph_and_transparency_stays(tmp_path, painting):
    mask = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    opaque = np.full((64, 64), 255, np.uint8)
    given = save(tmp_path / "given.png", 0, alpha=opaque)
    assert universal(given, painting, "-o", tmp_path / "out.png", "--alpha", "0") == 0
    ours, theirs = np.asarray(Image.open(tmp_path / "out.png")), np.asarray(Image.open(given))
    np.testing.assert_array_equal(ours[..., :3], theirs[..., :3])
    clear = save(tmp_path / "clear.png", 0, alpha=mask)
    assert universal(clear, painting, "-o", tmp_path / "clear-out.png") == 0
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "clear-out.png"))[..., 3], mask)


def test_kept_statistics_stand_for_their_painting(tmp_path, photo, painting):
    kept, first, again = (tmp_path / name for name in ("kept.safetensors", "a.png", "b.png"))
    assert universal(photo, painting, "-o", first, "--save-style", kept) == 0
    assert universal(photo, kept, "-o", again) == 0
    np.testing.assert_array_equal(pixels_of(first), pixels_of(again))
    assert read_record(again)["styles"][0]["name"] == "kept.safetensors"


def test_folder_is_painted_and_what_fails_is_said_at_the_end(tmp_path, painting, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    save(photos / "one.png", 2)
    (photos / "two.jpg").write_bytes(b"no picture")
    save(photos / "three.png", 3)
    assert universal(photos, painting, "-o", tmp_path / "out") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one.png", "three.png"]
    assert "two.jpg: not a picture" in capsys.readouterr().err


def test_masks_put_a_style_in_its_place(tmp_path, painting, short_networks):
    photo = save(tmp_path / "wide.png", 0, 64, 256)
    mask = np.zeros((64, 256), np.uint8)
    mask[:, 192:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    arguments = [photo, painting, "-o", str(tmp_path / "out.png"), "--quiet", "--size", "256"]
    arguments += ["--content-mask", str(tmp_path / "mask.png"), *short_networks]
    assert main(["universal", *arguments]) == 0
    changed = np.abs(pixels_of(tmp_path / "out.png") - pixels_of(tmp_path / "wide.png"))
    assert changed[:, :96].max() < 2 / 255
    assert changed[:, 200:].mean() > 0.02
    assert read_record(tmp_path / "out.png")["content_masks"][0]["name"] == "mask.png"


def test_texture_has_its_size_and_seed(tmp_path, painting, short_networks):
    arguments = ["universal", "--texture", painting, "--output-size", "64x48", "--quiet"]
    arguments += short_networks
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert main([*arguments, "--seed", seed, "-o", str(tmp_path / f"{name}.png")]) == 0
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c
    assert pixels_of(tmp_path / "a.png").shape == (48, 64, 3)
    assert "content" not in read_record(tmp_path / "a.png")


def test_sweep_over_alphas(tmp_path, photo, painting):
    arguments = ["sweep", photo, painting, "--method", "universal", "--alpha", "0,1"]
    folder = tmp_path / "folder"
    assert main([*arguments, "--size", "64", "-o", str(folder), "--quiet"]) == 0
    rows = json.loads((folder / "results.json").read_text())
    assert [row["alpha"] for row in rows] == [0.0, 1.0]
    assert all((folder / row["picture"]).is_file() for row in rows)
    assert (folder / "contact-sheet.png").is_file()
    zero = pixels_of(folder / "alpha-0.png")
    np.testing.assert_array_equal(zero, pixels_of(tmp_path / "photo.png"))


def test_a_solve_starts_from_the_picture_of_one_pass(tmp_path, photo, painting):
    one_pass, solved = tmp_path / "one-pass.png", tmp_path / "solved.png"
    assert universal(photo, painting, "-o", one_pass) == 0
    arguments = ["transfer", photo, painting, "--init", "universal", "--iterations", "1"]
    arguments += ["--content-layers", "pool1", "--style-layers", "input,conv1_relu"]
    assert main([*arguments, "--size", "64", "-o", str(solved), "--quiet"]) == 0
    near = np.abs(pixels_of(solved) - pixels_of(one_pass)).mean()
    far = np.abs(pixels_of(solved) - pixels_of(tmp_path / "photo.png")).mean()
    assert near < 0.5 * far
    assert "decoders" in read_record(solved)


BAD = [
    ("-o OUT", "no content: name a photograph and a painting, or --texture PAINTING"),
    ("PHOTO -o OUT", "no style beside it; name a painting"),
    ("PHOTO --texture PAINTING -o OUT", "--texture makes its picture from noise"),
    ("PHOTO PAINTING -o OUT --alpha 1.5", "--alpha is 1.5: give 0 to 1"),
    ("PHOTO PAINTING -o OUT --alpha nan", "--alpha is nan"),
    ("PHOTO PAINTING -o OUT --level-alphas 1,1", "--level-alphas has 2 numbers for 4 levels"),
    ("PHOTO PAINTING -o OUT --style-blend 1,2", "--style-blend has 2 numbers for 1 style"),
    ("PHOTO PAINTING -o OUT --content-mask PHOTO PHOTO", "2 masks for 1 style pictures"),
    ("PHOTO PAINTING -o OUT --style-mask PHOTO", "--style-mask without --content-mask"),
    ("PHOTO PAINTING -o PHOTO", "is an input of this run"),
    ("PHOTO PAINTING -o OUT.xyz", "unknown extension"),
    ("PHOTO missing.png -o OUT", "missing.png"),
    ("DOT PAINTING -o OUT", "photo.png: is 1 x 1 pixels|pixels become|too small|1 x 1"),
    ("PHOTO PAINTING -o OUT --save-style STYLE.png", "--save-style"),
    ("PHOTO PAINTING PAINTING -o OUT --save-style S.safetensors", "keeps one painting"),
    ("PHOTO NOISE.safetensors -o OUT", "NOISE.safetensors"),
    ("PHOTO PAINTING -o OUT --decoders NOISE.safetensors", "NOISE.safetensors"),
    ("--texture PAINTING -o OUT --preserve-color match", "no colors to keep"),
    ("PHOTO PAINTING -o OUT --weights densenet121-random", "trained on the encoder with sha256"),
    ("PHOTO PAINTING -o OUT --like PHOTO", "holds no stylejax settings"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_gets_one_line(line, message, tmp_path, photo, painting, capsys):
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(tmp_path / "dot.png")
    (tmp_path / "NOISE.safetensors").write_bytes(b"\x00" * 100)
    names = {
        "PHOTO": photo,
        "PAINTING": painting,
        "OUT": str(tmp_path / "out.png"),
        "OUT.xyz": str(tmp_path / "out.xyz"),
        "DOT": str(tmp_path / "dot.png"),
        "NOISE.safetensors": str(tmp_path / "NOISE.safetensors"),
        "STYLE.png": str(tmp_path / "style.png"),
        "S.safetensors": str(tmp_path / "s.safetensors"),
    }
    words = [names.get(word, word) for word in line.split()]
    assert universal(*words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert any(part in said for part in message.split("|"))
    assert not (tmp_path / "out.png").exists()
