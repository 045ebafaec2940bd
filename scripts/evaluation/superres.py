"""The tables of super-resolution: sets of pictures made small in two ways and enlarged again.

    python scripts/evaluate.py superres
    python scripts/evaluate.py superres --sets ../shared/superres --weights my-x4.safetensors

Below `--sets` is a folder for each set. A figure has three parts: PSNR in dB, SSIM, both of
luminance as in the literature (`fidelity.py`), and a distance of features by `--judge`, a network
that nothing here was trained with: 0 is the original, 1 as far from it as bicubic interpolation.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from evaluation.fidelity import luminance, psnr, ssim
from evaluation.judges import Judge, read_judge
from evaluation.measures import content_distance
from stylejax.errors import InputError
from stylejax.images.files import check_writable, replace_file
from stylejax.images.read import READ_SUFFIXES, read_picture
from stylejax.runs.enlarger_file import EnlargerFile, bundled_enlarger, read_enlarger
from stylejax.superresolution import bicubic, enlarge_picture, reduced
from stylejax.superresolution.options import FACTORS
from stylejax.superresolution.reduction import REDUCTIONS
from stylejax.types import OtherPixels

SHARPNESS = (0.0, 0.5, 1.0)
BICUBIC = "bicubic"
PUBLISHED: Mapping[int, Mapping[str, Mapping[str, str]]] = {
    4: {
        "bicubic of Johnson et al.": {"Set5": "28.43 .8114", "Set14": "25.99 .7301"},
        "l_pixel": {"Set5": "28.40 .8205", "Set14": "25.75 .6994"},
        "SRCNN": {"Set5": "30.48 .8628", "Set14": "27.49 .7503"},
        "l_feat": {"Set5": "27.09 .7680", "Set14": "24.99 .6731"},
    },
    8: {
        "bicubic of Johnson et al.": {"Set5": "23.80 .6455", "Set14": "22.37 .5518"},
        "l_pixel": {"Set5": "24.77 .6864", "Set14": "23.02 .5787"},
        "l_feat": {"Set5": "23.26 .7058", "Set14": "21.64 .5837"},
    },
}
"""As published by Johnson et al. (2016), table 1, in a protocol of their own: to be compared by
their differences to their bicubic interpolation."""

Figure = tuple[float, float, float]
"""PSNR, SSIM and distance of features."""


def _is_gray(path: Path) -> bool:
    """Whether a file holds no colors: its own samples are its luminance, as published tables go."""
    with Image.open(path) as image:
        return image.mode == "L"


def figures(
    path: Path, factor: int, network: EnlargerFile, judge: Judge | None
) -> dict[tuple[str, str], Figure]:
    """All figures of one picture, by reduction and method."""
    whole, gray = read_picture(path).pixels, _is_gray(path)
    height, width = (side // factor * factor for side in whole.shape[:2])
    original = whole[:height, :width]
    inside = slice(factor, -factor)

    def plane(pixels: OtherPixels) -> Any:
        samples = np.rint(255.0 * pixels.mean(-1)) if gray else luminance(pixels)
        return samples.astype(np.float64)[inside, inside]

    truth, found = plane(original), {}
    of_original = None if judge is None else judge.features(original)
    for reduction in REDUCTIONS:
        small = reduced(original, factor, reduction)
        made = {BICUBIC: bicubic(small, factor)}
        for sharpness in SHARPNESS:
            enlarger, parameters = network.enlarger, network.parameters
            name = f"sharpness {sharpness:g}"
            made[name] = enlarge_picture(small, enlarger, parameters, sharpness)
        worst = None if judge is None else judge.features(made[BICUBIC])
        for method, pixels in made.items():
            distance = np.nan
            if judge is not None:
                distance = float(content_distance(judge.features(pixels), of_original, worst))
            mine = plane(pixels)
            found[reduction, method] = (psnr(mine, truth), ssim(mine, truth), distance)
    return found


def table(
    factor: int, sets: Mapping[str, Mapping[tuple[str, str], Figure]], network: EnlargerFile
) -> str:
    """One factor's table, in Markdown."""
    columns = [(name, reduction) for name in sets for reduction in REDUCTIONS]
    head = [f"x{factor}, {network.name}", *(f"{name}, {way}" for name, way in columns)]
    lines = [head, ["---"] * len(head)]
    for method in (BICUBIC, *(f"sharpness {each:g}" for each in SHARPNESS)):
        cells = [sets[name][way, method] for name, way in columns]
        lines.append([method, *(f"{a:.2f} {b:.4f} {c:.3f}" for a, b, c in cells)])
    for method, row in PUBLISHED[factor].items():
        cells = [row.get(name, "") if way == REDUCTIONS[0] else "" for name, way in columns]
        lines.append([f"{method}, as published", *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _pictures(folder: Path) -> dict[str, list[Path]]:
    """The pictures of each set below a folder.

    Raises:
        InputError: there are none.
    """
    sets = {
        place.name: [path for path in sorted(place.iterdir()) if path.suffix in READ_SUFFIXES]
        for place in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if place.is_dir()
    }
    sets = {name: paths for name, paths in sets.items() if paths}
    if not sets:
        raise InputError(f"--sets {folder}: holds no folder of pictures; name another one")
    # Set5 before Set14.
    number = lambda name: int("".join(filter(str.isdigit, name)) or 0)
    return {name: sets[name] for name in sorted(sets, key=lambda name: (number(name), name))}


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line, its values checked.

    Raises:
        InputError: a value cannot be used.
        SystemExit: the arguments make no sense, or help was asked for.
    """
    parser = argparse.ArgumentParser(
        prog="evaluate.py superres",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shared = Path(__file__).resolve().parents[2].parent / "shared"
    judge = shared / "weights" / "googlenet-bvlc.safetensors"
    parser.add_argument("--sets", type=Path, default=shared / "superres", help="folder of folders")
    parser.add_argument("--factors", type=int, nargs="+", default=FACTORS, choices=FACTORS)
    parser.add_argument("--weights", type=Path, nargs="+", help="in place of the bundled networks")
    parser.add_argument("--judge", type=Path, default=judge if judge.is_file() else None)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    given = parser.parse_args(arguments)
    if given.json is not None:
        check_writable(given.json)
    return given


def evaluate_superres(arguments: Sequence[str]) -> None:
    """Print the tables that the command line asks for.

    Raises:
        InputError: a value or a file cannot be used.
    """
    given = read_arguments(arguments)
    files = given.weights or [bundled_enlarger(factor) for factor in given.factors]
    judge = None if given.judge is None else read_judge(given.judge)
    record = []
    for network in map(read_enlarger, files):
        factor, sets = network.enlarger.factor, {}
        for name, paths in _pictures(given.sets).items():
            each = [figures(path, factor, network, judge) for path in paths]
            sets[name] = {
                key: tuple(np.mean([figure[key] for figure in each], axis=0)) for key in each[0]
            }
            record += [
                {"factor": factor, "set": name, "reduction": way, "method": method}
                | dict(zip(("psnr", "ssim", "distance"), map(float, figure), strict=True))
                for (way, method), figure in sets[name].items()
            ]
        print(table(factor, sets, network), end="\n\n")
    if given.json is not None:
        replace_file(given.json, (json.dumps(record, indent=1) + "\n").encode())
