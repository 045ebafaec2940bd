"""Measure stylejax; a table on standard error, one line of JSON last on standard output.

    python scripts/benchmark.py solver --size 512 --weights densenet121.safetensors
    python scripts/benchmark.py solver --pairs photo.jpg painting.jpg other.jpg painting.jpg

Each subcommand is a module of its own, which says what it measures.
"""

import argparse
import json
from collections.abc import Sequence

import benchmark_solver

BENCHMARKS = (benchmark_solver,)


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
