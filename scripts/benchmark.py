"""Measure stylejax; a table on standard error, one line of JSON last on standard output.

    python scripts/benchmark.py solver --size 512 --weights densenet121.safetensors
    python scripts/benchmark.py solver --pairs photo.jpg painting.jpg other.jpg painting.jpg
    python scripts/benchmark.py sweep --lanes 8 --size 256
    python scripts/benchmark.py sharding --size 1024 --devices 8
    python scripts/benchmark.py memory
    python scripts/benchmark.py evaluation --size 512
    python scripts/benchmark.py universal --size 512
    python scripts/benchmark.py feedforward --size 512
    python scripts/benchmark.py programs --size 512
    python scripts/benchmark.py device --deadline 12 -o figures

Each subcommand is a module of its own, which says what it measures.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module

BENCHMARKS = (
    "solver",
    "sweep",
    "sharding",
    "memory",
    "evaluation",
    "universal",
    "feedforward",
    "programs",
    "facts",
    "device",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one benchmark and print its report."""
    parser = argparse.ArgumentParser(description="Measure stylejax.")
    commands = parser.add_subparsers(required=True)
    words = sys.argv[1:] if arguments is None else list(arguments)
    # Only what is asked for: a device must not be taken by whoever starts other processes for it.
    for name in words[:1] if words[:1] and words[0] in BENCHMARKS else BENCHMARKS:
        import_module(f"benchmarks.{name}").add_parser(commands)
    parsed = parser.parse_args(words)
    print(json.dumps(parsed.run(parsed)))


if __name__ == "__main__":
    main()
