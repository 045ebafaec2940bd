"""How long a learned style takes, from a photograph in memory to the painted one in memory.

Compiling is left out. `--kernels plain` measures the textbook's convolutions, `--strip-rows` a
picture that is painted in strips.
"""

import argparse
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.solver import sample_pairs
from benchmarks.universal import median_seconds
from benchmarks.workers import device_peak_bytes, peak_bytes
from stylejax.feedforward.large import paint_in_strips
from stylejax.feedforward.run import kernels_for, paint_photograph
from stylejax.images.read import read_picture
from stylejax.images.scaling import resize
from stylejax.runs.painters import choose_styles


def benchmark_feedforward(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds and memory of one picture."""
    chosen = choose_styles([arguments.style])
    device = jax.devices()[0]
    kernels = arguments.kernels or kernels_for(device.platform)
    painter = chosen.file.painter.clone(kernels=kernels)
    photograph = resize(read_picture(sample_pairs()[0][0]).pixels, arguments.size, arguments.size)
    mixture = jnp.zeros(painter.styles + 1).at[jnp.array(chosen.rows)].set(1.0)
    run = paint_photograph
    if arguments.strip_rows:
        run = partial(paint_in_strips, rows=arguments.strip_rows)
    seconds = median_seconds(
        lambda: run(photograph, painter, chosen.file.parameters, mixture), arguments.turns
    )
    peak = peak_bytes() if device.platform == "cpu" else device_peak_bytes(ours=True)
    return {
        "size": arguments.size,
        "seconds": seconds,
        "peak_memory_bytes": peak,
        "device": device.device_kind,
        "kernels": kernels,
        "strip_rows": arguments.strip_rows,
    }


def add_parser(commands: Any) -> None:
    """Register the subcommand."""
    parser = commands.add_parser("feedforward", help="seconds of a picture in a learned style")
    parser.add_argument("--size", type=int, default=512, help="side of the picture (512)")
    parser.add_argument("--style", default="starry-night", help="as of `stylejax apply`")
    parser.add_argument("--turns", type=int, default=7, help="pictures to take the median of (7)")
    parser.add_argument("--kernels", choices=("fast", "plain"), help="those of the device")
    parser.add_argument("--strip-rows", type=int, default=0, help="rows of a strip (0: whole)")
    parser.set_defaults(run=benchmark_feedforward)
