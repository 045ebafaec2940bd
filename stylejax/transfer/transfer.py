"""One style transfer on arrays, in one call.

Nothing here touches a file, a terminal or a clock. `style_transfer` does the whole job for
callers that want one call; the command line drives `make_problem` and `Problem.solver` itself, to
show progress and to save between steps.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stylejax.images.color import colors_after, colors_before
from stylejax.images.io import cover_and_crop
from stylejax.images.masks import Masks
from stylejax.options import Options, check_options
from stylejax.solvers.state import CHUNK, has_ended
from stylejax.transfer.history import History, extend_history, start_history
from stylejax.transfer.presets import network_options
from stylejax.transfer.problem import Pictures, level_problem
from stylejax.transfer.pyramid import pyramid_levels
from stylejax.types import Image, OtherImage, Pixels
from stylejax.weights.read import Weights, read_weights


class Result(NamedTuple):
    """A solved picture, how it came about, and whether the loss became non-finite on the way."""

    image: Pixels
    history: History
    failed: bool


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
