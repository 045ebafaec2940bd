"""What README and the pages say can be run: every Python block, every command line."""

import re
import shlex
from pathlib import Path

import pytest

from stylejax.cli.parse import parse_command

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(kind: str) -> list[tuple[str, str]]:
    """The blocks of a kind, with the names of their pages."""
    found = [(page.name, match) for page in PAGES for match in BLOCK.findall(page.read_text())]
    return [(page, text) for page, (language, text) in found if language == kind]


def command_lines() -> list[tuple[str, str]]:
    """Every line that calls stylejax, continued lines joined, comments off."""
    lines = []
    for page, text in blocks("sh"):
        joined = text.replace("\\\n", " ")
        # A command may follow others on its line.
        calls = (part.strip() for line in joined.splitlines() for part in line.split("&&"))
        lines += [(page, call) for call in calls if re.match(r"(\.venv/bin/)?stylejax ", call)]
    return lines


def test_snippets_are_found():
    assert len(blocks("python")) >= 4
    assert len(command_lines()) >= 40


# Those of other pages need files or a notebook.
RUN = [each for each in blocks("python") if each[0] in ("README.md", "library.md")]


@pytest.mark.parametrize(("page", "snippet"), RUN)
def test_snippets_run(page, snippet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, page, "exec"), {})


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_commands_are_understood(page, line):
    _, *words = shlex.split(line.split(" > ")[0], comments=True)
    # These are read before the rest is understood, and are not here.
    for option in ("--like", "--weights"):
        if option in words:
            del words[words.index(option) : words.index(option) + 2]
    # Raises SystemExit where the command line's own parser would refuse.
    assert parse_command(words) is not None


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
