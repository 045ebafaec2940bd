"""Downloading a file from the first of several places that has it whole."""

import contextlib
import http.client
import queue
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stylejax.errors import InputError
from stylejax.version import VERSION

SECONDS_TO_ANSWER = 2.5
"""All places together have this long to begin to answer: five seconds, less those that Python takes
to start."""
# A server that sends nothing for this long has hung up without a word.
_SECONDS_OF_SILENCE = 30.0
# In bytes: a quarter of a mebibyte, after which progress is told.
_CHUNK = 2**18

Progress = Callable[[int, int | None], None]
"""Gets the bytes so far, and the bytes in all where they are known."""


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    inner = getattr(error, "reason", error)
    return str(getattr(inner, "strerror", None) or inner or type(inner).__name__)


def answers(urls: Sequence[str]) -> Generator[tuple[str, Any], None, None]:
    """Ask all addresses at once; yields each, in order, with its response or an exception.

    A thread each, since looking up a name or a silent network can hold one for minutes. Responses
    that are not taken are closed in the end.
    """
    answered: dict[str, queue.SimpleQueue[Any]] = {url: queue.SimpleQueue() for url in urls}
    over = threading.Event()

    def ask(url: str) -> None:
        try:
            request = urllib.request.Request(url, headers={"User-Agent": f"stylejax/{VERSION}"})
            response = urllib.request.urlopen(request, timeout=_SECONDS_OF_SILENCE)
        except Exception as error:  # Handed over, whatever it is.
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            answered[url].put(error)
            return
        answered[url].put(response)
        if over.is_set():
            response.close()

    deadline = time.monotonic() + SECONDS_TO_ANSWER
    for url in urls:
        threading.Thread(target=ask, args=(url,), daemon=True).start()
    try:
        for url in urls:
            try:
                yield url, answered[url].get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                yield url, TimeoutError("no answer")
    finally:
        over.set()
        for answer in answered.values():
            with contextlib.suppress(queue.Empty):
                left = answer.get_nowait()
                if hasattr(left, "close"):
                    left.close()


def check_reachable(url: str) -> None:
    """Find out whether anything answers at an address, be it an error.

    Raises:
        InputError: nothing does, within the time that all places are given.
    """
    with contextlib.closing(answers([url])) as answered:
        _, answer = next(answered)
        if not isinstance(answer, BaseException | urllib.error.HTTPError):
            answer.close()
        elif not isinstance(answer, urllib.error.HTTPError):
            raise InputError(f"{urlsplit(url).netloc}: {_reason(answer)}")


def check_length(length: int, most: int) -> None:
    """Refuse a file that is longer than the published one.

    Raises:
        InputError: says both lengths.
    """
    if length > most:
        raise InputError(f"{length:,} bytes and more, but the published file has {most:,} at most")


def _save(response: Any, path: Path, progress: Progress, most: int) -> None:
    total = response.headers.get("Content-Length")
    expected = None if total is None else int(total)
    check_length(expected or 0, most)
    done = 0
    with path.open("wb") as file:
        while chunk := response.read(_CHUNK):
            done += len(chunk)
            check_length(done, most)
            file.write(chunk)
            progress(done, expected)
    if expected is not None and done != expected:
        raise InputError(f"ended after {done} of {expected} bytes")


def download_file(
    urls: Sequence[str],
    path: Path,
    check: Callable[[Path], None],
    progress: Progress,
    most: int = sys.maxsize,
) -> str:
    """Save a file from the first address that has it and passes `check`; returns the address.

    `check` raises InputError for a file that is not the right one: then the next address is tried,
    as after one of more than `most` bytes, of which no more are saved.

    Raises:
        InputError: none has it; the message has the reason of each. Nothing is left at `path`.
    """
    reasons: list[str] = []
    with contextlib.closing(answers(urls)) as answered:
        for url, answer in answered:
            host = urlsplit(url).netloc
            if isinstance(answer, BaseException):
                reasons.append(f"{host}: {_reason(answer)}")
                continue
            try:
                with answer:
                    _save(answer, path, progress, most)
                check(path)
                return url
            except (ValueError, OSError, http.client.HTTPException) as error:
                path.unlink(missing_ok=True)
                reasons.append(f"{host}: {_reason(error)}")
    raise InputError("; ".join(dict.fromkeys(reasons)))
