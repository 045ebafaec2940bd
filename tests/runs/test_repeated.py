"""`--like` takes the files of a record again: found, checked, or refused in one line."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from problems import picture, random_weights

from stylejax.cli.commands import Apply, Demo, Sweep, Transfer, Universal
from stylejax.cli.entry import main
from stylejax.cli.parse import parse_command
from stylejax.errors import InputError
from stylejax.feedforward.options import ApplyOptions, ApplyPictureOptions, ApplySettings
from stylejax.images.write import write_picture
from stylejax.options import Options, PictureOptions, flatten_options
from stylejax.runs.metadata import decisive, read_record
from stylejax.runs.painters import bundled_painter
from stylejax.universal.decoder_weights import BUNDLED
from stylejax.universal.options import UniversalSettings
from stylejax.weights.read import bundled_folder, default_weights, read_tensors
from stylejax.weights.write import tensor_bytes

FLAGS = ["--size", "64", "--content-layers", "pool1", "--style-layers", "input,conv1_relu"]
FLAGS += ["--iterations", "1", "--quiet", "--no-compile-cache"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STYLEJAX_WEIGHTS", raising=False)
    (tmp_path / "made").mkdir()
    (tmp_path / "photos").mkdir()
    return tmp_path


def entry(path):
    return {"name": Path(path).name, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}


def put(path, seed):
    """Any file's bytes: nothing here decodes them."""
    Path(path).write_bytes(f"file {seed}".encode())
    return entry(path)


def made(record, name="made/like.png"):
    text = json.dumps({"stylejax": "0.1.0", "versions": {}, "device": "cpu", **record})
    write_picture(Path(name), picture(16, 16), description=text)
    return ["--like", name, "-o", "out.png"]


def transfer_record(**more):
    weights = {**entry(default_weights()), "network": "densenet121"}
    return {
        "content": put("photo.png", 1),
        "styles": [put("one.png", 2)],
        "weights": weights,
        "options": flatten_options(Options(PictureOptions(size=64))),
        **more,
    }


def refusal(arguments):
    with pytest.raises(InputError) as caught:
        parse_command(arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_transfer_with_masks_start_and_weights_is_repeated_to_the_same_bytes(place):
    for seed, name in enumerate(("photo", "one", "two", "start")):
        write_picture(place / f"{name}.png", picture(64, 64, seed=seed))
    half = np.zeros((64, 64, 3), np.float32)
    half[:32] = 1.0
    write_picture(place / "up.png", half)
    write_picture(place / "down.png", 1 - half)
    shutil.copy(random_weights(), place / "own.safetensors")
    given = ["--content-mask", "up.png", "down.png", "--style-mask", "down.png", "up.png"]
    given += ["--init", "start.png", "--weights", "own.safetensors"]
    pair = ["photo.png", "one.png", "two.png"]
    assert main(["transfer", *pair, "-o", "made/a.png", *FLAGS, *given]) == 0

    again = ["transfer", "-o", "b.png", "--like", "made/a.png", "--quiet", "--no-compile-cache"]
    assert main(again) == 0
    assert (place / "made/a.png").read_bytes() == (place / "b.png").read_bytes()
    # Into another folder with all of them, of which that of the photograph is named.
    for name in ("up.png", "down.png", "start.png", "own.safetensors", *pair):
        shutil.move(place / name, place / "photos" / name)
    (place / "b.png").unlink()
    named = [f"photos/{name}" for name in pair]
    assert main([*again, *named]) == 0
    assert (place / "made/a.png").read_bytes() == (place / "b.png").read_bytes()
    command = parse_command(
        ["sweep", *named, "-o", "swept", "--like", "made/a.png", "--style-weight", "1,2"]
    )
    assert isinstance(command, Sweep) and command.weights == Path("photos/own.safetensors")
    assert [path.name for path in command.content_masks] == ["up.png", "down.png"]
    assert command.options.picture.init == "photos/start.png"


def test_files_are_looked_for_in_order_and_the_right_one_is_taken(place):
    like = made(transfer_record(content_masks=[put("photos/mask.png", 3)]))
    shutil.copy("photos/mask.png", "mask.png")
    photo = shutil.copy("photo.png", "photos/photo.png")

    def mask(*arguments):
        command = parse_command(["transfer", *arguments, *like])
        assert isinstance(command, Transfer)
        (path,) = command.content_masks
        return path

    # In the current folder; beside the content, which goes before it; beside the picture, first.
    assert mask() == Path("mask.png")
    assert mask(str(photo), "one.png") == Path("photos/mask.png")
    put("made/mask.png", 3)
    assert mask(str(photo), "one.png") == Path("made/mask.png")
    # Another file of that name is passed over, as long as the right one is somewhere.
    put("made/mask.png", 4)
    assert mask(str(photo), "one.png") == Path("photos/mask.png")
    # What is given on the line is what is meant, whatever it holds.
    assert mask("--content-mask", "made/mask.png") == Path("made/mask.png")
    command = parse_command(["transfer", *like, "--content-mask"])
    assert isinstance(command, Transfer) and command.content_masks == ()


def test_what_is_missing_or_has_changed_is_one_line(place, capsys):
    record = transfer_record()
    write_picture(place / "photo.png", picture(64, 64))
    record["content"] = entry("photo.png")
    like = made(record | {"content_masks": [put("mask.png", 3)]})
    Path("mask.png").unlink()
    message = refusal(["transfer", *like])
    assert "made with the mask mask.png" in message and "--content-mask" in message
    record["options"]["init"] = "start.png"
    like = made(record | {"init": put("start.png", 5)})
    Path("start.png").unlink()
    assert "--init" in refusal(["transfer", *like])
    record["options"]["init"] = "content"
    like = made(record | {"weights": put("own.safetensors", 6) | {"network": "densenet121"}})
    Path("own.safetensors").unlink()
    assert "--weights" in refusal(["transfer", *like])

    write_picture(place / "mask.png", picture(64, 64, seed=1))
    write_picture(place / "one.png", picture(64, 64, seed=2))
    like = made(record | {"styles": [entry("one.png")], "content_masks": [entry("mask.png")]})
    write_picture(place / "mask.png", picture(64, 64, seed=3))
    before = sorted(place.rglob("*"))
    for command in ("transfer", "sweep"):
        assert main([command, *like, "--quiet"]) == 2
        said = capsys.readouterr().err
        assert "mask.png: is not the file" in said and said.count("\n") == 1
    assert sorted(place.rglob("*")) == before


def test_a_picture_is_not_its_own_input_and_a_preset_has_its_own_start(place):
    record = transfer_record(init=put("start.png", 5))
    record["options"]["init"] = "start.png"
    command = parse_command(["transfer", *made(record, "made/photo.png")])
    assert isinstance(command, Transfer) and command.content == Path("photo.png")
    assert command.options.picture.init == "start.png"
    line = ["transfer", *made(record, "made/photo.png"), "--preset", "notebook"]
    command = parse_command(line)
    assert isinstance(command, Transfer) and command.options.picture.init == "uniform"
    Path("photo.png").unlink()
    assert "the content picture photo.png" in refusal(line)


def test_weights_that_are_kept_elsewhere_are_found(place, monkeypatch):
    command = parse_command(["transfer", *made(transfer_record())])
    assert isinstance(command, Transfer) and command.weights == default_weights()
    shutil.copy(random_weights(), "own.safetensors")
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(Path("own.safetensors").absolute()))
    weights = {**entry("own.safetensors"), "network": "densenet121"}
    monkeypatch.chdir(place / "photos")
    like = made(transfer_record(weights=weights), "../made/like.png")
    command = parse_command(["transfer", *like])
    assert isinstance(command, Transfer) and command.weights == place / "own.safetensors"
    # The demo has its own pictures, and takes all else.
    demo = parse_command(["demo", *like])
    assert isinstance(demo, Demo) and demo.weights == place / "own.safetensors"
    assert demo.content.name == "astronaut.jpg"


def test_the_files_of_a_universal_picture_are_found(place):
    record = transfer_record(
        method="universal",
        decoders=entry(bundled_folder() / BUNDLED),
        options=UniversalSettings().flat,
        content_masks=[put("mask.png", 3)],
        style_masks=[put("part.png", 4)],
    )
    command = parse_command(["universal", *made(record)])
    assert isinstance(command, Universal)
    assert command.content == Path("photo.png") and command.styles == (Path("one.png"),)
    assert command.content_masks == (Path("mask.png"),)
    assert command.style_masks == (Path("part.png"),)
    assert command.decoders == bundled_folder() / BUNDLED
    del record["content"], record["content_masks"], record["style_masks"]
    command = parse_command(["universal", *made(record)])
    assert isinstance(command, Universal)
    assert command.texture == (Path("one.png"),) and command.content is None
    for other in ("transfer", "apply", "sweep", "demo"):
        assert "was made by `stylejax universal`" in refusal([other, *made(record)])


def test_the_files_of_a_painted_picture_are_found(place, capsys):
    shutil.copy(bundled_painter(), "photos/own.safetensors")
    write_picture(place / "photos" / "photo.png", picture(32, 32))
    options = ApplySettings(
        ApplyOptions(("own.safetensors:udnie",)), ApplyPictureOptions(hold_statistics="first")
    )
    record = {
        "method": "apply",
        "content": entry("photos/photo.png"),
        "painter": entry("photos/own.safetensors"),
        "held": put("photos/first.png", 7),
        "options": options.flat,
    }
    command = parse_command(["apply", "photos/photo.png", *made(record)])
    assert isinstance(command, Apply)
    assert command.options.paint.style == ("photos/own.safetensors:udnie",)
    assert command.held == Path("photos/first.png")
    command = parse_command(["apply", "photos/photo.png", *made(record), "--style", "scream"])
    assert isinstance(command, Apply) and command.options.paint.style == ("scream",)
    tensors, metadata = read_tensors(bundled_painter())
    changed = tensor_bytes(tensors, metadata | {"note": "another file"})
    Path("photos/own.safetensors").write_bytes(changed)
    line = ["apply", "photos/photo.png", *made(record), "--hold-statistics", "none", "--quiet"]
    assert main(line) == 2
    assert "own.safetensors: is not the file" in capsys.readouterr().err


def test_names_and_versions_do_not_decide(place):
    record = transfer_record(init=put("start.png", 5))
    record["options"]["init"] = "start.png"
    other = json.loads(json.dumps(record))
    for part in (other["content"], other["styles"][0], other["weights"], other["init"]):
        part["name"] = f"renamed-{part['name']}"
    other |= {"versions": {"jax": "99"}, "stylejax": "9"}
    other["options"]["init"] = "renamed-start.png"
    assert decisive(record) == decisive(other)
    other["init"]["sha256"] = "0" * 64
    assert decisive(record) != decisive(other)


def test_a_record_too_deep_to_read_is_none(place):
    write_picture(place / "deep.png", picture(16, 16), description="[" * 100_000)
    with pytest.raises(InputError, match="holds no stylejax settings"):
        read_record(place / "deep.png")


def test_a_picture_that_says_nothing_of_placement_is_repeated_without(place):
    record = transfer_record()
    for placement, given in ((0.0, {}), (0.25, {"placement": 0.25})):
        record["options"] = {k: v for k, v in record["options"].items() if k != "placement"} | given
        command = parse_command(["transfer", *made(record)])
        assert isinstance(command, Transfer) and command.options.loss.placement == placement
    assert Options().loss.placement > 0.0
