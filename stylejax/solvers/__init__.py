"""A function of a pytree and a start come in, step after step of a solve goes out.

Line search and `state` make the methods (`jaxopt_lbfgs`, `optax_methods`), `steps` is the one loop
over a method's chunks of iterations, and `solver` puts them together, without knowing of pictures.
"""

from stylejax.solvers.jaxopt_lbfgs import lbfgs
from stylejax.solvers.line_search import strong_wolfe
from stylejax.solvers.optax_methods import adam, optax_lbfgs, optax_method
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
    "optax_method",
    "strong_wolfe",
]
