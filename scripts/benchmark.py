"""Measure stylejax; a table on standard error, one line of JSON last on standard output.

    python scripts/benchmark.py solver --size 512 --weights densenet121.safetensors
    python scripts/benchmark.py solver --pairs photo.jpg painting.jpg other.jpg painting.jpg
    python scripts/benchmark.py sweep --lanes 8 --size 256
    python scripts/benchmark.py sharding --size 1024 --devices 8
    python scripts/benchmark.py memory
    python scripts/benchmark.py evaluation --size 512
    python scripts/benchmark.py universal --size 512
    python scripts/benchmark.py feedforward --size 512

Each subcommand is a module of its own, which says what it measures.
"""

import argparse
import json
from collections.abc import Sequence

from benchmarks import evaluation as benchmark_evaluation
from benchmarks import feedforward as benchmark_feedforward
from benchmarks import memory as benchmark_memory
from benchmarks import sharding as benchmark_sharding
from benchmarks import solver as benchmark_solver
from benchmarks import sweep as benchmark_sweep
from benchmarks import universal as benchmark_universal

BENCHMARKS = (
    benchmark_solver,
    benchmark_sweep,
    benchmark_sharding,
    benchmark_memory,
    benchmark_evaluation,
    benchmark_universal,
    benchmark_feedforward,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one benchmark and print its report."""
    parser = argparse.ArgumentParser(description="Measure stylejax.")
    commands = parser.add_subparsers(required=True)
    for benchmark in BENCHMARKS:
        benchmark.add_parser(commands)
    parsed = parser.parse_args(arguments)
    print(json.dumps(parsed.run(parsed)))


if __name__ == "__main__":
    main()
