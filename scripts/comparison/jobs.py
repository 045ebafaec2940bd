"""Pictures to be made by `stylejax transfer`: planned, checked, made, and kept for reuse."""

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.judges import JUDGED_LAYERS, Judge

from comparison.pairs import Pair
from stylejax.cli.commands import Transfer
from stylejax.cli.entry import main as stylejax_main
from stylejax.cli.parse import parse_command
from stylejax.errors import InputError
from stylejax.images.files import replace_file
from stylejax.images.read import read_picture, read_picture_file
from stylejax.networks.layers import canonical_layers
from stylejax.options import Options
from stylejax.runs.metadata import make_record, read_record
from stylejax.types import Pixels
from stylejax.weights.read import Weights, read_weights
from stylejax.weights.zoo import find_weights


class Method(NamedTuple):
    """A way to transfer: a name, and options as `stylejax transfer` takes them."""

    name: str
    options: tuple[str, ...]


class Job(NamedTuple):
    """One picture to be made: the command's arguments, and what they come to."""

    arguments: list[str]
    content: Path
    style: Path
    output: Path
    options: Options
    weights: Weights


_read_weights = cache(read_weights)


def plan(pair: Pair, method: Method, given: argparse.Namespace) -> Job:
    """The job that makes a pair's picture by a method.

    Raises:
        InputError: an option of the method, or a picture, cannot be used.
    """
    content, style = given.images / "content" / pair.content, given.images / "style" / pair.style
    for path in (content, style):
        if not path.is_file():
            raise InputError(f"{path}: no such file; --images names a folder that has it")
    output = given.pictures / f"{content.stem}-{style.stem}-{method.name}.png"
    arguments = ["transfer", str(content), str(style), "-o", str(output), *method.options]
    arguments += ["--size", str(given.size)]
    command = parse_command(arguments)
    assert isinstance(command, Transfer)
    weights = _read_weights(find_weights(command.weights), network=command.network)
    return Job(arguments, content, style, output, command.options, weights)


def check_independent(job: Job, judges: Sequence[Judge]) -> None:
    """Refuse a judge that looks at what was optimized.

    Raises:
        InputError: names the layers.
    """
    loss, architecture = job.options.loss, job.weights.architecture
    optimized = {
        layer
        for kind in (loss.content_layers, loss.style_layers)
        for layer in canonical_layers(kind, architecture)
    }
    for judge in judges:
        shared = sorted(optimized & set(JUDGED_LAYERS[judge.network]))
        if shared and judge.sha256 == job.weights.sha256:
            raise InputError(
                f"--judge {judge.name} looks at {', '.join(shared)}, which {job.output.stem} "
                "optimizes: name the weights of another network"
            )


def is_made(job: Job) -> bool:
    """Whether the job's picture is there already, made with the same inputs and options."""
    if not job.output.is_file():
        return False
    content, style = read_picture_file(job.content), read_picture_file(job.style)
    asked = make_record(job.options, content, [style], job.weights, "any")
    found = read_record(job.output)
    same = ("stylejax", "content", "styles", "weights", "options")
    return all(asked[key] == found.get(key) for key in same)


def make(job: Job, reuse: bool) -> tuple[Pixels, dict[str, Any]]:
    """The job's picture and the transfer's own account of it, of which a file is kept beside it."""
    account = job.output.with_suffix(".json")
    if not (reuse and is_made(job)):
        sys.stderr.write(f"{job.output.stem}\n")
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = stylejax_main([*job.arguments, "--quiet", "--json"])
        if code:
            raise SystemExit(code)
        replace_file(account, said.getvalue().encode())
    spent = json.loads(account.read_text()) if account.is_file() else {}
    return read_picture(job.output).pixels, spent
