"""Several weights, seeds or styles come in, a picture for each of their combinations goes out.

Of the `combinations` several are solved as one program (`lanes`), batch by batch through all levels
(`solver`), which is one call on arrays (`sweep`), and `tables` lay out what was found.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.sweep.combinations import Combination, Combinations, make_combinations
    from stylejax.sweep.solver import BatchProgress
    from stylejax.sweep.sweep import style_sweep
else:
    __getattr__, __dir__ = lazy_names(__name__, "combinations", "solver", "sweep")

__all__ = [
    "BatchProgress",
    "Combination",
    "Combinations",
    "make_combinations",
    "style_sweep",
]
