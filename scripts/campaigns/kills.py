"""kill -9 at random moments of small runs, which go on until they are done, to the same bytes.

A third of the kills come at a random second of the run, so that reading, compiling and solving
have their share; the others just before or after a random call that puts a file on the disk or
takes it away, where a run spends little time and a kill would hurt most. A run that has a
checkpoint goes on from it by `--resume`, one that has none begins anew, as its message says.

Starting Python and importing JAX takes longer than all the rest. So one process imports everything
and then is forked for each run; nothing of JAX has been used by then, no thread is there, and what
is killed is a process like any other.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from PIL import Image

SCRIPTS = Path(__file__).resolve().parent.parent
_SHARE_BY_CLOCK = 1 / 3
_SHALLOW = ["--content-layers", "pool1", "--style-layers", "input,conv1_relu", "--quiet"]
_LIMIT_SECONDS = 900.0
_MOMENTS = "moments.txt"
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
        + tuple(f"grid/style_weight={s},tv_weight={t}.png" for s in (5, 20) for t in (0, 50)),
    ),
)


class Kill(NamedTuple):
    """When a run is killed, where not 0: after some seconds, or at some moment at the disk."""

    after: float = 0.0
    at: int = 0


NEVER = Kill()


class Ended(NamedTuple):
    """How a run ended: its exit code, negative where a signal ended it, and how long it took."""

    code: int
    seconds: float


def _counted(kill_at: int) -> Callable[[], int]:
    """Count the moments before and after calls that change the disk; at one, kill this process.

    Returns:
        A function that says how many there were.
    """
    moments = [0]

    def tick() -> None:
        moments[0] += 1
        if moments[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(function: Callable) -> Callable:
        def call(*arguments: object, **named: object) -> object:
            tick()
            try:
                return function(*arguments, **named)
            finally:
                tick()

        return call

    for name in ("fsync", "mkdir", "replace", "unlink"):
        setattr(os, name, watched(getattr(os, name)))
    return lambda: moments[0]


def _child(folder: str, arguments: list[str], kill_at: int) -> None:
    """A run in a process of its own; does not return."""
    code = 70
    try:
        os.chdir(folder)
        log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        from stylejax.cli.entry import main

        moments = _counted(kill_at)
        code = main(arguments)
        Path(_MOMENTS).write_text(str(moments()))
    finally:
        os._exit(code)


def _waited(process: int, kill_after: float) -> Ended:
    """Wait for a run, and kill it after so many seconds, if that is not 0."""
    began = time.monotonic()
    limit = kill_after or _LIMIT_SECONDS
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return Ended(os.waitstatus_to_exitcode(status), time.monotonic() - began)
        if time.monotonic() - began > limit:
            os.kill(process, signal.SIGKILL)
            _, status = os.waitpid(process, 0)
            return Ended(os.waitstatus_to_exitcode(status), time.monotonic() - began)
        time.sleep(0.002)


def serve() -> None:
    """Run what lines of JSON on standard input ask for, each in a fork; answer in JSON."""
    import warnings

    import stylejax.cli.entry
    import stylejax.runs.checkpoint

    # A checkpoint after each look at the solver, so that small runs have them too.
    stylejax.runs.checkpoint.SECONDS_BETWEEN_CHECKPOINTS = 0.0
    stylejax.runs.checkpoint.CHECKPOINT_SHARE = float("inf")
    # JAX warns of forks, for the sake of threads that are not there yet.
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        folder, arguments, kill_after, kill_at = json.loads(line)
        process = os.fork()
        if process == 0:
            _child(folder, arguments, kill_at)
        sys.stdout.write(json.dumps(_waited(process, kill_after)) + "\n")
        sys.stdout.flush()


class Starter:
    """A process that has everything imported and starts runs."""

    def __init__(self, compiled: Path) -> None:
        """Start it; `compiled` is the folder of compiled programs for all runs."""
        code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); "
        code += "from campaigns.kills import serve; serve()"
        settings = {
            "JAX_COMPILATION_CACHE_DIR": str(compiled),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
            "PYTHONPATH": os.pathsep.join([str(SCRIPTS.parent), os.environ.get("PYTHONPATH", "")]),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **settings},
        )

    def _streams(self) -> tuple[IO[str], IO[str]]:
        assert self.process.stdin is not None and self.process.stdout is not None
        return self.process.stdin, self.process.stdout

    def run(self, folder: Path, arguments: list[str], kill: Kill = NEVER) -> Ended:
        """Run a command line in a folder, to its end or until it is killed."""
        to, back = self._streams()
        to.write(json.dumps([str(folder), arguments, *kill]) + "\n")
        to.flush()
        return Ended(*json.loads(back.readline()))

    def close(self) -> None:
        """End the process."""
        for stream in self._streams():
            stream.close()
        self.process.wait(timeout=60)


def _arguments(job: Job) -> list[str]:
    weights = SCRIPTS.parent / "weights" / "densenet121-random.safetensors"
    # In an installed package the same file has its name alone.
    named = str(weights) if weights.exists() else weights.stem
    pictures = ["../photo.png", "../painting.png"]
    return [job.name, *pictures, *job.arguments, *_SHALLOW, "--weights", named]


def _write_pictures(folder: Path) -> None:
    rows, columns = np.mgrid[0:72, 0:96]
    waves = [np.sin(rows / 7), np.cos(columns / 5), np.sin((rows + columns) / 9)]
    samples = np.uint8(127 + 100 * np.stack(waves, axis=-1))
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
    for name in ("cold", "warm")[: 1 + warm]:
        folder = base / f"{name}-{job.name}"
        folder.mkdir()
        ended = starter.run(folder, _arguments(job))
    expected = _contents(folder, job)
    if ended.code or len(expected) < len(job.results):
        raise RuntimeError(f"{job.name}, undisturbed: {(folder / 'log.txt').read_text()}")
    moments = int((folder / _MOMENTS).read_text())
    return _Planned(job, expected, _kills(seed, ended.seconds, moments))


def run(rounds: int = 200, seed: int = 0, jobs: Sequence[Job] = JOBS) -> tuple[int, int]:
    """Kill runs so many times in all; returns the kills and the runs that ended wrong."""
    base = Path(tempfile.mkdtemp(prefix="stylejax-kills-"))
    starter = Starter(Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or base / "compiled"))
    kills, wrong, number = 0, 0, 0
    try:
        _write_pictures(base)
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
