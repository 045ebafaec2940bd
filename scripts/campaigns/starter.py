"""Runs of the command line, each in a fork of one process that has everything imported.

Starting Python and importing JAX takes longer than all the rest of a small run. Nothing of JAX has
been used when the process is forked, no thread is there, and what is killed is a process like any
other.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

SCRIPTS = Path(__file__).resolve().parent.parent
MOMENTS = "moments.txt"
"""The file with the number of a run's moments at the disk, where it has not been killed."""
_LIMIT_SECONDS = 900.0


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
        Path(MOMENTS).write_text(str(moments()))
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
        code += "from campaigns.starter import serve; serve()"
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
