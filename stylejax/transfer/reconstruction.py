"""What a network's layers hold of a picture: the two rows of figure 1 of Gatys et al. (2015).

Each reconstruction is solved for from noise by the objective of a transfer, with one of its two
weights at 0. Nothing here touches a file or the terminal.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from stylejax.images.arrays import PictureLike, as_pixels
from stylejax.losses.objective import make_objective
from stylejax.options import (
    NetworkName,
    Options,
    Parameterization,
    PictureOptions,
    SolverOptions,
)
from stylejax.solvers.jaxopt_lbfgs import lbfgs
from stylejax.solvers.solver import Solver
from stylejax.solvers.steps import longest_chunks
from stylejax.transfer.kinds import Kind
from stylejax.transfer.levels import solve_levels
from stylejax.transfer.parameterization import latent_from_image
from stylejax.transfer.problem import Problem, latent_objective
from stylejax.transfer.pyramid import pyramid_levels
from stylejax.transfer.start import start_picture
from stylejax.transfer.transfer import Callback, Result, solved_result
from stylejax.types import Pixels
from stylejax.weights.read import Weights

FIGURE_LAYERS: Mapping[NetworkName, tuple[str, ...]] = {
    "densenet121": ("conv1_relu", "pool2_relu", "pool3_relu", "pool4_relu", "relu"),
    "vgg16": ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
    "vgg19": ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
}
"""A layer of each resolution, shallow to deep; on VGG those of the paper."""

TV_WEIGHTS: Mapping[Kind, float] = {"content": 5.0, "style": 1.0}
"""By eye on the bundled weights: less leaves deep layers burnt colors, more grays shallow ones."""


def reconstruct(
    picture: PictureLike,
    layers: Sequence[str],
    weights: Weights,
    *,
    kind: Kind,
    iterations: int,
    tv_weight: float | None = None,
    seed: int = 0,
    parameterization: Parameterization = "fourier",
    callback: Callback | None = None,
) -> Result:
    """Solve for a picture that some layers cannot tell from the given one.

    Args:
        picture: height x width x 3 in [0, 1], or another `as_picture`; the result has its size.
        layers: in any naming scheme.
        weights: the network's.
        kind: `content` asks for equal feature maps, which is what the layers keep of the picture;
            `style` for equal Gram matrices, which is a texture.
        iterations: of L-BFGS, 1 or more.
        tv_weight: weight of total variation, where the other term is 1 for a picture without any of
            the content, or for noise; that of `TV_WEIGHTS` unless given.
        seed: of the noise that the solve starts from.
        parameterization: of the picture, as in a transfer.
        callback: called with a `Progress` about every 16 iterations; where it returns something
            true, the solve ends there. So it does at an interrupt (Ctrl-C).

    Raises:
        InputError: what is given is no picture; a layer is unknown or named twice, or there is
            none.
    """
    picture = as_pixels(picture, "picture")
    solve = SolverOptions(iterations=iterations, levels=1, parameterization=parameterization)
    options = Options(picture=PictureOptions(init="noise", seed=seed), solve=solve)
    tv_weight = TV_WEIGHTS[kind] if tv_weight is None else tv_weight
    problem = _problem(picture, layers, weights, kind, tv_weight, options)
    levels = pyramid_levels(options, *picture.shape[:2])
    steps = solve_levels(
        levels, lambda number, image: problem, lambda image: image, pace=longest_chunks
    )
    return solved_result(steps, callback)


def _problem(
    picture: Pixels,
    layers: Sequence[str],
    weights: Weights,
    kind: Kind,
    tv_weight: float,
    options: Options,
) -> Problem:
    """The objective of a transfer with one of its two weights at 0, and noise to start from."""
    objective = make_objective(weights, layers, layers, style_loss="gram")
    start = start_picture(options, picture, [])
    # The relative form measures style from the content picture on: that is the noise here.
    content = picture if kind == "content" else start
    variables = jax.device_put(weights.variables)
    arguments = (
        variables,
        objective.targets(variables, jnp.asarray(content), [jnp.asarray(picture)]),
        objective.weights(
            content_weight=jnp.float32(kind == "content"),
            style_weight=jnp.float32(kind == "style"),
            tv_weight=jnp.float32(tv_weight),
        ),
    )
    parameterization = options.solve.parameterization
    loss = latent_objective(objective, parameterization=parameterization)
    solver = Solver(loss, lbfgs(lower_bound=0.0))
    latent = latent_from_image(start, parameterization=parameterization)
    return Problem(objective, solver, latent, arguments, latent.shape[0], parameterization)
