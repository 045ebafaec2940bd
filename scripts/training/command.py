"""One run of `pretrain.py` from its options to its files."""

import json
import time
from collections.abc import Callable
from typing import Any

import jax

from stylejax.images.files import replace_file
from stylejax.networks.layers import DENSENET121, Architecture
from training.bench import Bench, say, set_up
from training.checkpoint import Run, checkpoint_path, read_checkpoint
from training.distillation import Student, architecture_of, init_heads, init_student
from training.judging import unexplained
from training.loop import first_run, train
from training.options import Options, checked
from training.pictures import SHARES
from training.schedule import Deadline
from training.weight_file import file_metadata, read_start, recipes, student_file


def _beginning(options: Options, architecture: Architecture) -> tuple[Student, dict[str, str]]:
    """The student that a run starts from, on the host, and what its file says of itself."""
    key = jax.random.key(options.seed)
    if options.start is None:
        return jax.device_get(init_student(key, architecture)), {}
    student, start = read_start(options.start)
    heads = jax.device_get(jax.jit(init_heads, static_argnums=1)(key, architecture_of(student)))
    return student._replace(heads=heads), start


def _recipe(bench: Bench, run: Run) -> dict[str, Any]:
    """What this run adds to the history in the weight file.

    Not the time that it took: a run that was stopped and continued gives the same bytes.
    """
    options, progress = bench.options, run.progress
    names = ("batch", "size", "learning_rate", "settle_learning_rate", "averaging", "statistics")
    names += ("precision", "painted", "seed")
    devices = jax.devices()
    return {
        "machine": f"{len(devices)} x {devices[0].device_kind}",
        "minutes": options.deadline,
        "steps": progress.steps,
        "pictures": progress.pictures,
        "kept": progress.kept,
        **{name: getattr(options, name) for name in names},
        "tap_weights": list(options.tap_weights),
        "shares": SHARES._asdict(),
        "files": bench.settings["files"],
    }


def _report(bench: Bench, run: Run, recipe: dict[str, Any]) -> dict[str, Any]:
    progress, options = run.progress, bench.options
    before, after = progress.figures["start"], progress.figures[progress.kept]
    return {
        "before": before,
        "after": after,
        "unexplained_before": unexplained(before, options.tap_weights),
        "unexplained_after": unexplained(after, options.tap_weights),
        "stages": {name: figures for name, figures in progress.figures.items() if name != "start"},
        "held_out_crops": options.held_out,
        "crop_size": options.size,
        "recipe": recipe,
    }


def pretrain(
    options: Options,
    begun: float,
    stop: Callable[[], bool] = lambda: False,
    architecture: Architecture = DENSENET121,
) -> dict[str, Any]:
    """Train, and write the weight file with its report beside it.

    Args:
        options: from the command line.
        begun: when the deadline's minutes began, by `time.monotonic`.
        stop: asked after each step whether to end, with a checkpoint.
        architecture: of a student of random numbers.

    Returns:
        The report: explained variance before and after on the same held-out crops, by stage, and
        the recipe. What is written is never worse than the start, by the weighted sum.

    Raises:
        InputError: the options do not go together, a file cannot be used, the deadline is too soon.
        Stopped: the process was asked to end.
    """
    options = checked(options)
    student, start = _beginning(options, architecture)
    bench = set_up(options, student, Deadline.of(options.deadline, begun), stop)
    if options.resume:
        run = read_checkpoint(checkpoint_path(options.out), bench.settings, student)
    else:
        run = first_run(bench, student)
    run = train(bench, run)
    recipe = _recipe(bench, run)
    report = _report(bench, run, recipe) | {"minutes": (time.monotonic() - begun) / 60.0}
    learnt = run.progress.kept != "start"
    if not learnt:
        say("nothing better was found: the file holds the numbers that the run started from")
    history = [*recipes(start), *([recipe] if learnt else [])]
    archives = ", ".join(path.name for path in options.train)
    data = options.data or "; ".join(filter(None, (start.get("data"), f"pictures of {archives}")))
    metadata = file_metadata(start, history, data, architecture_of(student))
    replace_file(options.out, student_file(run.kept, metadata))
    replace_file(options.out.with_suffix(".json"), json.dumps(report, indent=2).encode())
    checkpoint_path(options.out).unlink(missing_ok=True)
    return report
