"""Several weights, seeds or styles come in, a picture for each of their combinations goes out.

`combinations` says which there are, `lanes` solves several as one program, `solver` takes them
through the levels in batches, `sweep` is the whole in one call, and `tables` lay out what was
found.
"""

from stylejax.sweep.combinations import Combination, Combinations, make_combinations
from stylejax.sweep.solver import BatchProgress
from stylejax.sweep.sweep import style_sweep

__all__ = [
    "BatchProgress",
    "Combination",
    "Combinations",
    "make_combinations",
    "style_sweep",
]
