"""What a level of the pyramid needs compiled, known before there is anything to compute it from."""

from typing import cast

import jax
import numpy as np
from jaxtyping import Array, PyTree

from stylejax.losses.targets import Targets
from stylejax.options import Options
from stylejax.transfer.compiler import Task, shapes_of, task_of_call
from stylejax.transfer.pictures import Pictures, level_masks, scaled_size
from stylejax.transfer.problem import LoadedObjective, Problem, level_solver, level_weights
from stylejax.transfer.pyramid import Level
from stylejax.types import Variables


def level_tasks(
    network: LoadedObjective, pictures: Pictures, options: Options, level: Level
) -> list[Task]:
    """What `level_problem` and a solve of it need compiled; nothing is computed.

    The first is the solver's (`Problem.lower`), the others are the targets'.
    """
    objective, variables, compiler = network
    (masks, keep), calls = level_masks(pictures, level), []
    asked = {"placement": options.loss.placement > 0.0, "keep": keep}

    def call(function: jax.stages.Wrapped, *arguments: PyTree) -> PyTree:
        calls.append(task_of_call(function, shapes_of(arguments), compiler.platform))
        return function(*arguments)

    def targets(variables: Variables, content: Array, styles: list[Array]) -> Targets:
        return objective.targets(variables, content, styles, masks, call, **asked)

    shape = lambda size: jax.ShapeDtypeStruct((*size, 3), np.float32)
    content = shape(level.grid)
    styles = [shape(scaled_size(style, level.scale)) for style in pictures.styles]
    problem = Problem(
        objective,
        level_solver(network, options, level),
        cast(Array, content),
        (
            variables,
            jax.eval_shape(targets, variables, content, styles),
            level_weights(options, level, len(styles)),
        ),
        content.shape[0],
        options.solve.parameterization,
    )
    return [solver_task(problem), *calls]


def solver_task(problem: Problem) -> Task:
    """The programs of a problem."""
    solver = problem.solver
    facts = f"{solver.budget} evaluations, {problem.parameterization}, {solver.compiler_options}"
    return Task(f"solve, {facts}", (problem.start, problem.arguments), problem.lower)
