"""Options and the names of files come in.

Out go pictures, tables and checkpoints on the disk; disk and clock belong to this package, the
terminal to its callers.
"""

from stylejax.runs.metadata import read_record
from stylejax.runs.observer import Observer
from stylejax.runs.reconstruction import run_reconstruction
from stylejax.runs.request import FigureRequest, Request, SweepRequest
from stylejax.runs.sweep import SweepObserver, SweepSummary, run_sweep
from stylejax.runs.transfer import Summary, run_transfer

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
