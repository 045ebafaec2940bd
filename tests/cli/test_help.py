import inspect
import shlex

import pytest

from stylejax.cli.commands import COMMANDS, WEIGHTS_COMMANDS
from stylejax.cli.parse import parse_command

PATHS = [[name] for name in COMMANDS] + [["weights", name] for name in WEIGHTS_COMMANDS]


def help_of(words, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as end:
        parse_command([*words, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out.splitlines()


def explained(lines):
    """Of each row below the examples: what is explained, the explanation, and the room for it.

    Frames are drawn where standard output is UTF-8, and are spaces elsewhere.
    """
    begin = next(line.index("show this") for line in lines if "show this help" in line)
    for line in lines[lines.index("", lines.index("Examples:")) :]:
        if line[:1] in ("│", " "):
            # A long flag stands in a row of its own, above its explanation.
            text = "" if line[2:begin].strip() and line[begin - 2 : begin] != "  " else line[begin:]
            yield line[2:begin].strip(), text.strip("│ "), max(map(len, lines[1:])) - 2 - begin


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("words", [[], *PATHS], ids=" ".join)
def test_help_is_wrapped_at_the_width_of_the_terminal(words, columns, capsys, monkeypatch):
    lines = help_of(words, capsys, monkeypatch, columns)
    # The names of all commands, in the overview's first line, have no space to be broken at.
    assert max(map(len, lines if words else lines[1:])) <= columns
    before = ""
    rows = list(explained(lines))
    assert len(rows) > 2
    for left, text, width in rows:
        if not left and text and before:
            # The next word, or as much of it as ends in a comma, had no room any more.
            word = text.split()[0]
            part = word if "," not in word else word[: word.index(",") + 1]
            assert len(before) + len(part) + (before[-1] != ",") > width, (before, text)
        before = text


@pytest.mark.parametrize("words", PATHS, ids=" ".join)
def test_help_shows_two_examples_that_can_be_parsed(words, capsys, monkeypatch):
    lines = help_of(words, capsys, monkeypatch, 80)
    first = lines.index("Examples:") + 1
    examples = [line.strip() for line in lines[first : lines.index("", first)]]
    assert len(set(examples)) == 2
    for example in examples:
        command, *arguments = shlex.split(example.split("|")[0].split(">")[0])
        assert command == "stylejax" and arguments[: len(words)][:1] == words[:1]
        parse_command(arguments)


def test_the_overview_has_a_sentence_for_each_command(capsys, monkeypatch):
    shown = " ".join(" ".join(help_of([], capsys, monkeypatch, 200)).replace("│", " ").split())
    for name, kind in COMMANDS.items():
        sentence = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
        assert f"{name} {sentence}" in shown
    assert "Gatys" not in shown and shown.count("Examples:") == 1
