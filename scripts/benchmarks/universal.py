"""How long universal style transfer takes, from two pictures in memory to the result in memory.

The painting's statistics are computed each time, as for a picture made by the command; beside it
stands the time with statistics that were kept. Compiling is left out.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from benchmarks.solver import sample_pairs
from benchmarks.workers import device_peak_bytes, peak_bytes
from stylejax.images.read import read_picture
from stylejax.images.scaling import resize
from stylejax.universal.decoder_weights import read_decoders
from stylejax.universal.run import style_statistics, universal_transfer
from stylejax.weights.read import read_weights


def median_seconds(run: Callable[[], Any], turns: int) -> float:
    """The median over turns, after one that compiles."""
    run()
    taken = []
    for _ in range(turns):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def benchmark_universal(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds and memory of one picture."""
    weights = read_weights()
    decoders = read_decoders(arguments.decoders, encoder=weights.sha256)
    content, style = (
        resize(read_picture(path).pixels, arguments.size, arguments.size)
        for path in sample_pairs()[0]
    )
    transfer = lambda painting: universal_transfer(
        content, [painting], weights=weights, decoders=decoders, strip_rows=arguments.strip_rows
    )
    seconds = median_seconds(lambda: transfer(style), arguments.turns)
    kept = style_statistics(style, weights=weights)
    with_kept = median_seconds(lambda: transfer(kept), arguments.turns)
    device = jax.devices()[0]
    peak = peak_bytes() if device.platform == "cpu" else device_peak_bytes(ours=True)
    return {
        "size": arguments.size,
        "seconds": seconds,
        "seconds_with_kept_style": with_kept,
        "peak_memory_bytes": peak,
        "device": device.device_kind,
        "strip_rows": arguments.strip_rows,
    }


def add_parser(commands: Any) -> None:
    """Register the subcommand."""
    parser = commands.add_parser("universal", help="seconds of a picture in one pass")
    parser.add_argument("--size", type=int, default=512, help="side of both pictures (512)")
    parser.add_argument("--turns", type=int, default=5, help="pictures to take the median of (5)")
    parser.add_argument("--strip-rows", type=int, default=0, help="rows of a strip (0: whole)")
    parser.add_argument("--decoders", type=Path, help="weight file (the bundled one)")
    parser.set_defaults(run=benchmark_universal)
