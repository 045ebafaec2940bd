"""What happens to a job, as numbered events that any number of browsers follow."""

import asyncio
import json
import math
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple

SECONDS_BETWEEN_SIGNS = 15.0
"""So often a stream without news says that it is still there."""

Number = int | float
Numbers = Mapping[str, Number | Sequence[Number]]


class Event(NamedTuple):
    """Its name, and its numbers as JSON."""

    name: str
    data: str


def _finite(value: Number | Sequence[Number]) -> object:
    """JSON has no number for what is not finite: null."""
    if isinstance(value, (int, float)):
        return value if math.isfinite(value) else None
    return [_finite(each) for each in value]


class Feed:
    """The events of a job: written by its thread, followed by coroutines of whatever loops.

    Attributes:
        events: all so far; the first one has the number 1.
        version: grows with whatever followers wait for.
        closed: whether no more is to come, for now.
        followers: how many follow.
    """

    def __init__(self, events: Sequence[Event] = (), *, closed: bool = False) -> None:
        """Go on from the events of before."""
        self.events, self.version, self.closed = list(events), 0, closed
        self.followers = 0
        self._lock = threading.Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def publish(self, name: str, numbers: Numbers) -> None:
        """Tell all who follow."""
        data = json.dumps({key: _finite(value) for key, value in numbers.items()})
        self.events.append(Event(name, data))
        self.wake()

    def close(self) -> None:
        """Let all who follow go."""
        self.closed = True
        self.wake()

    def wake(self) -> None:
        """Have all who wait look again."""
        with self._lock:
            self.version += 1
            for loop, event in self._waiting:
                # A loop that has ended has nobody who waits.
                if not loop.is_closed():
                    loop.call_soon_threadsafe(event.set)

    async def wait(self, version: int, seconds: float) -> None:
        """Wait until there is more than there was at a version, or for so long."""
        waiter = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            if self.version != version:
                return
            self._waiting.add(waiter)
        try:
            await asyncio.wait_for(waiter[1].wait(), seconds)
        except TimeoutError:
            pass
        finally:
            with self._lock:
                self._waiting.discard(waiter)

    async def follow(self, after: int) -> AsyncIterator[str]:
        """The events behind a number as `text/event-stream`, as they come.

        A number that lies ahead is of another life of the server: all is told again then.
        """
        after = after if 0 <= after <= len(self.events) else 0
        self.followers += 1
        try:
            while True:
                version = self.version
                for event in self.events[after:]:
                    after += 1
                    yield f"id: {after}\nevent: {event.name}\ndata: {event.data}\n\n"
                if self.closed and after == len(self.events):
                    return
                await self.wait(version, SECONDS_BETWEEN_SIGNS)
                if self.version == version:
                    yield ": still here\n\n"
        finally:
            self.followers -= 1
