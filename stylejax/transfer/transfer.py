"""One style transfer on arrays: the problem, its start, and the steps towards the solution.

Nothing here touches a file, a terminal or a clock. `style_transfer` does the whole job for
callers that want one call; the command line drives `make_problem` and `Problem.solver` itself, to
show progress and to save between steps.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from stylejax.devices.hosts import on_host
from stylejax.errors import InputError
from stylejax.images.color import colors_after, colors_before
from stylejax.images.masks import Masks
from stylejax.images.scaling import cover_and_crop, resize
from stylejax.losses.objective import LossWeights, Objective, Targets, make_objective
from stylejax.networks.features import folded_variables
from stylejax.options import STARTS, Options, Parameterization, check_options, normalized_shares
from stylejax.solvers.solver import (
    CHUNK,
    UNLIMITED,
    Method,
    Solver,
    SolverState,
    adam,
    has_ended,
    lbfgs,
    optax_lbfgs,
)
from stylejax.transfer.history import History, extend_history, start_history
from stylejax.transfer.parameterization import image_from_latent, latent_from_image, without_grid
from stylejax.transfer.presets import network_options
from stylejax.transfer.pyramid import Level, level_options, pyramid_levels
from stylejax.types import Image, OtherImage, OtherPixels, Pixels, Variables
from stylejax.weights.read import IMAGENET_MEAN, Weights, read_weights

NOISE_AMPLITUDE = 0.1
"""Half the range of the noise around gray that `init="noise"` starts from."""
MEAN_DEVIATION = np.float32(0.001 / 255.0)
"""Standard deviation of the noise around the mean color that `init="mean"` starts from."""

_image_from_latent = jax.jit(image_from_latent, static_argnames="parameterization")


class Pictures(NamedTuple):
    """What a picture is solved from, at full size: content, styles, and masks where there are."""

    content: Pixels
    styles: Sequence[OtherPixels]
    masks: Masks | None = None


class Problem(NamedTuple):
    """A solver of an objective, and its arguments; `start` is the latent picture to begin with.

    `height` is the picture's; the latent one may have further rows below it (`sharding.py`).
    `parameterization` says how latent pictures are to be read.
    """

    objective: Objective
    solver: Solver
    start: Any
    arguments: tuple[Variables, Targets, LossWeights]
    height: int
    parameterization: Parameterization = "fourier"

    def image(self, state: SolverState) -> Pixels:
        """The picture that a state stands for."""
        return self.image_of(on_host(state.params))

    def image_of(self, latent: Any) -> Pixels:
        """The picture that latent numbers on the host stand for."""
        return np.asarray(
            _image_from_latent(latent[: self.height], parameterization=self.parameterization)
        )


class Result(NamedTuple):
    """A solved picture, how it came about, and whether the loss became non-finite on the way."""

    image: Pixels
    history: History
    failed: bool


def solver_method(options: Options) -> Method:
    """The optimizer that the options name."""
    solve = options.solve
    if solve.solver == "adam":
        return adam(solve.learning_rate)
    if solve.solver == "optax-lbfgs":
        return optax_lbfgs(solve.lbfgs_history)
    # No term of the loss is negative, and no weight.
    return lbfgs(solve.lbfgs_history, lower_bound=0.0)


def loss_weights(options: Options, styles: int) -> LossWeights:
    """The weights pytree that the options describe, for a number of style pictures."""
    loss = options.loss
    per_layer = lambda layers, given: {
        name: jnp.float32(share)
        for name, share in zip(layers, normalized_shares(given, len(layers)), strict=True)
    }
    return LossWeights(
        content_weight=jnp.float32(loss.content_weight),
        style_weight=jnp.float32(loss.style_weight),
        tv_weight=jnp.float32(loss.tv_weight),
        content_layer_weights=per_layer(loss.content_layers, loss.content_layer_weights),
        style_layer_weights=per_layer(loss.style_layers, loss.style_layer_weights),
        style_blend=jnp.asarray(normalized_shares(loss.style_blend, styles), jnp.float32),
    )


def latent_objective(
    objective: Objective, *, parameterization: Parameterization = "fourier"
) -> Callable[..., tuple[Any, Any]]:
    """The objective as a function of the latent picture."""

    def loss(latent: Any, variables: Variables, targets: Targets, weights: LossWeights) -> Any:
        image = image_from_latent(latent, parameterization=parameterization)
        return objective(image, variables, targets, weights)

    return loss


def start_picture(
    options: Options,
    content: Pixels,
    styles: Sequence[OtherPixels],
    given: OtherPixels | None = None,
) -> Pixels:
    """The picture that the solve starts from; `given` is the one that a file name stood for."""
    height, width = content.shape[:2]
    if given is not None:
        return cover_and_crop(given, height, width)
    init, random = options.picture.init, np.random.default_rng(options.picture.seed)
    if init in ("noise", "uniform"):
        noise = random.random(content.shape, np.float32)
        if init == "noise":
            noise = 0.5 + NOISE_AMPLITUDE * (2.0 * noise - 1.0)
        return without_grid(noise) if options.solve.parameterization == "fourier" else noise
    if init == "mean":
        noise = random.standard_normal(content.shape, np.float32)
        return np.asarray(IMAGENET_MEAN, np.float32) + MEAN_DEVIATION * noise
    if init == "style":
        heaviest = int(np.argmax(options.loss.style_blend or (1.0,)))
        return cover_and_crop(styles[heaviest], height, width)
    if init == "content":
        return content
    raise InputError(f"init {init!r} is none of {', '.join(STARTS)}: pass the picture itself")


def make_problem(
    weights: Weights,
    content: Pixels,
    styles: Sequence[OtherPixels],
    options: Options,
    start: Pixels,
    masks: Masks | None = None,
) -> Problem:
    """Compute the targets and put together what is to be solved.

    Raises:
        InputError: an option is out of range or names an unknown layer, or the masks do not fit.
    """
    check_options(options, len(styles))
    loss = options.loss
    objective = make_objective(
        weights,
        loss.content_layers,
        loss.style_layers,
        pooling=loss.pooling,
        precision=loss.precision,
        loss_form=loss.loss_form,
        tv_form=loss.tv_form,
        style_loss=loss.style_loss,
        strip_rows=loss.strip_rows,
    )
    variables = jax.device_put(
        folded_variables(weights, (*loss.content_layers, *loss.style_layers))
    )
    pictures = [jnp.asarray(picture) for picture in (content, *styles)]
    # What runs once is done sooner where a CPU's compiler does not try to make it fast.
    on_cpu = all(device.platform == "cpu" for device in pictures[0].devices())
    targets = objective.targets(
        variables,
        pictures[0],
        pictures[1:],
        masks,
        {"xla_backend_optimization_level": 0} if on_cpu else None,
    )
    budget = options.solve.evaluations or UNLIMITED
    parameterization = options.solve.parameterization
    latent_loss = latent_objective(objective, parameterization=parameterization)
    return Problem(
        objective=objective,
        solver=Solver(latent_loss, solver_method(options), budget),
        start=latent_from_image(start, parameterization=parameterization),
        arguments=(variables, targets, loss_weights(options, len(styles))),
        height=start.shape[0],
        parameterization=parameterization,
    )


def scale_picture(
    pixels: Float[np.ndarray, "_ _ *channels"], scale: float
) -> Float[np.ndarray, "_ _ *channels"]:
    """A picture or mask scaled by a factor of 1 or less."""
    if scale == 1.0:
        return pixels
    height, width = pixels.shape[:2]
    return resize(pixels, max(1, round(height * scale)), max(1, round(width * scale)))


def level_pictures(pictures: Pictures, level: Level) -> Pictures:
    """The pictures and masks of a solve at the size of one level."""
    masks = pictures.masks
    if masks is not None:
        masks = Masks(*(tuple(scale_picture(mask, level.scale) for mask in kind) for kind in masks))
    content, *styles = (
        scale_picture(each, level.scale) for each in (pictures.content, *pictures.styles)
    )
    return Pictures(content, styles, masks)


def level_problem(
    weights: Weights,
    pictures: Pictures,
    options: Options,
    level: Level,
    start: OtherPixels | None = None,
) -> Problem:
    """The problem of one level of the pyramid.

    Args:
        weights: the network's weights.
        pictures: at full size.
        options: those of the whole pyramid.
        level: one of `pyramid_levels(options, ...)`.
        start: the solution of the level before, or a picture to start the coarsest level from;
            the one that `options` names unless given.

    Raises:
        InputError: as in `make_problem`.
    """
    content, styles, masks = level_pictures(pictures, level)
    start = start_picture(options, content, styles, start)
    return make_problem(weights, content, styles, level_options(options, level), start, masks)


def style_transfer(
    content: Image,
    styles: Sequence[OtherImage],
    *,
    weights: Weights | None = None,
    options: Options | None = None,
    init: OtherImage | None = None,
    masks: Masks | None = None,
    on_progress: Callable[[History], None] | None = None,
) -> Result:
    """Solve for the picture with the content of one picture and the style of others.

    Args:
        content: the content picture, height x width x 3 in [0, 1]; the result has its size.
        styles: one or more style pictures of any size, likewise.
        weights: the network's weights; the bundled ones unless given.
        options: everything else, the network's defaults unless given; `picture.size` is not
            looked at, the arrays are taken as they are.
        init: the picture to start from, in place of the one that `options` names.
        masks: of the content picture, each of its size, and of the style pictures, each of its
            picture's: style n goes where content mask n is white.
        on_progress: called with the history so far, about every 16 iterations.

    Raises:
        InputError: an option is out of range or names an unknown layer, or the masks do not fit.
    """
    weights = read_weights() if weights is None else weights
    options = network_options(weights.architecture.network) if options is None else options
    content, *painted = (np.asarray(picture, np.float32) for picture in (content, *styles))
    image = None if init is None else np.asarray(init, np.float32)
    check_options(options, len(painted))
    preserve = options.picture.preserve_color
    pictures = Pictures(*colors_before(preserve, content, painted), masks)
    history: History = {}
    failed = False
    for number, level in enumerate(pyramid_levels(options, *content.shape[:2]), start=1):
        problem = level_problem(weights, pictures, options, level, image)
        fresh = problem.solver.init(problem.start, *problem.arguments)
        state, _ = problem.solver.advance(fresh, 0, *problem.arguments)
        history = history or start_history(state)
        while (left := level.iterations - int(state.iteration)) > 0 and not has_ended(state):
            before = int(state.iteration)
            state, trace = problem.solver.advance(state, min(left, CHUNK), *problem.arguments)
            history = extend_history(history, trace, int(state.iteration) - before, number)
            if on_progress is not None:
                on_progress(history)
        image, failed = problem.image(state), bool(state.failed)
        if failed:
            break
    assert image is not None
    image = colors_after(preserve, cover_and_crop(image, *content.shape[:2]), content)
    return Result(image, history, failed)
