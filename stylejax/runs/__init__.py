"""Options and the names of files come in.

Out go pictures, tables and checkpoints on the disk; disk and clock belong to this package, the
terminal to its callers.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.runs.metadata import read_record
    from stylejax.runs.observer import Observer
    from stylejax.runs.reconstruction import run_reconstruction
    from stylejax.runs.request import FigureRequest, Request, SweepRequest
    from stylejax.runs.summary import Summary
    from stylejax.runs.sweep import SweepObserver, SweepSummary, run_sweep
    from stylejax.runs.transfer import run_transfer
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        "metadata",
        "observer",
        "reconstruction",
        "request",
        "sweep",
        "summary",
        "transfer",
    )

__all__ = [
    "FigureRequest",
    "Observer",
    "Request",
    "Summary",
    "SweepObserver",
    "SweepRequest",
    "SweepSummary",
    "read_record",
    "run_reconstruction",
    "run_sweep",
    "run_transfer",
]
