"""One solve on arrays: the objective, its targets and weights, and where it starts."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from stylejax.devices.hosts import on_host
from stylejax.images.arrays import PictureLike, PicturesLike, as_pixels
from stylejax.images.masks import Masks
from stylejax.losses.objective import Objective, make_objective
from stylejax.losses.targets import Targets
from stylejax.losses.weights import LossTerms, LossWeights
from stylejax.networks.features import folded_variables
from stylejax.options import LossOptions, Options, Parameterization, check_options
from stylejax.solvers.compile_options import compiler_options
from stylejax.solvers.methods import made_later
from stylejax.solvers.solver import Solver
from stylejax.solvers.state import UNLIMITED, Method, SolverState
from stylejax.solvers.steps import Pace, Program, Programs, Step, longest_chunks
from stylejax.transfer.compiler import Compiler
from stylejax.transfer.parameterization import Latent, image_from_latent, latent_from_image
from stylejax.transfer.pictures import Pictures, fit_picture, given_pictures, level_pictures
from stylejax.transfer.pyramid import Level, single_level
from stylejax.transfer.start import level_start
from stylejax.types import OtherPixels, Pixels, Scalar, Variables
from stylejax.weights.read import Weights

_image_from_latent = jax.jit(image_from_latent, static_argnames="parameterization")


class Problem(NamedTuple):
    """A solver of an objective, and its arguments; `start` is the latent picture to begin with.

    `height` is the picture's; the latent one may have further rows below it (`sharding.py`).
    `parameterization` says how latent pictures are to be read; `programs` are the solver's, and
    `picture` is the one that reads them, where these have been compiled ahead. `shape` is the
    picture's height and width where it is solved at others (`Level.grid`).
    """

    objective: Objective
    solver: Solver
    start: Float[Array, "_ width 3"] | Float[np.ndarray, "_ width 3"]
    arguments: tuple[Variables, Targets, LossWeights]
    height: int
    parameterization: Parameterization = "fourier"
    programs: Programs | None = None
    picture: Program | None = None
    shape: tuple[int, int] | None = None

    def compiled(self) -> "Problem":
        """The same problem, its programs compiled ahead."""
        return self.with_programs([finish() for finish in self.lower()])

    def lower(self) -> Sequence[Callable[[], Program]]:
        """What compiles the solver's programs, and the one that makes a picture of latent numbers.

        Nothing is compiled yet.
        """
        latent = jax.ShapeDtypeStruct((self.height, *self.start.shape[1:]), np.float32)
        solver = self.solver.lower(self.start, *self.arguments)
        # A function of its own: what JAX has compiled of another one it gives back from memory, and
        # does not say that it had read it (`Compiler`).
        picture = jax.jit(partial(image_from_latent, parameterization=self.parameterization))
        return [lowered.compile for lowered in (*solver, picture.lower(latent))]

    def with_programs(self, programs: Sequence[Program]) -> "Problem":
        """The same problem with what `lower` compiles of it, or of one like it."""
        init, advance, picture = programs
        return self._replace(programs=Programs(init, advance), picture=picture)

    def shapes(self) -> SolverState:
        """Shapes, types and places of the solver's state."""
        return self.solver.shapes(self.start, *self.arguments)

    def steps(
        self, iterations: int, state: SolverState | None = None, *, pace: Pace = longest_chunks
    ) -> Iterator[Step]:
        """Solve step by step, from the start or from a saved state on (`Solver.steps`)."""
        begin = self.start if state is None else state
        return self.solver.steps(
            begin, iterations, *self.arguments, pace=pace, programs=self.programs
        )

    def image(self, state: SolverState) -> Pixels:
        """The picture that a state stands for."""
        return self.image_of(on_host(state.params))

    def image_of(self, latent: Float[np.ndarray, "_ width 3"]) -> Pixels:
        """The picture that latent numbers on the host stand for."""
        latent = latent[: self.height]
        read = self.picture or partial(_image_from_latent, parameterization=self.parameterization)
        image = np.asarray(read(latent))
        return image if self.shape is None else fit_picture(image, self.shape)


def solver_method(options: Options) -> Method:
    """The optimizer that the options name."""
    solve = options.solve
    if solve.solver == "adam":
        return made_later("adam", solve.learning_rate)
    if solve.solver == "optax-lbfgs":
        return made_later("optax_lbfgs", solve.lbfgs_history)
    # No term of the loss is negative, and no weight.
    return made_later("lbfgs", solve.lbfgs_history, lower_bound=0.0)


def latent_objective(
    objective: Objective, *, parameterization: Parameterization = "fourier"
) -> Callable[..., tuple[Scalar, LossTerms]]:
    """The objective as a function of the latent picture."""

    def loss(
        latent: Latent, variables: Variables, targets: Targets, weights: LossWeights
    ) -> tuple[Scalar, LossTerms]:
        image = image_from_latent(latent, parameterization=parameterization)
        return objective(image, variables, targets, weights)

    return loss


class LoadedObjective(NamedTuple):
    """An objective, and the network's numbers that it is computed with, folded and on the device.

    Made once for all problems of a run: neither depends on pictures, sizes or weights. `compiler`
    compiles what the targets are computed with.
    """

    objective: Objective
    variables: Variables
    compiler: Compiler


def load_objective(
    weights: Weights,
    loss: LossOptions,
    *,
    strip_rows: int | None = None,
    compiler: Compiler | None = None,
) -> LoadedObjective:
    """Make the objective that the options describe, and send the network to the device.

    `strip_rows` goes before that of the options; `compiler` is a new one unless given.

    Raises:
        InputError: a layer is unknown or named twice, or there is none.
    """
    objective = make_objective(
        weights,
        loss.content_layers,
        loss.style_layers,
        pooling=loss.pooling,
        precision=loss.precision,
        loss_form=loss.loss_form,
        tv_form=loss.tv_form,
        style_loss=loss.style_loss,
        strip_rows=loss.strip_rows if strip_rows is None else strip_rows,
        seamless=loss.seamless,
    )
    variables = folded_variables(weights, (*loss.content_layers, *loss.style_layers))
    return LoadedObjective(objective, jax.device_put(variables), compiler or Compiler())


def _targets(network: LoadedObjective, pictures: Pictures, placement: bool) -> Targets:
    # Not by `jnp.asarray`, which compiles a program for each shape.
    content, *styles = map(jax.device_put, (pictures.content, *pictures.styles))
    return network.objective.targets(
        network.variables,
        content,
        styles,
        pictures.masks,
        network.compiler.call,
        placement=placement,
        keep=pictures.keep,
    )


def level_solver(network: LoadedObjective, options: Options, level: Level) -> Solver:
    """What solves at one level."""
    loss = latent_objective(network.objective, parameterization=options.solve.parameterization)
    positions = math.prod(level.grid) * level.iterations
    return Solver(
        loss,
        solver_method(options),
        level.evaluations or UNLIMITED,
        compiler_options=compiler_options(network.compiler.platform, positions),
    )


def level_weights(options: Options, level: Level, styles: int) -> LossWeights:
    """The weights of one level."""
    factors = {"content_factor": level.content_weight, "tv_factor": level.tv_weight}
    return LossWeights.from_options(options.loss, styles, **factors)


def level_problem(
    network: Weights | LoadedObjective,
    pictures: Pictures,
    options: Options,
    level: Level | None = None,
    start: OtherPixels | None = None,
) -> Problem:
    """Compute the targets and put together what is to be solved at one level of the pyramid.

    Args:
        network: the network's weights, or the objective that was made of them.
        pictures: at full size.
        options: those of the whole pyramid.
        level: one of `pyramid_levels(options, ...)`; full size, where all is as the options say,
            unless given.
        start: the solution of the level before, or a picture to start the coarsest level from;
            the one that `options` names unless given.

    Raises:
        InputError: an option is out of range or names an unknown layer, or the masks do not fit.
    """
    check_options(options, len(pictures.styles))
    if not isinstance(network, LoadedObjective):
        network = load_objective(network, options.loss)
    level = single_level(options, *pictures.content.shape[:2]) if level is None else level
    pictures = level_pictures(pictures, level)
    begin = level_start(options, pictures, level, start)
    parameterization = options.solve.parameterization
    return Problem(
        objective=network.objective,
        solver=level_solver(network, options, level),
        start=latent_from_image(begin, parameterization=parameterization),
        arguments=(
            network.variables,
            _targets(network, pictures, options.loss.placement > 0.0),
            level_weights(options, level, len(pictures.styles)),
        ),
        height=begin.shape[0],
        parameterization=parameterization,
        shape=(level.height, level.width),
    )


def make_problem(
    network: Weights | LoadedObjective,
    content: PictureLike,
    styles: PicturesLike,
    options: Options,
    start: PictureLike,
    masks: Masks | None = None,
) -> Problem:
    """Compute the targets and put together what is to be solved, at the pictures' own size.

    Args:
        network: the network's weights, or the objective that was made of them.
        content: the content picture, height x width x 3 in [0, 1], or another `as_picture`.
        styles: the style pictures, each of its own size.
        options: of this one solve.
        start: the picture to start from.
        masks: of regions with a style of their own.

    Raises:
        InputError: an option is out of range or names an unknown layer, or the masks do not fit.
    """
    pictures = given_pictures(content, styles, masks)
    return level_problem(network, pictures, options, start=as_pixels(start, "start"))
