"""What a run of a solve tells while it goes on, and what it asks whoever started it."""

from collections.abc import Callable
from typing import NamedTuple

from stylejax.transfer.levels import Progress


class Observer(NamedTuple):
    """What a run tells while it goes on, and what it asks.

    `stage` gets a word on what is being done, and may raise `Interrupted`; `progress` the same
    object as a callback of `style_transfer`, after each look at the solver; `stop` is asked between
    looks whether to end early; `warn` gets what the user should know and the run goes on with.
    """

    stage: Callable[[str], None] = lambda text: None
    progress: Callable[[Progress], None] = lambda progress: None
    stop: Callable[[], bool] = lambda: False
    warn: Callable[[str], None] = lambda text: None
