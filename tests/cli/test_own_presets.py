"""Settings in files: what `show` printed repeated by `--like`, and presets of one's own."""

import json
from pathlib import Path
from typing import Any

import pytest

from stylejax.cli.entry import main
from stylejax.cli.parse import parse_command
from stylejax.runs.own_presets import presets_folder

FIXTURE = Path(__file__).parent.parent / "fixtures" / "made-by-0.1.0.png"
PAIR = ["photo.jpg", "painting.jpg", "-o", "out.png"]


@pytest.fixture
def folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("platformdirs.user_config_path", lambda name: tmp_path / "config" / name)
    assert main(["presets", "--folder"]) == 0
    (said,) = capsys.readouterr().out.splitlines()
    assert Path(said) == presets_folder() == tmp_path / "config" / "stylejax" / "presets"
    return Path(said)


def shown(path, capsys):
    capsys.readouterr()
    assert main(["show", str(FIXTURE)]) == 0
    path.write_text(capsys.readouterr().out)
    return json.loads(path.read_text())


def test_what_show_printed_is_repeated(tmp_path, capsys):
    shown(tmp_path / "my.json", capsys)
    like = lambda path: parse_command(["transfer", "-o", "out.png", "--like", str(path)])
    assert like(tmp_path / "my.json").options == like(FIXTURE).options  # type: ignore[union-attr]
    assert like(tmp_path / "my.json").styles == like(FIXTURE).styles  # type: ignore[union-attr]
    for text in ("{", "[]", '{"options": {}}', "\xff"):
        (tmp_path / "bad.json").write_text(text, "latin-1")
        assert main(["transfer", *PAIR, "--like", str(tmp_path / "bad.json")]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "bad.json: holds no stylejax settings" in said


def test_own_presets_are_listed_and_used(folder, capsys):
    record = shown(folder / "mine.json", capsys)
    (folder / "strong.json").write_text('{"options": {"style_weight": 60}}')
    (folder / "gatys.json").write_text('{"options": {}}')
    (folder / "bad.json").write_text('{"options": {"style_wait": 60}}')
    assert main(["presets"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert {"notebook", "narayanan", "neural-style", "mine", "strong"} < rows.keys()
    assert "densenet121" in rows["mine"] and "unknown option 'style_wait'" in rows["bad"]

    def parsed(*words: str) -> Any:
        return parse_command(["transfer", *PAIR, *words])

    strong = parsed("--preset", "strong").options.loss
    assert strong.style_weight == 60.0 and strong.tv_weight == 100.0
    mine = parsed("--preset=mine", "--seed=1").options
    assert mine.loss.style_weight == record["options"]["style_weight"] and mine.picture.seed == 1
    over = parsed("--preset", "strong", "--like", str(FIXTURE)).options.loss
    assert over.style_weight == 60.0 and over.style_blend == (3.0, 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "--preset mien: there is none; `stylejax presets` lists them; did you mean mine"),
        ("{", "is no preset (it is no JSON)"),
        ("[1]", "is no preset (it has no options)"),
        ('{"options": {"size": "big"}}', "option 'size' is 'big', which it cannot be"),
        ('{"options": {}, "network": "alexnet"}', "network 'alexnet'"),
        ('{"options": {}, "method": "apply"}', "those of another command"),
    ],
)
def test_a_bad_preset_is_one_line(folder, capsys, text, message):
    (folder / "mine.json").write_text(text or "{}")
    assert main(["transfer", *PAIR, "--preset", "mine" if text else "mien"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and message in said
