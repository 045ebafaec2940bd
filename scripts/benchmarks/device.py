"""All that is measured on an accelerator, by one command that may be cut short.

Each step is a process of its own with a time limit, the most valuable first; `device.json` is
written anew after each. What cannot be measured stands under `skipped` with its reason. With
`--tiny` all steps run through at sizes that a CPU does in a minute.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

KEYS = ("versions", "device", "cold", "cached", "equal_bytes", "evaluation", "lanes", "memory")
KEYS += ("large", "skipped")
SCRIPT = Path(__file__).resolve().parent.parent / "benchmark.py"
_SECONDS_TO_START = 5.0
"""A step is not begun with less time left."""


class Step(NamedTuple):
    """One measurement: where its figures go, the words of its command, and its seconds at most."""

    key: str
    name: str
    words: tuple[str, ...]
    seconds: float
    needs: str = ""


def _transfer(size: int, tiny: bool, *words: str) -> tuple[str, ...]:
    return ("programs", "--size", str(size), *words, *(("--shallow",) if tiny else ()))


def steps(folder: Path, tiny: bool) -> Iterator[Step]:
    """All steps, the most valuable first."""
    size = 64 if tiny else 512
    shallow = ("--shallow",) if tiny else ()
    few = ("--iterations", "2" if tiny else "6", "--levels", "1")
    whole = ("--iterations", "4") if tiny else ()
    for key in ("cold", "cached"):
        output = ("-o", str(folder / f"{key}.png"))
        yield Step(key, "default", _transfer(size, tiny, *whole, *output), 300)
    evaluation = ("evaluation", "--iterations", "0", "--repeats", "3" if tiny else "7", *shallow)
    for side in (size,) if tiny else (512, 1024):
        words = (*evaluation, "--size", str(side), "--programs", "ours")
        yield Step("evaluation", str(side), words, 180)
    plain = (*evaluation, "--size", str(size), "--programs", "ours", "--kernels", "plain")
    yield Step("evaluation", f"{size}, plain kernels", plain, 180)
    lanes = ("sweep", "--lanes", "2" if tiny else "8", "--size", str(size), *shallow)
    repeats = ("--repeats", "1", "--iterations", "3" if tiny else "40")
    yield Step("lanes", str(size), (*lanes, *repeats), 240)
    for key, sides in (("memory", (1024, 2048, 4096)), ("large", (4096, 8192))):
        for side in (96 if key == "large" else 64,) if tiny else sides:
            output = ("-o", str(folder / f"{side}.png")) if key == "large" else ()
            yield Step(key, str(side), _transfer(side, tiny, *few, *output), 240)
    if not tiny:
        for side in (512, 1024):
            words = (*evaluation, "--size", str(side), "--programs", "ours", "torch_eager")
            yield Step("evaluation", f"{side}, beside eager", words, 240, "torch")
    output = ("-o", str(folder / "bfloat16.png"))
    bfloat16 = ("--precision", "bfloat16", *whole, *output)
    yield Step("cold", "bfloat16", _transfer(size, tiny, *bfloat16), 240)
    if not tiny:
        for name in ("universal", "feedforward"):
            yield Step("evaluation", name, (name, "--size", "512"), 120)
        words = (*evaluation, "--size", "512", "--programs", "ours", "torch_compile")
        yield Step("evaluation", "512, beside torch.compile", words, 400, "torch")


def _run(words: tuple[str, ...], seconds: float, folder: Path) -> dict[str, Any] | str:
    """The report of a subcommand of `benchmark.py`, or why there is none."""
    surroundings = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=surroundings,
        # So that what it has started ends with it.
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"not done after {seconds:.0f} s"
    if process.returncode:
        said = errors.strip().splitlines() or ["nothing said"]
        return f"exit code {process.returncode}: {said[-1]:.300}"
    return json.loads(output.strip().splitlines()[-1])


class _Report:
    """The figures so far, on the disk whole at any moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.figures: dict[str, Any] = {key: {} for key in KEYS} | {"equal_bytes": None}

    def write(self) -> None:
        temporary = self.folder / "device.json.part"
        temporary.write_text(json.dumps(self.figures, indent=2), encoding="utf-8")
        temporary.replace(self.folder / "device.json")

    def add(self, step: Step, result: dict[str, Any] | str, seconds: float) -> None:
        if isinstance(result, str):
            self.figures["skipped"][f"{step.key}: {step.name}"] = result
        else:
            self.figures[step.key][step.name] = result | {"seconds_of_step": seconds}
        pictures = [self.folder / f"{key}.png" for key in ("cold", "cached")]
        if all(path.exists() for path in pictures):
            first, second = (path.read_bytes() for path in pictures)
            self.figures["equal_bytes"] = first == second
        self.write()


def benchmark_device(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures that there was time for."""
    end = time.monotonic() + 60.0 * arguments.deadline
    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    report = _Report(folder)
    report.write()
    facts = _run(("facts",), min(120.0, max(1.0, end - time.monotonic())), folder)
    if isinstance(facts, str):
        report.figures["skipped"]["device"] = facts
    else:
        report.figures |= facts
    for step in steps(folder, arguments.tiny):
        left = end - time.monotonic()
        began = time.monotonic()
        if step.needs and find_spec(step.needs) is None:
            result = f"{step.needs} is not installed"
        elif left < _SECONDS_TO_START:
            result = "no time left"
        else:
            sys.stderr.write(f"{step.key}: {step.name} ...\n")
            result = _run(step.words, min(step.seconds, left), folder)
        report.add(step, result, time.monotonic() - began)
    return report.figures


def add_parser(commands: Any) -> None:
    """Register the subcommand."""
    parser = commands.add_parser("device", help="all that is to be known of an accelerator")
    parser.add_argument("--deadline", type=float, required=True, help="minutes for all steps")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for device.json")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to try the command")
    parser.set_defaults(run=benchmark_device)
