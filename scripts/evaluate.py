"""Judge what a transfer makes of a fixed list of pairs: one contact sheet, one table.

    python scripts/evaluate.py --images ../shared/images -o sheet.jpg
    python scripts/evaluate.py --images ../shared/images -o sheet.jpg --pairs tubingen astronaut \
        --method default "" --method stronger "--style-weight 300" --judge other.safetensors

`python scripts/evaluate.py superres` prints the tables of enlarged pictures instead: --help of it
tells more.

Options of a method are those of `stylejax transfer`, or begin with the word `universal` and are
those of that command; of several style weights (`--style-weight 5,20,80`) each is a method. The
tables (Markdown, on standard output) and the sheet have the methods side by side, and pictures made
elsewhere: those in IMAGES/reference, and of other programs `--other NAME FOLDER`, with pictures
called as the photograph and the painting, photograph-painting.png. Columns of the first table, by
the functions of `measures.py`:

    style       0: the painting's statistics, 1: the photograph's
    content     0: the photograph, 1: as unlike it as the painting
    grid        power at periods of 4 and 8 px over what is to be expected; 1: no grid
    grid 2 px   the same at the period of the network's first stride
    color      distance of the palette from the painting's, in units of L*a*b*
    seconds     compiling and solving

Columns of the second one, by those of `placement.py`, to be read beside the style distance;
`--plot` draws the rank correlation against it:

    leak                gradient energy in the photograph's calm areas over that in the painting's
    share               the same over that of the whole result, beside the painting's own share
    rank correlation    of local energy, result and photograph; 1: busy where that is
    blotch              foreign color in the calm areas
    self-similarity     mean difference of cosines of positions from the photograph's

Style and content are judged by networks at layers that were not optimized: `--judge` names a
weight file, one or several, of GoogLeNet too. Pictures and their times are kept in the folder
`--pictures`.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparison.jobs import Method, check_independent, make, plan, swept_methods
from comparison.pairs import REFERENCES, Pair, chosen, other_pictures, references
from comparison.plot import check_plotting, placement_plot
from comparison.table import figures_table, placement_table
from evaluation.judges import Judge, read_judge
from evaluation.measures import color_distance, content_distance, grid_energy, style_distance
from evaluation.placement import (
    BLURS,
    blotch,
    energy_correlation,
    leak,
    self_similarity_distance,
)
from evaluation.superres import evaluate_superres

from stylejax.errors import InputError
from stylejax.images.contact_sheet import draw_contact_sheet
from stylejax.images.files import check_writable, replace_file
from stylejax.images.read import read_picture
from stylejax.images.scaling import resize
from stylejax.images.write import check_output, write_picture
from stylejax.types import OtherPixels, Pixels

SMALLEST_SIZE = 128
"""Longest side at the least: the grid is looked for in tiles of 64 px or more."""


def measured(
    picture: OtherPixels, photograph: Pixels, painting: OtherPixels, judges: Sequence[Judge]
) -> dict[str, Any]:
    """All figures of one picture: style and content by judge, grid and color, placement."""
    size = photograph.shape[:2]
    fitted = picture if picture.shape[:2] == size else resize(picture, *size)
    row: dict[str, Any] = {"style": {}, "content": {}, "self_similarity": {}}
    for judge in judges:
        of_result, of_photograph = judge.features(fitted), judge.features(photograph)
        of_painting, stretched = judge.features(painting), judge.features(resize(painting, *size))
        style = style_distance(of_result, of_painting, of_photograph)
        content = content_distance(of_result, of_photograph, stretched)
        row["style"][judge.name], row["content"][judge.name] = float(style), float(content)
        *_, deepest = of_result
        alike = self_similarity_distance(of_result[deepest], of_photograph[deepest])
        row["self_similarity"][judge.name] = alike
    row["grid"], row["grid_2px"] = grid_energy(picture), grid_energy(picture, (2,))
    row["colour"] = color_distance(picture, painting)
    leaks = {str(blur): leak(fitted, photograph, painting, blur) for blur in BLURS}
    row["leak"] = {blur: each._asdict() for blur, each in leaks.items()}
    row["rank_correlation"] = energy_correlation(fitted, photograph)
    row["blotch"] = blotch(fitted, photograph)
    return row


def caption(row: dict[str, Any]) -> str:
    """What stands below a picture of the sheet."""
    style = sum(row["style"].values()) / len(row["style"])
    leaks = ", ".join(f"{each['ratio']:.1f}" for each in row["leak"].values())
    return f"style {style:.2f}, rank {row['rank_correlation']:.2f}, leak {leaks}"


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
    found = {pair: references(pair, given.images) for pair in pairs}
    others = {
        f"reference: {name}": {pair: found[pair][name] for pair in pairs}
        for name in REFERENCES
        if any(of_pair[name] is not None for of_pair in found.values())
    }
    others |= {name: other_pictures(pairs, Path(folder)) for name, folder in given.other}
    given.pictures.mkdir(parents=True, exist_ok=True)
    rows, lines, captions = [], [], []
    for pair in pairs:
        photograph = read_picture(jobs[pair][0].content, given.size).pixels
        painting = read_picture(jobs[pair][0].style, given.size).pixels
        line: list[OtherPixels | None] = [photograph, painting]
        below = ["", ""]

        def judge_and_show(method: str, picture: OtherPixels | None, **spent: Any) -> None:
            line.append(picture)  # noqa: B023
            below.append("")  # noqa: B023
            if picture is not None:
                row = measured(picture, photograph, painting, judges)  # noqa: B023
                rows.append({"pair": pair.name, "method": method} | row | spent)  # noqa: B023
                below[-1] = caption(row)  # noqa: B023

        for method, job in zip(methods, jobs[pair], strict=True):
            picture, spent = make(job, given.reuse)
            judge_and_show(method.name, picture, transfer=spent)
        for name, pictures in others.items():
            judge_and_show(name, pictures[pair])
        lines.append(line)
        captions.append(below)
    labels = [pair.name.replace("_", " ") for pair in pairs]
    titles = ["content", "style", *(method.name for method in methods)]
    titles += [name.removeprefix("reference: ") for name in others]
    return rows, draw_contact_sheet(lines, labels, titles, captions=captions)


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
    method = {"nargs": 2, "action": "append", "metavar": ("NAME", "OPTIONS")}
    parser.add_argument(
        "--method",
        **method,
        help="a name, and options of `stylejax transfer` (or `universal` and its options)",
    )
    parser.add_argument(
        "--other",
        **{**method, "metavar": ("NAME", "FOLDER"), "default": []},
        help="a name, and a folder of pictures that another program made of the pairs",
    )
    parser.add_argument("--plot", type=Path, help="draw placement against style there, as PNG")
    parser.add_argument("--pairs", nargs="+", default=[], help="words of the pairs' names")
    parser.add_argument("--judge", nargs="+", type=Path, default=[None], help="weight files")
    parser.add_argument("--size", type=int, default=512, help="longest side, pixels (512)")
    parser.add_argument("--json", type=Path, help="write the table's figures there as well")
    parser.add_argument("--pictures", type=Path, default=Path("evaluation"), help="their folder")
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
    if given.plot is not None:
        check_plotting()
        check_writable(given.plot)
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what the command line asks for; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments[:1] == ["superres"]:
            evaluate_superres(arguments[1:])
            return 0
        given = read_arguments(arguments)
        named = given.method or [("default", "")]
        methods = [each for name, o in named for each in swept_methods(name, shlex.split(o))]
        judges = [read_judge(path) for path in given.judge]
        rows, sheet = evaluate(chosen(given.pairs), methods, judges, given)
        write_picture(given.output, sheet)
        names = [judge.name for judge in judges]
        print(figures_table(rows, names), placement_table(rows, names), sep="\n\n")
        if given.plot is not None:
            replace_file(given.plot, placement_plot(rows, methods, names))
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
