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
MOST_SECONDS_BETWEEN = 5.0
"""After so long without one a preview is made whatever its share: so a busy machine still shows."""
MOST_TIMES_BETWEEN = 20.0
"""But after no less than so many times what the last one took: of two busy cores, a fortieth."""
SECONDS_TO_WAIT = 20.0
"""How long a browser waits for a preview before it has to ask again."""


class Previews:
    """Previews of one run: asked for by browsers, made by the run's thread between its steps.

    Attributes:
        number: of the newest, from 1; 0 as long as there is none.
        jpeg: the newest.
        spent: processor seconds that making them took.
    """

    def __init__(
        self,
        feed: Feed,
        processor: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make none before one is asked for; `processor` counts the seconds of all threads."""
        self.feed, self.processor, self.clock = feed, processor, clock
        self.number, self.jpeg, self.spent = 0, b"", 0.0
        self._wanted = False
        self.start()

    def start(self) -> None:
        """From here on the run's processor seconds count."""
        self._began, self.spent, self._charged = self.processor(), 0.0, 0.0
        self._last: float | None = None
        self._pause = 0.0

    def look(self, picture: Callable[[], Pixels]) -> None:
        """Between two steps: make a preview if one is wanted, and the run can spare the time."""
        before = self.processor()
        if not self._wanted or not self._can_spare(before):
            return
        self._wanted = False
        self.jpeg = encode_jpeg(picture(), PREVIEW_SIDE)
        self.number += 1
        # The solver rests meanwhile, so that all of this is the preview's.
        took = self.processor() - before
        self.spent += took
        # The first one compiles what makes a picture: counted, it would be the only one for long.
        self._charged += 0.0 if self._last is None else took
        self._last = self.clock()
        self._pause = max(MOST_SECONDS_BETWEEN, MOST_TIMES_BETWEEN * took)
        self.feed.wake()

    def _can_spare(self, now: float) -> bool:
        """Whether previews have had less than their share, or none was made for long."""
        if self._charged <= PREVIEW_SHARE * (now - self._began) or self._last is None:
            return True
        return self.clock() - self._last >= self._pause

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
