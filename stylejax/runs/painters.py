"""Styles by name: those that ship with stylejax, and those of weight files that a user names."""

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stylejax.errors import InputError
from stylejax.runs.foreign_file import is_foreign_file, read_foreign
from stylejax.runs.painter_file import PainterFile, read_painter
from stylejax.weights.read import bundled_folder
from stylejax.weights.zoo import bundled_painter

SUFFIX = ".safetensors"
_PAINTINGS = "paintings.json"
_COLUMNS = ("painting", "painter", "year", "license")


class ChosenStyles(NamedTuple):
    """A painting network, the rows of its tables that are wanted, and its file."""

    file: PainterFile
    rows: tuple[int, ...]
    path: Path


def style_rows(path: Path | None = None) -> list[tuple[str, ...]]:
    """Name, painting, painter, year and license of each style that ships, or of a file's.

    Raises:
        InputError: the file cannot be used.
    """
    if path is not None and is_foreign_file(path):
        return [(path.stem, "-", read_foreign(path).style.program, "-", "-")]
    file = read_painter(bundled_painter() if path is None else path)
    known = json.loads((bundled_folder() / _PAINTINGS).read_text(encoding="utf-8"))
    # A file that has grown from the shipped one has its styles as well.
    return [
        (name, *(known.get(name, {}).get(column, "-") for column in _COLUMNS))
        for name in file.names
    ]


def _split(style: str) -> tuple[Path | None, str | None]:
    """A style as it is named: its file (None for the shipped one) and its name in it, if given."""
    if style.endswith(SUFFIX):
        return Path(style), None
    head, _, name = style.rpartition(":")
    return (Path(head), name) if head.endswith(SUFFIX) else (None, style)


def _row(file: PainterFile, path: Path | None, name: str | None) -> int:
    """The row of a style in a file's tables.

    Raises:
        InputError: the file has no such style, or several and none is named.
    """
    if name is None:
        if len(file.names) > 1:
            raise InputError(
                f"--style {path}: has {len(file.names)} styles; name one, as "
                f"{path}:{file.names[0]} ({', '.join(file.names)})"
            )
        return 1
    if name in file.names:
        return 1 + file.names.index(name)
    near = difflib.get_close_matches(name, file.names, n=3, cutoff=0.4)
    where = "" if path is None else f" in {path}"
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(file.names)}"
    lists = "`stylejax styles`" if path is None else f"`stylejax styles {path}`"
    raise InputError(f"--style {name}: no such style{where}; {hint} ({lists} lists all)")


def choose_styles(styles: Sequence[str]) -> ChosenStyles:
    """Find styles by name: a shipped one's name goes before a file's.

    Raises:
        InputError: there is no such style or file, the file is damaged, or styles are of two
            networks, which cannot be mixed.
    """
    shipped = bundled_painter()
    places = [_split(style) for style in styles]
    paths = {shipped if path is None else path for path, _ in places}
    if len(paths) > 1:
        raise InputError(
            f"--style {','.join(styles)}: styles of two files do not mix; train the new one on "
            "top of the other with `stylejax train style --base`"
        )
    (path,) = paths
    file = read_painter(path)
    rows = tuple(_row(file, own, name) for own, name in places)
    if len(set(rows)) < len(rows):
        raise InputError(f"--style {','.join(styles)}: names one style twice; name it once")
    return ChosenStyles(file, rows, path)
