"""How large a picture, and how many lanes of a sweep, fit on accelerators of common sizes.

The table is computed by the estimate that every run is checked with, for the default options;
beside it stands what XLA says of the compiled programs on the device that is here.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.solver import read_problem, sample_pairs
from stylejax.devices.memory import estimated_memory
from stylejax.networks.layers import DENSENET121
from stylejax.options import LossOptions, Options
from stylejax.runs.prepare import pictures_kept
from stylejax.sweep.lanes import lane_weights, over_lanes, program_bytes
from stylejax.transfer.pyramid import pyramid_levels

ACCELERATORS = (16, 24, 80, 141)
"""Gigabytes of memory."""
SHARE = 0.9
"""Of that memory, what is free for a run."""
COUNTS = (1, 8)
LANES_AT = (256, 512, 1024)
STEP = 64
STRIP_ROWS = 256


def needed(
    size: int | tuple[int, int],
    devices: int = 1,
    strip_rows: int = 0,
    loss: LossOptions | None = None,
) -> int:
    """Bytes on each device for a picture of these sides, or a square one, by the estimate."""
    loss = loss or Options().loss
    layers = (*loss.content_layers, *loss.style_layers)
    sides = (size, size) if isinstance(size, int) else size
    kept = pictures_kept(Options(loss=loss))
    return estimated_memory(*sides, layers, kept, DENSENET121, devices, strip_rows)


def largest(free: float, devices: int, strip_rows: int = 0) -> int:
    """The largest square picture that devices with so much free memory hold together."""
    size = STEP
    while needed(size + STEP, devices, strip_rows) <= free:
        size += STEP
    return size


def table() -> list[dict[str, Any]]:
    """A row for each memory and number of devices."""
    rows = []
    for gigabytes in ACCELERATORS:
        free = SHARE * gigabytes * 1e9
        for count in COUNTS:
            row: dict[str, Any] = {
                "gigabytes": gigabytes,
                "devices": count,
                "largest": largest(free, count),
            }
            row["largest_in_strips"] = largest(free, 1, STRIP_ROWS) if count == 1 else None
            row |= {f"lanes_{size}": count * int(free / needed(size)) for size in LANES_AT}
            rows.append(row)
    return rows


def checked(size: int, lanes: int, weights: Path | None) -> dict[str, Any]:
    """The estimate over XLA's account, of a single picture and of several lanes."""
    problem = read_problem(*sample_pairs()[0], size, weights)
    single = problem.solver.compile(problem.start, *problem.arguments)[1]
    solver = over_lanes(problem, jax.devices()[:1])
    level = pyramid_levels(Options(), *problem.start.shape[:2])[-1]
    of_lanes = lane_weights([Options()] * lanes, level, 1)
    starts = np.stack([problem.start] * lanes)
    several = solver.compile(starts, *problem.arguments[:2], of_lanes)[1]
    # As `read_problem` has it.
    estimate = needed(size, loss=LossOptions(placement=0.0))
    return {
        "estimate_over_xla": estimate / program_bytes(single),
        "estimate_over_xla_lanes": lanes * estimate / program_bytes(several),
    }


def _lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "| memory | devices | largest picture | in strips | lanes at 256 px | 512 px | 1024 px |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for row in rows:
        lanes = " | ".join(str(row[f"lanes_{size}"]) for size in LANES_AT)
        strips = row["largest_in_strips"]
        strips = "" if strips is None else f"{strips} px"
        largest = f"{row['gigabytes']} GB | {row['devices']} | {row['largest']} px"
        yield f"| {largest} | {strips} | {lanes} |"


def benchmark_memory(arguments: argparse.Namespace) -> dict[str, Any]:
    """The table, and the check."""
    rows = table()
    sys.stderr.write("\n".join(_lines(rows)) + "\n")
    check = checked(arguments.size, arguments.lanes, arguments.weights)
    device = jax.devices()[0].platform
    return {
        "device": device,
        "size": arguments.size,
        "lanes": arguments.lanes,
        **check,
        "table": rows,
    }


def add_parser(commands: Any) -> None:
    """Register the subcommand."""
    parser = commands.add_parser("memory", help="what fits on which accelerator")
    parser.add_argument("--size", type=int, default=512, help="checked at this size (512)")
    parser.add_argument("--lanes", type=int, default=4, help="and with so many lanes (4)")
    parser.add_argument("--weights", type=Path, help="weight file (the bundled one)")
    parser.set_defaults(run=benchmark_memory)
