"""kill -9 at random moments of small runs, which go on until they are done, to the same bytes.

A third of the kills come at a random second of the run, so that reading, compiling and solving
have their share; the others just before or after a random call that puts a file on the disk or
takes it away, where a run spends little time and a kill would hurt most. A run that has a
checkpoint goes on from it by `--resume`, one that has none begins anew, as its message says.
"""

import os
import random
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from campaigns.starter import MOMENTS, NEVER, SCRIPTS, Ended, Kill, Starter

_SHARE_BY_CLOCK = 1 / 3
_SHALLOW = ["--content-layers", "pool1", "--style-layers", "input,conv1_relu", "--quiet"]
_MANY = 20
"""Kills, from which on it pays to find out how long a run takes when all is compiled."""


class Job(NamedTuple):
    """A command line without its inputs, the file that says it can go on, and what it leaves."""

    name: str
    arguments: tuple[str, ...]
    checkpoint: str
    results: tuple[str, ...]


_ITERATIONS = 6
JOBS = (
    Job(
        "transfer",
        ("-o", "out.png", "--size", "96", "--levels", "2", "--iterations", f"{_ITERATIONS}")
        + ("--save-every", "2", "--history", "out.csv"),
        "out.png.checkpoint.npz",
        ("out.png", "out.csv", *(f"out-{n:04d}.png" for n in range(2, _ITERATIONS + 1, 2))),
    ),
    Job(
        "sweep",
        ("-o", "grid", "--size", "48", "--levels", "1", "--iterations", "3")
        + ("--style-weight", "5,20", "--tv-weight", "0,50"),
        "grid/sweep.checkpoint.npz",
        ("grid/contact-sheet.png",)
        + tuple(f"grid/style-weight-{s}_tv-weight-{t}.png" for s in (5, 20) for t in (0, 50)),
    ),
)


def _arguments(job: Job) -> list[str]:
    weights = SCRIPTS.parent / "weights" / "densenet121-random.safetensors"
    # In an installed package the same file has its name alone.
    named = str(weights) if weights.exists() else weights.stem
    pictures = ["../photo.png", "../painting.png"]
    return [job.name, *pictures, *job.arguments, *_SHALLOW, "--weights", named]


def write_pictures(folder: Path) -> None:
    """Write a small photograph and a small painting."""
    rows, columns = np.mgrid[0:72, 0:96]
    waves = [np.sin(rows / 7), np.cos(columns / 5), np.sin((rows + columns) / 9)]
    samples = (127 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)
    Image.fromarray(samples).save(folder / "photo.png")
    Image.fromarray(np.ascontiguousarray(samples[::-1, :, ::-1])).save(folder / "painting.png")


def _contents(folder: Path, job: Job) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in job.results if (folder / name).exists()}


def _kills(seed: int, seconds: float, moments: int) -> Iterator[Kill]:
    """When to kill the next run, which takes so long and has so many moments at the disk."""
    randomness = random.Random(seed)
    while True:
        if randomness.random() < _SHARE_BY_CLOCK:
            yield Kill(after=randomness.uniform(0.001, seconds))
        else:
            yield Kill(at=randomness.randint(1, moments))


class _Round:
    """One run, killed at least once and resumed until it is done."""

    def __init__(self, starter: Starter, folder: Path, job: Job) -> None:
        self.starter, self.folder, self.job = starter, folder, job
        folder.mkdir()

    def again(self, kill: Kill = NEVER) -> Ended:
        """Start or resume it."""
        resume = ["--resume"] if (self.folder / self.job.checkpoint).exists() else []
        if self.job.name == "sweep" and (self.folder / "grid").exists():
            resume = ["--resume"]
        return self.starter.run(self.folder, _arguments(self.job) + resume, kill)

    def wrong(self, expected: dict[str, bytes]) -> str | None:
        """What is wrong with what it has left, if anything."""
        seen = _contents(self.folder, self.job)
        for name, content in expected.items():
            if seen.get(name) != content:
                return f"{name} is {'missing' if name not in seen else 'another one'}"
        left = [path.name for path in self.folder.rglob("*") if path.name.endswith(".tmp")]
        left += [self.job.checkpoint] if (self.folder / self.job.checkpoint).exists() else []
        return f"{left[0]} is left" if left else None


def _killed_until_done(round_: _Round, planned: Iterator[Kill], most: int) -> tuple[int, Ended]:
    """Kill a run as planned, up to so many times; the kills, and how it ended."""
    kills = 0
    while kills < most:
        ended = round_.again(next(planned))
        if ended.code != -signal.SIGKILL:
            return kills, ended
        kills += 1
    return kills, round_.again()


class _Planned(NamedTuple):
    """A job, what it leaves where nothing disturbs it, and when its runs are killed."""

    job: Job
    expected: dict[str, bytes]
    kills: Iterator[Kill]


def _plan(starter: Starter, base: Path, job: Job, seed: int, *, warm: bool) -> _Planned:
    """Run a job undisturbed; where `warm`, once more, to know how long it takes when compiled."""
    folder = base / f"cold-{job.name}"
    folder.mkdir()
    ended = starter.run(folder, _arguments(job))
    if warm:
        folder = base / f"warm-{job.name}"
        folder.mkdir()
        ended = starter.run(folder, _arguments(job))
    expected = _contents(folder, job)
    if ended.code or len(expected) < len(job.results):
        raise RuntimeError(f"{job.name}, undisturbed: {(folder / 'log.txt').read_text()}")
    moments = int((folder / MOMENTS).read_text())
    return _Planned(job, expected, _kills(seed, ended.seconds, moments))


def run(rounds: int = 200, seed: int = 0, jobs: Sequence[Job] = JOBS) -> tuple[int, int]:
    """Kill runs so many times in all; returns the kills and the runs that ended wrong."""
    base = Path(tempfile.mkdtemp(prefix="stylejax-kills-"))
    starter = Starter(Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or base / "compiled"))
    kills, wrong, number = 0, 0, 0
    try:
        write_pictures(base)
        plans = [_plan(starter, base, job, seed, warm=rounds >= _MANY) for job in jobs]
        while kills < rounds:
            job, expected, planned = plans[number % len(plans)]
            folder = base / f"round-{number}"
            round_ = _Round(starter, folder, job)
            done, ended = _killed_until_done(round_, planned, min(3, rounds - kills))
            reason = round_.wrong(expected) if ended.code == 0 else f"exit code {ended.code}"
            if reason is not None:
                wrong += 1
                said = (folder / "log.txt").read_text().strip().splitlines()[-1:]
                print(f"{job.name}, round {number} of seed {seed}: {reason} {said}")
            kills, number = kills + done, number + 1
            shutil.rmtree(folder)
    finally:
        starter.close()
        shutil.rmtree(base, ignore_errors=True)
    return kills, wrong
