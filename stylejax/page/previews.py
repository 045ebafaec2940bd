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
        self._wanted, self._began, self._charged = False, clock(), 0.0

    def start(self) -> None:
        """From here on the run's processor seconds count."""
        self._began, self.spent, self._charged = self.clock(), 0.0, 0.0

    def look(self, picture: Callable[[], Pixels]) -> None:
        """Between two steps: make a preview if one is wanted, and the run can spare the time."""
        now = self.clock()
        too_dear = self._charged > PREVIEW_SHARE * (now - self._began)
        if not self._wanted or too_dear:
            return
        self._wanted = False
        self.jpeg = encode_jpeg(picture(), PREVIEW_SIDE)
        self.number += 1
        # The solver rests meanwhile, so that all of this is the preview's.
        took = self.clock() - now
        self.spent += took
        # The first one compiles what makes a picture: counted, it would be the only one for long.
        self._charged += took if self.number > 1 else 0.0
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
