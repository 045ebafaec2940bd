"""Train the DenseNet-121 that ships with stylejax: distill it from BVLC GoogLeNet.

    python scripts/pretrain.py --teacher googlenet.safetensors --train tiles.zip photographs.zip \
        --validation held-out.zip --start densenet121.safetensors --deadline 9 --out new.safetensors

All is done when the deadline's minutes are over, counted from the start of the process: compiling,
measuring and writing too. After a stop, the same command with `--resume` goes on. Without `--start`
it begins with random numbers.
"""

import json
import signal
import sys
import threading

import tyro

from stylejax.errors import InputError
from training.command import pretrain
from training.loop import Stopped
from training.options import Options
from training.schedule import process_start


def main() -> None:
    """Train, measure, write."""
    begun = process_start()
    options = tyro.cli(Options, description=__doc__)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        report = pretrain(options, begun, stopped.is_set)
    except InputError as error:
        raise SystemExit(f"error: {error}") from None
    except Stopped:
        raise SystemExit("stopped; the same command with --resume goes on") from None
    sys.stdout.write(json.dumps({name: report[name] for name in ("before", "after")}) + "\n")


if __name__ == "__main__":
    main()
