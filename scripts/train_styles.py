"""Train the painting network that ships with stylejax, or another, on one device.

    python scripts/train_styles.py training/paintings/*.jpg --photos train.zip \
        --validation FOLDER --output styles.safetensors --deadline 6 --precision bfloat16

The styles' names are those of the files. With --resume FILE it goes on: from a checkpoint to the
same bytes, on the same machine and with --steps; from a weight file with a fresh optimizer.
"""

import time

STARTED = time.monotonic()

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from stylejax.errors import InputError  # noqa: E402
from stylejax.fields import describe_fields  # noqa: E402
from stylejax.runs.style_request import StyleRequest  # noqa: E402
from stylejax.runs.style_training import train_styles  # noqa: E402


def read_request() -> StyleRequest:
    """The options of the command line; every field of `StyleRequest` is one."""
    parser = argparse.ArgumentParser(description="Train a network that paints in styles.")
    parser.add_argument("paintings", nargs="+", type=Path, help="pictures of the styles")
    paths = {"photos": "+", "validation": "*"}
    for name, count in paths.items():
        parser.add_argument(f"--{name}", nargs=count, type=Path, default=[])
    for name in ("output", "weights", "checkpoint", "resume"):
        parser.add_argument(f"--{name}", type=Path, required=name == "output")
    parser.add_argument("--names", nargs="*", default=[])
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    for field in describe_fields(StyleRequest):
        flag = "--" + field.name.replace("_", "-")
        default = field.default
        parser.add_argument(flag, type=type(default), default=default, help=field.help)
    given = vars(parser.parse_args())
    for name, value in given.items():
        given[name] = tuple(value) if isinstance(value, list) else value
    return StyleRequest(**given)


def main() -> None:
    """Train, tell how it goes, and print the report as one line of JSON."""

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        ending = train_styles(read_request(), STARTED, tell)
    except InputError as error:
        sys.exit(f"train_styles: {error}")
    print(json.dumps(ending.report))


if __name__ == "__main__":
    main()
