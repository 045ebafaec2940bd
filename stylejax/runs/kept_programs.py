"""What one picture after the other can share: the network on the device, and compiled programs."""

from collections.abc import Hashable, Sequence
from functools import partial
from pathlib import Path

import jax

from stylejax.devices.hosts import is_alone, own_device
from stylejax.devices.memory import Device
from stylejax.options import LossOptions, Options, SolverOptions
from stylejax.runs.program_shelf import ProgramShelf
from stylejax.transfer.compiler import Compiler
from stylejax.transfer.pictures import Pictures
from stylejax.transfer.plan import level_tasks, solver_task
from stylejax.transfer.problem import LoadedObjective, Problem, load_objective
from stylejax.transfer.pyramid import Level
from stylejax.weights.read import Weights


def _structure(weights: Weights, loss: LossOptions, solve: SolverOptions, strip_rows: int) -> str:
    """What a program is made of besides the shapes of its arguments, in words."""
    facts = (
        weights.architecture,
        weights.epsilon,
        loss.content_layers,
        loss.style_layers,
        loss.pooling,
        loss.precision,
        loss.loss_form,
        loss.tv_form,
        loss.style_loss,
        loss.seamless,
        loss.placement > 0.0,
        strip_rows,
        solve.solver,
        solve.lbfgs_history,
        solve.learning_rate,
        solve.parameterization,
    )
    return repr(facts)


class KeptPrograms:
    """Objectives and the programs compiled for them, kept for pictures of the same options.

    Attributes:
        weights: the network's, where they have been read.
    """

    def __init__(self, folder: Path | None = None, weights: Weights | None = None) -> None:
        """Keep nothing but weights yet; `folder` is where programs are kept between runs."""
        self._folder, self.weights = folder, weights
        self._objectives: dict[Hashable, LoadedObjective] = {}

    def objective(
        self, weights: Weights, options: Options, strip_rows: int, devices: Sequence[Device]
    ) -> LoadedObjective:
        """The objective that the options describe (`load_objective`), loaded once.

        Raises:
            InputError: as there.
        """
        key = weights.sha256, options.loss, options.solve, strip_rows, tuple(devices)
        if key not in self._objectives:
            shelf = None
            # Where each part lies on several devices belongs to a program: those are not kept.
            if self._folder is not None and is_alone(devices):
                structure = _structure(weights, options.loss, options.solve, strip_rows)
                shelf = ProgramShelf(self._folder, devices[0], structure)
            compiler = Compiler(own_device(devices), shelf)
            self._objectives[key] = load_objective(
                weights, options.loss, strip_rows=strip_rows, compiler=compiler
            )
        return self._objectives[key]

    def plan(
        self,
        network: LoadedObjective,
        pictures: Pictures,
        options: Options,
        levels: Sequence[Level],
    ) -> None:
        """Have the programs of all levels compiled while the coarsest is made and solved.

        Those of its targets are left to whoever computes them meanwhile.
        """
        tasks = partial(level_tasks, network, pictures, options)
        first, *finer = (partial(tasks, level) for level in levels)
        network.compiler.plan(lambda: [lambda: first()[:1], *finer])

    def compiled(self, network: LoadedObjective, problem: Problem) -> Problem:
        """The problem with its programs, compiled once for all that have its shapes and places."""
        task = solver_task(problem)
        if problem.solver.placement is not None:
            leaves = jax.tree.leaves(task.arguments)
            places = [str(getattr(leaf, "sharding", None)) for leaf in leaves]
            task = task._replace(name=f"{task.name}, {places}")
        return problem.with_programs(network.compiler.programs(task))
