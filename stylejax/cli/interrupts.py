"""Ctrl-C: answered at once, whatever the program is at; a second one ends it.

Python looks after signals between two of its own instructions, and not while XLA compiles. So a
thread waits for them, which the C library wakes.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import FrameType

from stylejax.cli.screen import complain

INTERRUPTED = 130
SECONDS_OF_PATIENCE = 0.3
"""Nothing is said of a first Ctrl-C that has ended the run before."""
SECONDS_OF_QUIET_PATIENCE = 1.0
_ANSWER = "interrupted: ends when what is running now has ended; Ctrl-C again ends at once"
_SHOW_CURSOR = "\x1b[?25h"
_is_ours: ContextVar[bool] = ContextVar("is_ours", default=False)
"""Whether the process may be ended."""


def _can_handle() -> bool:
    return threading.current_thread() is threading.main_thread()


def _end_now(say: Callable[[], str]) -> None:
    """End the process, without what an orderly end would wait for or trip over."""
    with contextlib.suppress(Exception):
        if sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write(f"{_SHOW_CURSOR}\n")
        complain(say())
    os._exit(INTERRUPTED)


def _watch(signals: socket.socket, say: Callable[[], str], patience: float, ends: bool) -> None:
    """Answer the signals whose numbers come in; where `ends`, a second one ends the process."""
    count, answered = 0, False
    while numbers := signals.recv(64):
        for number in numbers:
            if number != signal.SIGINT:
                continue
            count += 1
            if count > 1 and ends:
                _end_now(say)
        if count and not answered:
            answered = True
            # A second signal, or the end of what is watched, comes before this has passed or not.
            signals.settimeout(patience)
            try:
                if not signals.recv(1, socket.MSG_PEEK):
                    return
            except TimeoutError:
                complain(_ANSWER)
            finally:
                signals.settimeout(None)


@contextlib.contextmanager
def answered_interrupts(
    say: Callable[[], str], *, patience: float = SECONDS_OF_PATIENCE, ends: bool
) -> Iterator[None]:
    """While this lasts, Ctrl-C is answered, and a second one ends the process where `ends` is true.

    What else a signal does stays as it is. Outside of the main thread, where no signal arrives,
    this does nothing.

    Args:
        say: what is said when the process is ended.
        patience: seconds that the run has to end before an answer.
        ends: whether this process is ours to end.
    """
    if not _can_handle():
        yield
        return
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(
        target=_watch, args=(receiver, say, patience, ends), daemon=True, name="interrupts"
    )
    watcher.start()
    ours = _is_ours.set(ends)
    try:
        yield
    finally:
        _is_ours.reset(ours)
        signal.set_wakeup_fd(before)
        sender.close()
        watcher.join()
        receiver.close()


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """While this lasts, Ctrl-C ends a process that is ours, without an exception.

    It would come out of the depths of a library, as whatever that makes of it.
    """
    catches = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not (_is_ours.get() and catches and _can_handle()):
        yield
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: _end_now(lambda: "interrupted"))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def graceful_interrupts() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C ask for an end between steps, by the function that is yielded.

    A second one raises KeyboardInterrupt, where the process has not been ended by then.
    """
    if not _can_handle():
        yield lambda: False
        return
    asked: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
