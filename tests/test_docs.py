"""What README and the pages say can be run: every Python block, every command line."""

import dataclasses
import re
import shlex
from pathlib import Path

import jax
import numpy as np
import pytest
from documentation.commands import command_words, help_text
from documentation.links import SHOWN, page_text
from documentation.names import escaped, library_names, package_names, reference
from gallery import commands as gallery_commands
from PIL import Image
from problems import write_densenet

import stylejax
from stylejax.cli.parse import parse_command
from stylejax.networks.layers import Architecture

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What a reader brings along. All else that a command reads is made by a command before it on the
# page, or lies in the repository.
BROUGHT = {
    *("photo.jpg", "other.jpg", "small.jpg", "painting.jpg", "a.jpg", "b.jpg", "c.jpg"),
    *("photos", "frames", "folder", "photos.zip", "photos/*.jpg", "sky.png", "town.png"),
    *("background.png", "face.png", "vgg19.pth", "candy.pth"),
    # No file: the styles that ship.
    "shipped",
}
# Fields of commands that name what is written.
WRITTEN = {"output", "history", "plot", "checkpoint", "save_style", "folder"}


def blocks(kind: str) -> list[tuple[str, str]]:
    """The blocks of a kind, with the names of their pages."""
    found = [(str(page.relative_to(ROOT)), page.read_text()) for page in PAGES]
    matches = [(page, match) for page, text in found for match in BLOCK.findall(text)]
    return [(page, text) for page, (language, text) in matches if language == kind]


def command_lines() -> list[tuple[str, str]]:
    """Every line that calls stylejax, continued lines joined, comments off."""
    lines = []
    for page, text in blocks("sh"):
        joined = text.replace("\\\n", " ")
        # A command may follow others on its line.
        calls = (part.strip() for line in joined.splitlines() for part in line.split("&&"))
        lines += [(page, call) for call in calls if re.match(r"(\.venv/bin/)?stylejax ", call)]
    return lines


def parsed(line: str) -> tuple[object, list[str], list[str]]:
    """The command of a line, what else it reads, and what the shell writes."""
    line, _, redirected = line.split("#")[0].partition(" > ")
    _, *words = shlex.split(line)
    read = []
    # These are read before the rest is understood, and are not here.
    for option in ("--like", "--weights"):
        if option in words:
            place = words.index(option)
            read.append(words[place + 1])
            del words[place : place + 2]
    # Raises SystemExit where the command line's own parser would refuse.
    return parse_command(words), read, redirected.split()


def paths(command: object) -> tuple[list[str], list[str]]:
    """Paths that a command reads, and those that it writes, at any depth of its options."""
    read, written = [], []
    for field in dataclasses.fields(command):  # pyright: ignore[reportArgumentType]
        value = getattr(command, field.name)
        if dataclasses.is_dataclass(value):
            inner_read, inner_written = paths(value)
            read, written = read + inner_read, written + inner_written
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Path):
                (written if field.name in WRITTEN else read).append(str(each))
    return read, written


def test_snippets_are_found():
    assert len(blocks("python")) >= 3
    assert len(command_lines()) >= 80
    # Those of notebooks are run where the site is built (.ci/run), which ends with what fails.
    notebooks = [page.read_text() for page in (DOCS / "notebooks").glob("*.md")]
    assert len(notebooks) == 3 and all(text.count("```{code-cell}") >= 4 for text in notebooks)
    assert "nb_execution_raise_on_error = True" in (DOCS / "conf.py").read_text()


@pytest.mark.parametrize("page", [str(page.relative_to(ROOT)) for page in PAGES])
def test_commands_are_understood_and_their_files_are_there(page):
    made = set()
    for _, line in (each for each in command_lines() if each[0] == page):
        command, named, redirected = parsed(line)
        read, written = paths(command)
        for file in [*read, *(name for name in named if "." in name)]:
            known = file in BROUGHT | made or Path(ROOT, file).exists()
            assert known, f"{line}: where is {file} from?"
        made |= {*written, *redirected}


def test_what_the_readers_bring_is_told_apart():
    """The check above refuses a line whose file nobody has."""
    command, named, redirected = parsed("stylejax transfer photo.jpg x.jpg -o y.png --like z.png")
    assert paths(command)[0][:2] == ["photo.jpg", "x.jpg"] and named == ["z.png"]
    assert "y.png" in paths(command)[1] and redirected == []
    assert parsed("stylejax show out.png > my.json")[2] == ["my.json"]


# The quick start is in README and on its page: it is run once.
SHORT = Architecture(stem_channels=16, growth_rate=8, block_sizes=(1, 1, 1, 1))
SNIPPETS = {text: page for page, text in blocks("python")}


@pytest.mark.parametrize("snippet", SNIPPETS, ids=SNIPPETS.get)
def test_snippets_run(snippet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # A network of the same form that is compiled in a fraction of the time.
    weights = write_densenet(tmp_path / "short.safetensors", monkeypatch, SHORT)
    monkeypatch.setattr("stylejax.weights.read.default_weights", lambda: weights)
    # What a page speaks of before its block: a style that was exported, and a picture.
    inverted = jax.export.export(jax.jit(lambda x: 1 - x))(jax.numpy.zeros((40, 56, 3)))
    Path("style.stablehlo").write_bytes(inverted.serialize())
    spoken_of = {"picture": np.zeros((40, 56, 3), np.float32)}
    exec(compile(snippet, SNIPPETS[snippet], "exec"), spoken_of)


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_is_in_the_list_of_pages():
    """What no toctree names is a warning of Sphinx; this tells sooner, and without Sphinx."""
    index = (DOCS / "index.md").read_text()
    listed = set(re.findall(r"^[a-z][\w/-]+$", "\n".join(index.split("```{toctree}")[1:]), re.M))
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md")}
    assert listed - {"hidden"} == pages - {"index"}


def test_links_of_the_site_are_those_of_the_repository():
    text = "[a](../../weights/README.md#x) [b](print.md) ![c](../speed.png) [d](https://e.org)"
    written = DOCS / "howto" / "folders.md"
    assert written.exists()
    assert page_text("howto/folders", text) == (
        "[a](/cards/network.md#x) [b](/howto/print.md) ![c](/speed.png) [d](https://e.org)"
    )
    for page, file in SHOWN.items():
        shown = page_text(page, "")
        assert shown.splitlines()[0] == (ROOT / file).read_text().splitlines()[0]
        assert (DOCS / f"{page}.md").exists()
    with pytest.raises(FileNotFoundError, match="nowhere.md"):
        page_text("howto/folders", "[x](nowhere.md)")


def test_every_public_name_is_documented_on_a_page():
    library, within = library_names(), package_names()
    assert [f"{each.module}.{each.name}" for each in (*library, *within) if not each.text] == []
    page = reference(library)
    assert [name for name in stylejax.__all__ if f" stylejax.{name}\n" not in f"{page}\n"] == []
    bare = dataclasses.replace(library[0], name="nothing", value=type("nothing", (), {}))
    with pytest.raises(ValueError, match="without a docstring: stylejax.nothing"):
        reference([bare])


def test_docstrings_mean_nothing_to_restructuredtext_but_code():
    assert escaped(["|F - P|^2, *args and x_ of `a_*|`s"]) == [
        r"\|F - P\|^2, \*args and x\_ of `a_*|`\ s"
    ]


def test_the_page_of_the_command_line_has_every_option():
    words = command_words()
    assert ["train", "style"] in words and ["weights", "fetch"] in words and ["demo"] in words
    shown = help_text(["transfer"])
    assert "--style-weight" in shown and "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 88


def test_the_gallery_is_what_its_commands_make():
    told = gallery_commands((DOCS / "gallery.md").read_text())
    readme = gallery_commands((ROOT / "README.md").read_text())
    assert {name: words for name, words in readme.items() if name in told} == {
        name: told[name] for name in readme if name in told
    }
    shown = re.findall(r"\(docs/gallery/([\w-]+)\.jpg\)", (ROOT / "README.md").read_text())
    assert len(shown) == 6 and set(shown) <= told.keys() & readme.keys()
    for name in told:
        file = DOCS / "gallery" / f"{name}.jpg"
        assert file.stat().st_size <= 120_000
        with Image.open(file) as kept:
            assert max(kept.size) <= 1024 and np.asarray(kept).std() > 20
