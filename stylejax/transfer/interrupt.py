"""An interrupt (Ctrl-C, or a notebook's stop button) asks for an end instead of breaking off."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """While this lasts, a first SIGINT only makes the yielded function return True.

    So it never falls between taking a solver's state and putting the next one in its place. A
    second one raises KeyboardInterrupt as ever. A handler that is not Python's own is called as
    well. Outside of the main thread, where none can be installed, and where SIGINT is ignored,
    everything stays as it is.
    """
    asked: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: FrameType | None) -> None:
        if callable(before) and (asked or before is not signal.default_int_handler):
            before(number, frame)
        asked.append(number)

    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
