"""Pictures to be made by the command line: planned, checked, made, and kept for reuse."""

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
from stylejax.cli.commands import Transfer, Universal
from stylejax.cli.entry import main as stylejax_main
from stylejax.cli.parse import parse_command
from stylejax.errors import InputError
from stylejax.images.files import replace_file
from stylejax.images.read import read_picture, read_picture_file
from stylejax.networks.layers import canonical_layers
from stylejax.runs.metadata import (
    TRANSFER,
    UNIVERSAL,
    Record,
    file_entry,
    make_record,
    make_universal_record,
    read_record,
)
from stylejax.types import Pixels
from stylejax.universal.decoder_weights import read_decoders
from stylejax.universal.options import LEVEL_NAMES
from stylejax.weights.read import Weights, read_weights
from stylejax.weights.zoo import find_weights


class Method(NamedTuple):
    """A way to make a picture: a name, and options as `stylejax transfer` takes them.

    Options that begin with `universal` are those of `stylejax universal` instead. Methods that
    differ by their style weight alone are points of one `curve`.
    """

    name: str
    options: tuple[str, ...]
    curve: str

    @property
    def command(self) -> list[str]:
        """The words of the command but for its pictures and their size."""
        is_named = self.options[:1] == (UNIVERSAL,)
        return list(self.options) if is_named else [TRANSFER, *self.options]


def swept_methods(name: str, options: Sequence[str]) -> list[Method]:
    """The method of these options; of several style weights, 5,20,80, one for each."""
    for at, option in enumerate(options):
        weights = options[at + 1].split(",") if option == "--style-weight" else []
        if len(weights) > 1:
            return [
                Method(f"{name}-{weight}", (*options[: at + 1], weight, *options[at + 2 :]), name)
                for weight in weights
            ]
    return [Method(name, tuple(options), name)]


class Job(NamedTuple):
    """One picture to be made: the command's arguments, and what they come to.

    `layers` are those of the network that are looked at, `record` is what the picture will say of
    itself.
    """

    arguments: list[str]
    content: Path
    style: Path
    output: Path
    layers: tuple[str, ...]
    record: Record
    weights: Weights


_read_weights, _read_decoders = cache(read_weights), cache(read_decoders)


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
    name, *options = method.command
    arguments = [name, str(content), str(style), "-o", str(output), *options]
    arguments += ["--size", str(given.size)]
    command = parse_command(arguments)
    files = read_picture_file(content), read_picture_file(style)
    if isinstance(command, Universal):
        weights = _read_weights(find_weights(command.weights))
        decoders = _read_decoders(command.decoders, encoder=weights.sha256)
        entries = [file_entry(file) for file in files]
        of_decoders = {"name": decoders.name, "sha256": decoders.sha256}
        record = make_universal_record(
            command.options.flat, entries[0], entries[1:], weights, of_decoders, "any"
        )
        return Job(arguments, content, style, output, LEVEL_NAMES, record, weights)
    assert isinstance(command, Transfer)
    weights = _read_weights(find_weights(command.weights), network=command.network)
    loss = command.options.loss
    kinds = (loss.content_layers, loss.style_layers)
    looked_at = {layer for kind in kinds for layer in canonical_layers(kind, weights.architecture)}
    record = make_record(command.options, files[0], [files[1]], weights, "any")
    return Job(arguments, content, style, output, tuple(looked_at), record, weights)


def check_independent(job: Job, judges: Sequence[Judge]) -> None:
    """Refuse a judge that looks at what was optimized.

    Raises:
        InputError: names the layers.
    """
    for judge in judges:
        shared = sorted(set(job.layers) & set(JUDGED_LAYERS[judge.network]))
        if shared and judge.sha256 == job.weights.sha256:
            raise InputError(
                f"--judge {judge.name} looks at {', '.join(shared)}, which {job.output.stem} "
                "optimizes: name the weights of another network"
            )


def is_made(job: Job) -> bool:
    """Whether the job's picture is there already, made with the same inputs and options."""
    if not job.output.is_file():
        return False
    found = read_record(job.output)
    same = ("stylejax", "method", "content", "styles", "weights", "decoders", "options")
    return all(job.record.get(key) == found.get(key) for key in same)


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
