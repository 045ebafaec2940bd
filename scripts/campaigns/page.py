"""kill -9 of `stylejax serve` while 50 clients watch a job and 20 wait, and a new start after it.

Then the page must be there again, with the finished picture byte for byte, and the job that was
under way with its checkpoint, to be resumed; the jobs that waited are done one after the other.
"""

import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from campaigns.kills import write_pictures
from campaigns.starter import SCRIPTS

_CLIENTS, _WAITING = 50, 20
_PATIENCE = 600.0
"""Seconds to wait for anything, on a busy machine."""
_SHALLOW = {
    "content_layers": ["pool1"],
    "style_layers": ["input", "conv1_relu"],
    "size": 64,
    "levels": 1,
}
_ENDLESS = {"iterations": 1_000_000, "solver": "adam"}


class _Wrong(Exception):
    """What is not as it should be."""


class _Server:
    """One life of the server on a folder, and what a browser asks of it."""

    def __init__(self, folder: Path) -> None:
        weights = SCRIPTS.parent / "weights" / "densenet121-random.safetensors"
        named = str(weights) if weights.exists() else weights.stem
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stylejax", "serve", "--port", "0", "--folder", str(folder)],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"STYLEJAX_WEIGHTS": named},
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        self.host = line.strip().rpartition("//")[2]

    def open(self, verb: str, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.host, timeout=_PATIENCE)
        connection.request(verb, path, body, {"Origin": f"http://{self.host}"})
        return connection.getresponse()

    def ask(self, path: str, body: bytes | None = None) -> Any:
        with self.open("GET" if body is None else "POST", path, body) as answer:
            return json.loads(answer.read())

    def send(self, picture: Path) -> str:
        return self.ask("/api/pictures", picture.read_bytes())["id"]

    def order(self, pictures: list[str], **values: object) -> str:
        order = {"method": "transfer", "content": pictures[0], "styles": pictures[1:]}
        order["values"] = _SHALLOW | values
        return self.ask("/api/jobs", json.dumps(order).encode())["id"]

    def wait(self, job: str, state: str) -> Any:
        deadline = time.monotonic() + _PATIENCE
        while (view := self.ask(f"/api/jobs/{job}"))["state"] != state:
            if view["state"] == "failed" or time.monotonic() > deadline:
                raise _Wrong(f"job is {view['state']}, not {state}: {view['message']}")
            time.sleep(0.1)
        return view

    def states(self) -> list[str]:
        return [job["state"] for job in self.ask("/api/jobs")]

    def file(self, job: str) -> bytes:
        result = self.ask(f"/api/jobs/{job}")["result"]
        with self.open("GET", f"/api/pictures/{result['id']}/file") as answer:
            return answer.read()


class _Clients:
    """So many who each follow a job's events and look at its previews until the server is gone."""

    def __init__(self, server: _Server, job: str) -> None:
        self.server, self.job = server, job
        self.events, self.previews = [0] * _CLIENTS, [0] * _CLIENTS
        for number in range(_CLIENTS):
            for work in (self._follow, self._look):
                threading.Thread(target=work, args=(number,), daemon=True).start()

    def _follow(self, number: int) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = self.server.open("GET", f"/api/jobs/{self.job}/events")
            while line := answer.readline():
                self.events[number] += line.startswith(b"event: progress")

    def _look(self, number: int) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                with self.server.open("GET", f"/api/jobs/{self.job}/preview") as answer:
                    self.previews[number] += answer.read()[:2] == b"\xff\xd8"

    def wait_until_all_see(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while min(*self.events, *self.previews) < 3:
            if time.monotonic() > deadline:
                raise _Wrong(f"events {min(self.events)}, previews {min(self.previews)} in all")
            time.sleep(0.1)


def _check(what: str, is_so: bool) -> None:
    if not is_so:
        raise _Wrong(what)


def _resumed_at(server: _Server, job: str) -> int:
    """Resume a job, and return the iteration with which it goes on."""
    server.ask(f"/api/jobs/{job}/resume", b"")
    answer = server.open("GET", f"/api/jobs/{job}/events")
    numbers = (json.loads(line[6:]) for line in _lines(answer) if line.startswith(b"data:"))
    at = next(each["iteration"] for each in numbers if "iteration" in each)
    server.ask(f"/api/jobs/{job}/stop", b"")
    server.wait(job, "stopped")
    return at


def _lines(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while line := answer.readline():
        yield line


def _round(folder: Path, randomness: random.Random) -> None:
    write_pictures(folder)
    kept = folder / "page"
    server = _Server(kept)
    try:
        pictures = [server.send(folder / name) for name in ("photo.png", "painting.png")]
        finished = server.order(pictures, iterations=5)
        server.wait(finished, "done")
        picture = server.file(finished)
        endless = server.order(pictures, **_ENDLESS)
        server.wait(endless, "running")
        waiting = [server.order(pictures, iterations=3, seed=n) for n in range(_WAITING)]
        clients = _Clients(server, endless)
        clients.wait_until_all_see()
        asked = time.monotonic()
        _check("queue", server.states().count("queued") == _WAITING)
        answered = time.monotonic() - asked
        time.sleep(randomness.uniform(0, 12))
    finally:
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
    print(
        f"{_CLIENTS} clients: {min(clients.events)} to {max(clients.events)} events with numbers, "
        f"{min(clients.previews)} to {max(clients.previews)} previews each; jobs answered in "
        f"{answered:.2f} s"
    )
    checkpoint = kept / "jobs" / endless / "result.png.checkpoint.npz"
    _check("no checkpoint", checkpoint.is_file())
    server = _Server(kept)
    try:
        with server.open("GET", "/") as answer:
            _check("no page", answer.status == 200)
        _check("another picture", server.file(finished) == picture)
        view = server.ask(f"/api/jobs/{endless}")
        _check(f"cut off and {view['state']}", view["state"] == "stopped" and view["can_resume"])
        for job in waiting:
            server.wait(job, "done")
        at = _resumed_at(server, endless)
        print(f"after kill -9: all there, {_WAITING} that waited are done, resumed at {at}")
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(_PATIENCE)


def run(rounds: int, seed: int) -> tuple[int, int]:
    """Kill so many servers; returns how many, and after how many something was not there."""
    randomness, wrong = random.Random(seed), 0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            try:
                _round(Path(folder), randomness)
            except _Wrong as error:
                print(error)
                wrong += 1
    return rounds, wrong
