"""What one picture after the other can share: the network on the device, and compiled programs."""

from collections.abc import Hashable

import jax

from stylejax.options import LossOptions
from stylejax.solvers.steps import Programs
from stylejax.transfer.problem import LoadedObjective, Problem, load_objective
from stylejax.weights.read import Weights


class KeptPrograms:
    """Objectives and the programs compiled for them, kept for pictures of the same options.

    Attributes:
        weights: the network's, where they have been read.
    """

    def __init__(self, weights: Weights | None = None) -> None:
        """Keep nothing but weights yet."""
        self.weights = weights
        self._objectives: dict[Hashable, LoadedObjective] = {}
        self._programs: dict[Hashable, Programs] = {}

    def objective(self, weights: Weights, loss: LossOptions, strip_rows: int) -> LoadedObjective:
        """The objective that the options describe (`load_objective`), loaded once.

        Raises:
            InputError: as there.
        """
        key = weights.sha256, loss, strip_rows
        if key not in self._objectives:
            self._objectives[key] = load_objective(weights, loss, strip_rows=strip_rows)
        return self._objectives[key]

    def compiled(self, problem: Problem) -> Problem:
        """The problem with its programs, compiled once for all that have its shapes and places."""
        leaves, structure = jax.tree.flatten((problem.start, problem.arguments))
        places = [(jax.typeof(leaf), getattr(leaf, "sharding", None)) for leaf in leaves]
        # Objectives are kept, so that no other gets the number of one that has gone.
        key: Hashable = id(problem.objective), problem.solver.budget, structure, tuple(places)
        if key not in self._programs:
            compiled = problem.compiled().programs
            assert compiled is not None
            self._programs[key] = compiled
        return problem._replace(programs=self._programs[key])
