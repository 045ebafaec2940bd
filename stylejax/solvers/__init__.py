"""A function of a pytree comes in, and a place to start from.

Out go states, step by step, the parameters that minimize it, and the trace of how it went; nothing
here knows of pictures.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.solvers.jaxopt_lbfgs import lbfgs
    from stylejax.solvers.line_search import strong_wolfe
    from stylejax.solvers.optax_methods import adam, optax_lbfgs, optax_method
    from stylejax.solvers.solver import Solver
    from stylejax.solvers.state import Method, SolverState, Trace
    from stylejax.solvers.steps import Step, chunks_of_about
else:
    __getattr__, __dir__ = lazy_names(
        __name__, "jaxopt_lbfgs", "line_search", "optax_methods", "solver", "state", "steps"
    )

__all__ = [
    "Method",
    "Solver",
    "SolverState",
    "Step",
    "Trace",
    "adam",
    "chunks_of_about",
    "lbfgs",
    "optax_lbfgs",
    "optax_method",
    "strong_wolfe",
]
