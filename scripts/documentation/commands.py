"""The page of the command line: what `--help` of every command prints."""

import contextlib
import io
import os
import re

from stylejax.cli.commands import COMMANDS, TRAIN_COMMANDS, WEIGHTS_COMMANDS
from stylejax.cli.parse import parse_command

# As wide as the site's column is.
_COLUMNS = "88"
_COLORS = re.compile(r"\x1b\[[0-9;]*m")


def command_words() -> list[list[str]]:
    """The words of every command, those of the commands within a command after it."""
    within = {"train": TRAIN_COMMANDS, "weights": WEIGHTS_COMMANDS}
    words = []
    for name in COMMANDS:
        words += [[name], *([name, inner] for inner in within.get(name, {}))]
    return words


def help_text(words: list[str]) -> str:
    """What the command with these words and `--help` prints, without colors."""
    screen = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _COLUMNS
    try:
        with contextlib.redirect_stdout(screen), contextlib.suppress(SystemExit):
            parse_command([*words, "--help"])
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before
    return _COLORS.sub("", screen.getvalue()).strip("\n")


def help_sections() -> str:
    """A section of Markdown for each command, below one for the command without words."""
    sections = []
    for words in ([], *command_words()):
        title = " ".join(["stylejax", *words])
        level = "#" * max(2, len(words) + 1)
        sections.append(f"{level} `{title}`\n\n```text\n{help_text(words)}\n```\n")
    return "\n".join(sections)
