"""The picture of a running solve, made for those who look and for nobody else."""

import time
from collections.abc import Callable

from stylejax.images.encoding import encode_jpeg
from stylejax.page.feed import Feed
from stylejax.types import Pixels

PREVIEW_SIDE = 1024
"""Pixels of the longer side of a preview, at most."""
PREVIEW_SHARE = 0.02
"""Largest share of a run's processor seconds that its previews may take, but for the first one."""
SECONDS_TO_WAIT = 20.0
"""How long a browser waits for a preview before it has to ask again."""


class Previews:
    """Previews of one run: asked for by browsers, made by the run's thread between its steps.

    Attributes:
        number: of the newest, from 1; 0 as long as there is none.
        jpeg: the newest.
        spent: processor seconds that making them took.
    """

    def __init__(self, feed: Feed, clock: Callable[[], float] = time.process_time) -> None:
        """Make none before one is asked for; `clock` counts processor seconds, of all threads."""
        self.feed, self.clock = feed, clock
        self.number, self.jpeg, self.spent = 0, b"", 0.0
        self._wanted, self._began = False, clock()

    def start(self) -> None:
        """From here on the run's processor seconds count."""
        self._began, self.spent = self.clock(), 0.0

    def look(self, picture: Callable[[], Pixels]) -> None:
        """Between two steps: make a preview if one is wanted, and the run can spare the time."""
        now = self.clock()
        too_dear = self.spent > PREVIEW_SHARE * (now - self._began)
        # The first one is waited for most.
        if not self._wanted or (too_dear and self.number):
            return
        self._wanted = False
        self.jpeg = encode_jpeg(picture(), PREVIEW_SIDE)
        self.number += 1
        # The solver rests meanwhile, so that all of this is the preview's.
        self.spent += self.clock() - now
        self.feed.wake()

    async def newer(self, than: int) -> bytes | None:
        """The next preview behind a number; None where none comes in time, or ever."""
        deadline = time.monotonic() + SECONDS_TO_WAIT
        while self.number <= than:
            left = deadline - time.monotonic()
            if self.feed.closed or left <= 0:
                return None
            version = self.feed.version
            self._wanted = True
            if self.number <= than:
                await self.feed.wait(version, left)
        return self.jpeg
