"""Several weightings in one vmapped program against as many separate runs of the same program.

Both take the default pyramid of the same pair, compiled beforehand; seconds are those of solving
alone, and what compiling takes is reported beside them.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.solver import SHALLOW, sample_pairs
from stylejax.images.read import read_picture
from stylejax.losses.weights import LossWeights
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions
from stylejax.sweep.lanes import lane_weights, over_lanes
from stylejax.transfer.pictures import Pictures
from stylejax.transfer.problem import Problem, level_problem
from stylejax.transfer.pyramid import Level, pyramid_levels
from stylejax.weights.read import read_weights

LIGHTEST, HEAVIEST = 5.0, 80.0
REPEATS = 3


class _Contest:
    """One level, compiled for all weightings at once and for one at a time."""

    def __init__(self, problem: Problem, level: Level, weights: LossWeights, lanes: int) -> None:
        self.problem, self.level, self.weights, self.lanes = problem, level, weights, lanes
        self.solver = over_lanes(problem, jax.devices()[:1])
        self.starts = np.stack([problem.start] * lanes)
        self.shared = problem.arguments[:2]
        began = time.perf_counter()
        self.together = self.solver.compile(self.starts, *self.shared, weights)
        self.seconds_compile_together = time.perf_counter() - began
        fresh = replace(problem.solver)
        began = time.perf_counter()
        self.alone = fresh.compile(problem.start, *problem.arguments)
        self.seconds_compile_alone = time.perf_counter() - began

    def vmapped(self) -> tuple[float, np.ndarray]:
        """Seconds for all lanes as one program, and their losses."""
        began = time.perf_counter()
        arguments = (*self.shared, self.weights)
        steps = self.solver.steps(
            self.starts, self.level.iterations, *arguments, programs=self.together
        )
        *_, last = steps
        return time.perf_counter() - began, last.value

    def separate(self) -> tuple[float, np.ndarray]:
        """Seconds for the lanes one after the other, and their losses."""
        began = time.perf_counter()
        losses = []
        for lane in range(self.lanes):
            weights = jax.tree.map(lambda leaf, lane=lane: leaf[lane], self.weights)
            one = self.problem._replace(arguments=(*self.shared, weights), programs=self.alone)
            *_, last = one.steps(self.level.iterations)
            losses.append(float(last.value))
        return time.perf_counter() - began, np.asarray(losses)


def benchmark_sweep(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures of a sweep over style weights."""
    lanes, size = arguments.lanes, arguments.size
    solve = SolverOptions(iterations=arguments.iterations)
    loss = SHALLOW if arguments.shallow else LossOptions()
    options = Options(PictureOptions(size=size), loss, solve)
    content, style = (read_picture(path, size).pixels for path in sample_pairs()[0])
    network, pictures = read_weights(arguments.weights), Pictures(content, [style])
    report: dict[str, Any] = {"size": size, "lanes": lanes, "device": jax.devices()[0].platform}
    totals = dict.fromkeys(("vmapped_seconds", "separate_seconds"), 0.0)
    compiling = dict.fromkeys(("vmapped_compile_seconds", "separate_compile_seconds"), 0.0)
    difference = 0.0
    for level in pyramid_levels(options, *content.shape[:2]):
        problem = level_problem(network, pictures, options, level)
        weights = lane_weights([options] * lanes, level, 1)
        weights = weights._replace(
            style_weight=np.geomspace(LIGHTEST, HEAVIEST, lanes, dtype=np.float32)
        )
        contest = _Contest(problem, level, weights, lanes)
        together, alone = [], []
        for _ in range(arguments.repeats):
            seconds, ours = contest.vmapped()
            together.append(seconds)
            seconds, theirs = contest.separate()
            alone.append(seconds)
            difference = max(difference, float(np.max(np.abs(ours - theirs) / theirs)))
        totals["vmapped_seconds"] += float(np.median(together))
        totals["separate_seconds"] += float(np.median(alone))
        compiling["vmapped_compile_seconds"] += contest.seconds_compile_together
        compiling["separate_compile_seconds"] += lanes * contest.seconds_compile_alone
    report |= totals | compiling | {"final_loss_difference": difference}
    report["vmapped_over_separate"] = totals["vmapped_seconds"] / totals["separate_seconds"]
    for key, value in report.items():
        sys.stderr.write(f"{key:28} {value}\n")
    return report


def add_parser(commands: Any) -> None:
    """Register the subcommand."""
    parser = commands.add_parser("sweep", help="several weightings at once, or one by one")
    parser.add_argument("--size", type=int, default=256, help="longest side in pixels (256)")
    parser.add_argument("--lanes", type=int, default=8, help="how many weightings (8)")
    parser.add_argument("--iterations", type=int, default=40, help="of each, in all (40)")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="the median counts (3)")
    parser.add_argument("--weights", type=Path, help="weight file (the bundled one)")
    parser.add_argument("--shallow", action="store_true", help="the network's first layers alone")
    parser.set_defaults(run=benchmark_sweep)
