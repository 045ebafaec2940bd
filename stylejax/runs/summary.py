"""How a run from files to a picture ended."""

from pathlib import Path
from typing import NamedTuple

from stylejax.transfer.history import History
from stylejax.weights.read import Weights


class Summary(NamedTuple):
    """How a run ended.

    `failed`: the loss became non-finite; `stopped`: `Observer.stop` said so; `converged`: nothing
    lowered the loss any further.

    Of the seconds, `seconds_compile` are those that the run waited for programs; the last two count
    from `since` on, to the end of the first iteration (None where there was none) and of all.
    """

    output: Path
    weights: Weights
    device: str
    device_kind: str
    devices: int
    history: History
    evaluations: int
    seconds_compile: float
    seconds_solve: float
    failed: bool
    stopped: bool
    converged: bool
    seconds_to_first_iteration: float | None
    seconds_total: float
