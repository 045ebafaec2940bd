"""Judge what a transfer makes of a fixed list of pairs: one contact sheet, one table.

    python scripts/evaluate.py --images ../shared/images -o sheet.jpg
    python scripts/evaluate.py --images ../shared/images -o sheet.jpg --pairs tubingen astronaut \
        --method default "" --method stronger "--style-weight 300" --judge other.safetensors

Options of a method are those of `stylejax transfer`. The table (Markdown, on standard output) and
the sheet have the methods side by side, and pictures made elsewhere where IMAGES/reference holds
some. Columns of the table, by the functions of `measures.py`:

    style       0: the painting's statistics, 1: the photograph's
    content     0: the photograph, 1: as unlike it as the painting
    grid        power at periods of 4 and 8 px over what is to be expected; 1: no grid
    grid 2 px   the same at the period of the network's first stride
    color      distance of the palette from the painting's, in units of L*a*b*
    seconds     compiling and solving

Style and content are judged by networks at layers that were not optimized: `--judge` names a
weight file, one or several, of GoogLeNet too. Pictures and their times are kept in the folder
`--pictures`.
"""

import argparse
import contextlib
import io
import json
import shlex
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from evaluation.judges import JUDGED_LAYERS, Judge, read_judge
from evaluation.measures import color_distance, content_distance, grid_energy, style_distance

from stylejax.cli.commands import Transfer
from stylejax.cli.entry import main as stylejax_main
from stylejax.cli.parse import parse_command
from stylejax.errors import InputError
from stylejax.images.contact_sheet import draw_contact_sheet
from stylejax.images.files import check_writable, replace_file
from stylejax.images.read import read_picture, read_picture_file
from stylejax.images.scaling import resize
from stylejax.images.write import check_output, write_picture
from stylejax.networks.layers import canonical_layers
from stylejax.options import Options
from stylejax.runs.metadata import make_record, read_record
from stylejax.types import OtherPixels, Pixels
from stylejax.weights.read import Weights, read_weights
from stylejax.weights.zoo import find_weights

SMALLEST_SIZE = 128
"""Longest side at the least: the grid is looked for in tiles of 64 px or more."""


class Pair(NamedTuple):
    """A photograph and a painting by file name, and the pictures that others made of them."""

    content: str
    style: str
    reference: str | None = None

    @property
    def name(self) -> str:
        """What `--pairs` chooses by."""
        return f"{Path(self.content).stem} x {Path(self.style).stem}"


# The published pairs first; then a portrait, a pale and flat style, angular ones, busy and quiet
# photographs. Every photograph and every painting is used.
PAIRS = (
    Pair("tubingen_neckarfront.jpg", "vangogh_starry_night.jpg", "tubingen_starry_night"),
    Pair("tubingen_neckarfront.jpg", "munch_the_scream.jpg", "tubingen_scream"),
    Pair("astronaut.png", "picabia_udnie.jpg"),
    Pair("pier_sunset.jpg", "hokusai_great_wave.jpg"),
    Pair("kodim08_old_houses.png", "mondrian_composition_vii_1913.jpg"),
    Pair("kodim23_parrots.png", "kandinsky_composition_vii.jpg"),
    Pair("raccoon.png", "vangogh_wheat_field_with_cypresses.jpg"),
    Pair("toucan.jpg", "vangogh_starry_night.jpg"),
    Pair("canyon.jpg", "munch_the_scream.jpg"),
)
REFERENCES = ("vgg19", "googlenet")
"""Whose pictures are looked for: reference/vgg19_tubingen_scream.png."""


class Method(NamedTuple):
    """A way to transfer: a name, and options as `stylejax transfer` takes them."""

    name: str
    options: tuple[str, ...]


class Job(NamedTuple):
    """One picture to be made: the command's arguments, and what they come to."""

    arguments: list[str]
    content: Path
    style: Path
    output: Path
    options: Options
    weights: Weights


_read_weights = cache(read_weights)


def plan(pair: Pair, method: Method, given: argparse.Namespace) -> Job:
    """The job that makes a pair's picture by a method.

    Raises:
        InputError: an option of the method, or a picture, cannot be used.
    """
    content, style = given.images / "content" / pair.content, given.images / "style" / pair.style
    for path in (content, style):
        if not path.is_file():
            raise InputError(f"{path}: no such file; --images names a folder that has it")
    output = given.pictures / f"{content.stem}-{style.stem}-{method.name}.png"
    arguments = ["transfer", str(content), str(style), "-o", str(output), *method.options]
    arguments += ["--size", str(given.size)]
    command = parse_command(arguments)
    assert isinstance(command, Transfer)
    weights = _read_weights(find_weights(command.weights), network=command.network)
    return Job(arguments, content, style, output, command.options, weights)


def check_independent(job: Job, judges: Sequence[Judge]) -> None:
    """Refuse a judge that looks at what was optimized.

    Raises:
        InputError: names the layers.
    """
    loss, architecture = job.options.loss, job.weights.architecture
    optimized = {
        layer
        for kind in (loss.content_layers, loss.style_layers)
        for layer in canonical_layers(kind, architecture)
    }
    for judge in judges:
        shared = sorted(optimized & set(JUDGED_LAYERS[judge.network]))
        if shared and judge.sha256 == job.weights.sha256:
            raise InputError(
                f"--judge {judge.name} looks at {', '.join(shared)}, which {job.output.stem} "
                "optimizes: name the weights of another network"
            )


def is_made(job: Job) -> bool:
    """Whether the job's picture is there already, made with the same inputs and options."""
    if not job.output.is_file():
        return False
    content, style = read_picture_file(job.content), read_picture_file(job.style)
    asked = make_record(job.options, content, [style], job.weights, "any")
    found = read_record(job.output)
    same = ("stylejax", "content", "styles", "weights", "options")
    return all(asked[key] == found.get(key) for key in same)


def make(job: Job, reuse: bool) -> tuple[Pixels, dict[str, Any]]:
    """The job's picture and the transfer's own account of it, of which a file is kept beside it."""
    account = job.output.with_suffix(".json")
    if not (reuse and is_made(job)):
        sys.stderr.write(f"{job.output.stem}\n")
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = stylejax_main([*job.arguments, "--quiet", "--json"])
        if code:
            raise SystemExit(code)
        replace_file(account, said.getvalue().encode())
    spent = json.loads(account.read_text()) if account.is_file() else {}
    return read_picture(job.output).pixels, spent


def measured(
    picture: OtherPixels, photograph: Pixels, painting: OtherPixels, judges: Sequence[Judge]
) -> dict[str, Any]:
    """All figures of one picture: style and content by judge, grid and color."""
    size = photograph.shape[:2]
    fitted = picture if picture.shape[:2] == size else resize(picture, *size)
    row: dict[str, Any] = {"style": {}, "content": {}}
    for judge in judges:
        of_result, of_photograph = judge.features(fitted), judge.features(photograph)
        of_painting, stretched = judge.features(painting), judge.features(resize(painting, *size))
        style = style_distance(of_result, of_painting, of_photograph)
        content = content_distance(of_result, of_photograph, stretched)
        row["style"][judge.name], row["content"][judge.name] = float(style), float(content)
    row["grid"], row["grid_2px"] = grid_energy(picture), grid_energy(picture, (2,))
    row["colour"] = color_distance(picture, painting)
    return row


def references(pair: Pair, images: Path) -> dict[str, OtherPixels | None]:
    """The pictures that others made of a pair, None where there is none."""
    paths = {name: images / "reference" / f"{name}_{pair.reference}.png" for name in REFERENCES}
    return {
        name: read_picture(path).pixels if pair.reference and path.is_file() else None
        for name, path in paths.items()
    }


def evaluate(
    pairs: Sequence[Pair],
    methods: Sequence[Method],
    judges: Sequence[Judge],
    given: argparse.Namespace,
) -> tuple[list[dict[str, Any]], Pixels]:
    """Make and judge all pictures; returns the rows of the table and the contact sheet."""
    jobs = {pair: [plan(pair, method, given) for method in methods] for pair in pairs}
    for job in jobs[pairs[0]]:
        check_independent(job, judges)
    given.pictures.mkdir(parents=True, exist_ok=True)
    others = {pair: references(pair, given.images) for pair in pairs}
    columns = [
        name for name in REFERENCES if any(other[name] is not None for other in others.values())
    ]
    rows, lines = [], []
    for pair in pairs:
        photograph = read_picture(jobs[pair][0].content, given.size).pixels
        painting = read_picture(jobs[pair][0].style, given.size).pixels
        line: list[OtherPixels | None] = [photograph, painting]
        for method, job in zip(methods, jobs[pair], strict=True):
            picture, spent = make(job, given.reuse)
            row = measured(picture, photograph, painting, judges)
            rows.append({"pair": pair.name, "method": method.name} | row | {"transfer": spent})
            line.append(picture)
        for name in columns:
            other = others[pair][name]
            line.append(other)
            if other is not None:
                row = measured(other, photograph, painting, judges)
                rows.append({"pair": pair.name, "method": f"reference: {name}"} | row)
        lines.append(line)
    labels = [pair.name.replace("_", " ") for pair in pairs]
    titles = ["content", "style", *(method.name for method in methods), *columns]
    return rows, draw_contact_sheet(lines, labels, titles)


def seconds(row: dict[str, Any]) -> float | None:
    """Seconds of compiling and solving, None where no account was kept."""
    spent = row.get("transfer")
    return spent["seconds_compile"] + spent["seconds_solve"] if spent else None


def table(rows: Sequence[dict[str, Any]], judges: Sequence[str]) -> str:
    """The rows, and each method's mean over the pairs, as a Markdown table."""
    kinds = ("style", "content")
    names = [f"{kind} ({judge})" for judge in judges for kind in kinds]
    header = ["pair", "method", *names, "grid", "grid 2 px", "colour", "seconds"]
    digits = [2] * (len(names) + 2) + [1, 0]
    rule = ["---", "---", *["---:"] * len(digits)]
    shown, by_method = [header, rule], {}

    def show(pair: str, method: str, figures: Sequence[float | None]) -> None:
        pairs = zip(figures, digits, strict=True)
        shown.append([pair, method, *("" if x is None else f"{x:.{d}f}" for x, d in pairs)])

    for row in rows:
        figures = [row[kind][judge] for judge in judges for kind in kinds]
        figures += [row["grid"], row["grid_2px"], row["colour"], seconds(row)]
        by_method.setdefault(row["method"], []).append(figures)
        show(row["pair"], row["method"], figures)
    for method, lines in by_method.items():
        columns = zip(*lines, strict=True)
        if len(lines) > 1:
            means = [None if None in column else float(np.mean(column)) for column in columns]
            show(f"mean of {len(lines)}", method, means)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in shown)


def chosen(words: Sequence[str]) -> list[Pair]:
    """The pairs whose name holds one of the words; all of them where there is no word.

    Raises:
        InputError: a word is in no name.
    """
    for word in words:
        if not any(word in pair.name for pair in PAIRS):
            names = ", ".join(pair.name for pair in PAIRS)
            raise InputError(f"--pairs {word}: is part of no pair's name; there are {names}")
    return [pair for pair in PAIRS if not words or any(word in pair.name for word in words)]


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line, its values checked.

    Raises:
        InputError: a value cannot be used.
        SystemExit: the arguments make no sense, or help was asked for.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, required=True, help="content/ and style/ are in it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the contact sheet")
    parser.add_argument("--method", nargs=2, action="append", metavar=("NAME", "OPTIONS"))
    parser.add_argument("--pairs", nargs="+", default=[], help="words of the pairs' names")
    parser.add_argument("--judge", nargs="+", type=Path, default=[None], help="weight files")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--json", type=Path, help="write the table's figures there as well")
    parser.add_argument("--pictures", type=Path, default=Path("evaluation"))
    parser.add_argument("--reuse", action="store_true", help="keep pictures made before")
    # To argparse a lone option after a name is one of its own, unless a space comes first.
    option = [index >= 2 and arguments[index - 2] == "--method" for index in range(len(arguments))]
    given = parser.parse_args(
        [
            f" {text}" if is_option else text
            for text, is_option in zip(arguments, option, strict=True)
        ]
    )
    if given.size < SMALLEST_SIZE:
        raise InputError(f"--size is {given.size}: give {SMALLEST_SIZE} or more")
    check_output(given.output, 8)
    if given.json is not None:
        check_writable(given.json)
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what the command line asks for; returns the exit code."""
    try:
        given = read_arguments(sys.argv[1:] if arguments is None else arguments)
        methods = [Method(n, tuple(shlex.split(o))) for n, o in given.method or [("default", "")]]
        judges = [read_judge(path) for path in given.judge]
        rows, sheet = evaluate(chosen(given.pairs), methods, judges, given)
        write_picture(given.output, sheet)
        print(table(rows, [judge.name for judge in judges]))
        if given.json is not None:
            options = {method.name: shlex.join(method.options) for method in methods}
            record = {"size": given.size, "methods": options, "rows": rows}
            replace_file(given.json, (json.dumps(record, indent=1) + "\n").encode())
    except InputError as error:
        sys.stderr.write(f"evaluate: error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
