"""A function of a pytree and a start come in; states, step by step, go out. No pictures here.

In the order in which one reads: `line_search`, `state`, `jaxopt_lbfgs` and `optax_methods` (two
functions make a method), `steps` (the one loop) and `solver`.
"""

from stylejax.solvers.jaxopt_lbfgs import lbfgs
from stylejax.solvers.line_search import strong_wolfe
from stylejax.solvers.optax_methods import adam, optax_lbfgs
from stylejax.solvers.solver import Solver
from stylejax.solvers.state import Method, SolverState, Trace
from stylejax.solvers.steps import Step, chunks_of_about

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
    "strong_wolfe",
]
