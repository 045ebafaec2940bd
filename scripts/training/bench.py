"""What a training works with, put together while programs are compiled and pictures decoded."""

import hashlib
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from stylejax.errors import InputError
from training.archives import TILE, Contents, Pictures, decode, painted_tiles, survey
from training.distillation import LOGITS, TAPS, Student
from training.googlenet import read_googlenet
from training.options import Options
from training.pictures import Crops, plan
from training.programs import Programs, compile_programs, everywhere
from training.schedule import WRITING, Deadline


class Bench(NamedTuple):
    """What a training works with.

    Both sets of pictures and the teacher lie on all devices. `stop` says whether the process is
    asked to end.
    """

    options: Options
    programs: Programs
    pictures: Pictures
    held_out: Pictures
    teacher: Any
    deadline: Deadline
    settings: dict[str, Any]
    stop: Callable[[], bool]


def say(text: str) -> None:
    """A line for the user."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def ready(program: Future, deadline: Deadline) -> Any:
    """A program, once it is compiled.

    Raises:
        InputError: the deadline comes first.
    """
    left = deadline.left() - WRITING
    try:
        return program.result(None if left == float("inf") else max(0.0, left))
    except NotYet as error:
        raise InputError("--deadline is over before all is compiled: give it more time") from error


def learning_crops(bench: Bench, number: int, *, vary: bool) -> Crops:
    """A batch of crops of the pictures to learn from, the same for the same number."""
    draw = ready(bench.programs.draw, bench.deadline)
    seed = np.uint32(bench.options.seed)
    return draw(bench.pictures, seed, np.uint32(number), np.bool_(vary))


def file_sums(paths: Sequence[Path]) -> dict[str, str]:
    """The sha256 of each file, by its name."""
    sums = {}
    for path in paths:
        with path.open("rb") as file:
            sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def run_settings(options: Options) -> dict[str, Any]:
    """What a run must have in common with the one that it continues."""
    names = ("steps", "settle_steps", "batch", "size", "learning_rate", "settle_learning_rate")
    names += ("averaging", "statistics", "precision", "sample", "held_out", "painted", "seed")
    files = [options.teacher, *options.train, *options.validation]
    files += [options.start] if options.start else []
    settings = {name: getattr(options, name) for name in names}
    return settings | {"tap_weights": list(options.tap_weights), "files": file_sums(files)}


def _described(contents: Contents, painted: int = 0) -> Pictures:
    """The shapes of the pictures before they are decoded."""
    pixels = sum(height * width for _, _, height, width in contents.photographs)
    tiles = (len(contents.tiles) + painted, TILE, TILE, 3)
    shapes = (tiles, (pixels, 3), (len(contents.photographs), 3))
    kinds = (np.uint8, np.uint8, np.int32)
    return Pictures(*map(jax.ShapeDtypeStruct, shapes, kinds))  # type: ignore[arg-type]


def _decoded(contents: Contents, painted: int = 0, seed: int = 0) -> Pictures:
    pictures = decode(contents)
    if painted:
        tiles = np.concatenate([pictures.tiles, painted_tiles(painted, seed)])
        pictures = pictures._replace(tiles=tiles)
    return everywhere(pictures)


def set_up(
    options: Options, student: Student, deadline: Deadline, stop: Callable[[], bool]
) -> Bench:
    """Read everything and begin to compile.

    Args:
        options: as they were checked.
        student: one with heads, of the shapes to compile for.
        deadline: of the run.
        stop: whether the process is asked to end.

    Raises:
        InputError: a file is missing or damaged, or no picture is large enough.
    """
    teacher = read_googlenet(options.teacher)
    settings = run_settings(options)
    learning, held_out = survey(options.train), survey(options.validation)
    batch, tiles = options.batch, len(learning.tiles) + options.painted
    plans = (
        plan(batch, options.size, tiles, learning.sides),
        plan(batch, options.size, len(held_out.tiles), held_out.sides),
    )
    deviations = {tap: student.heads[tap]["bias"] for tap in TAPS}
    shapes = (_described(learning, options.painted), _described(held_out))
    programs = compile_programs(options, student, teacher, deviations, shapes, plans)
    pictures = _decoded(learning, options.painted, options.seed)
    say(
        f"{len(learning.tiles):,} tiles and {len(learning.photographs):,} photographs to learn "
        f"from, {len(held_out.tiles):,} and {len(held_out.photographs):,} held out; heads: "
        f"{', '.join((*TAPS.values(), LOGITS))}"
    )
    return Bench(
        options=options,
        programs=programs,
        pictures=pictures,
        held_out=_decoded(held_out),
        teacher=everywhere(teacher),
        deadline=deadline,
        settings=settings,
        stop=stop,
    )
