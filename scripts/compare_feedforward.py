"""Hold a painting network against `transfer --levels 1`, by the objective that both minimize.

    python scripts/compare_feedforward.py weights/styles.safetensors --paintings docs/paintings \
        --photos a.jpg b.jpg --size 256 --iterations 30

Paintings are found by the styles' names and taken at the size that the network was trained with;
both methods have the same targets and weights. The last line is JSON.
"""

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stylejax.feedforward.network import paint
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.options import Options
from stylejax.runs.painter_file import PainterFile, read_painter
from stylejax.transfer.problem import load_objective, make_problem
from stylejax.types import Pixels
from stylejax.weights.read import read_weights


class Row(NamedTuple):
    """One photograph in one style: the objective of both methods, and what they took.

    `reached` is the iteration at which the solver's objective is below the network's; one more than
    there are where it is not.
    """

    style: str
    photo: str
    feedforward: float
    solver: float
    reached: int
    seconds: float
    solver_seconds: float


def painted(file: PainterFile, photo: Pixels, row: int) -> tuple[Pixels, float]:
    """The network's picture, and the seconds of its second run: the first one compiles."""
    program = jax.jit(partial(paint, file.painter))
    mixture = jax.nn.one_hot(row, len(file.names) + 1)
    run = lambda: jax.block_until_ready(program(file.parameters, photo, mixture)[0])
    run()
    begin = time.monotonic()
    return np.asarray(run()), time.monotonic() - begin


def compare(options: argparse.Namespace) -> list[Row]:
    """Every photograph in every style, by both methods."""
    file, defaults, rows = read_painter(options.network), Options(), []
    loaded = load_objective(read_weights(options.weights), defaults.loss)
    judge = jax.jit(loaded.objective)
    for name in options.styles or file.names:
        painting = options.paintings / f"{name}.jpg"
        style = read_picture(painting, file.record["style_size"]).pixels
        for path in options.photos:
            photo = read_picture(path, options.size).pixels
            picture, seconds = painted(file, photo, 1 + file.names.index(name))
            problem = make_problem(loaded, photo, [style], defaults, photo)
            own = float(judge(jnp.asarray(picture), *problem.arguments)[0])
            begin, values = time.monotonic(), [np.inf]
            if options.iterations:
                steps = problem.steps(options.iterations, pace=lambda *_: 1)
                values = [float(step.value) for step in steps]
            took = time.monotonic() - begin
            reached = next((n for n, value in enumerate(values) if value <= own), len(values))
            rows.append(Row(name, path.name, own, values[-1], reached, seconds, took))
            print(*rows[-1], file=sys.stderr, flush=True)
            if options.output is not None:
                options.output.mkdir(exist_ok=True)
                write_picture(options.output / f"{path.stem}-{name}.png", picture)
    return rows


def main() -> None:
    """Read the command line, compare, print."""
    parser = argparse.ArgumentParser(description="Compare a painting network with the solver.")
    parser.add_argument("network", type=Path)
    parser.add_argument("--paintings", type=Path, required=True, help="folder of NAME.jpg")
    parser.add_argument("--photos", nargs="+", type=Path, required=True)
    parser.add_argument("--styles", nargs="*", default=[], help="some of the network's styles")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--iterations", type=int, default=30, help="of the solver; 0: leave it out")
    parser.add_argument("--weights", type=Path, help="of the encoder")
    parser.add_argument("--output", type=Path, help="folder to write the pictures to")
    rows = compare(parser.parse_args())
    means = {
        name: {
            "feedforward": float(np.mean([row.feedforward for row in rows if row.style == name])),
            "solver": float(np.mean([row.solver for row in rows if row.style == name])),
            "reached": float(np.mean([row.reached for row in rows if row.style == name])),
        }
        for name in dict.fromkeys(row.style for row in rows)
    }
    print(json.dumps(means))


if __name__ == "__main__":
    main()
