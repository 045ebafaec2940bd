"""One style transfer on arrays, in one call. Nothing here touches a file or the terminal."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from stylejax.errors import InputError
from stylejax.images.arrays import PictureLike, PicturesLike, as_pixels
from stylejax.images.color import colors_after, colors_before
from stylejax.images.encoding import encode_png
from stylejax.images.masks import Mask, Masks
from stylejax.images.scaling import cover_and_crop
from stylejax.options import Options, check_options
from stylejax.sizes import KeptColor
from stylejax.solvers.steps import chunks_of_about
from stylejax.transfer._result_html import result_html
from stylejax.transfer.history import History
from stylejax.transfer.interrupt import interruptible
from stylejax.transfer.levels import Progress, solve_levels
from stylejax.transfer.pictures import Pictures, given_pictures
from stylejax.transfer.presets import network_options
from stylejax.transfer.problem import Problem, level_problem, load_objective
from stylejax.transfer.pyramid import check_tile, pyramid_levels
from stylejax.types import OtherPixels, Pixels
from stylejax.weights.read import Weights, read_weights

Callback = Callable[[Progress], object]
"""Is told of a solve's progress, and returns something true to end it."""

SECONDS_BETWEEN_LOOKS = 0.7
"""How long an interrupt waits for an answer, about."""


class Result(NamedTuple):
    """A solved picture, how it came about, and how it ended; a notebook shows all three.

    Where `failed`, the loss became non-finite and `image` is the last good picture; where
    `stopped`, a callback or an interrupt ended the solve early and `image` is the picture so far.
    `options` are those that it was solved with, None where they are not known.
    """

    image: Pixels
    history: History
    failed: bool
    stopped: bool = False
    options: Options | None = None

    def _repr_html_(self) -> str:
        """What a notebook shows: the picture, the loss as a curve, and the settings."""
        ending = "failed" if self.failed else "stopped" if self.stopped else "finished"
        return result_html(self.image, self.history, ending, self.options)

    def _repr_png_(self) -> bytes:
        """The picture alone, for what shows no HTML."""
        return encode_png(self.image)


def finished_picture(image: OtherPixels, content: Pixels, kept: KeptColor) -> Pixels:
    """The result that a level's solution stands for: of the content's size, in its final colors."""
    return colors_after(kept, cover_and_crop(image, *content.shape[:2]), content)


def solved_result(
    steps: Iterator[Progress],
    callback: Callback | None = None,
    every: int = 1,
    options: Options | None = None,
) -> Result:
    """Run through a solve to its end, or to where the callback or an interrupt asks for one."""
    progress, stopped = None, False
    with interruptible() as interrupted:
        for progress in steps:
            if callback is not None and progress.step.taken > 0:
                stopped = progress.iteration % every == 0 and bool(callback(progress))
            if stopped or interrupted():
                stopped = not progress.done
                break
        assert progress is not None
        failed = bool(progress.step.failed)
        return Result(progress.picture(), progress.history, failed, stopped, options)


def _transfer_steps(
    weights: Weights,
    options: Options,
    pictures: Pictures,
    content: Pixels,
    start: OtherPixels | None,
    every: int,
) -> Iterator[Progress]:
    levels = pyramid_levels(options, *content.shape[:2])
    network = load_objective(weights, options.loss)
    if options.loss.seamless:
        check_tile(levels, network.objective.reader.stride)

    def prepare(number: int, image: OtherPixels | None) -> Problem:
        begin = start if number == 1 else image
        return level_problem(network, pictures, options, levels[number - 1], begin)

    finish = lambda image: finished_picture(image, content, options.picture.kept_color)
    pace = chunks_of_about(SECONDS_BETWEEN_LOOKS)
    return solve_levels(levels, prepare, finish, pace=pace, every=every)


def style_transfer(
    content: PictureLike,
    styles: PicturesLike,
    *,
    weights: Weights | None = None,
    options: Options | None = None,
    init: PictureLike | None = None,
    masks: Masks | None = None,
    keep: Mask | None = None,
    callback: Callback | None = None,
    every: int = 1,
) -> Result:
    """Solve for the picture with the content of one picture and the style of others.

    An interrupt (Ctrl-C, a notebook's stop button) ends the solve with the picture so far.

    Args:
        content: the content picture, height x width x 3 in [0, 1], or uint8, uint16 or a Pillow
            picture (`as_picture`); the result has its size.
        styles: one or more style pictures of any size, likewise.
        weights: the network's weights; the bundled ones unless given.
        options: everything else, the network's defaults unless given; `picture.size` is not
            looked at, the arrays are taken as they are.
        init: the picture to start from, in place of the one that `options` names.
        masks: of the content picture, each of its size, and of the style pictures, each of its
            picture's: style n goes where content mask n is white.
        keep: a mask of the content picture, of its size: where it is white, content counts
            `loss.keep_weight` times.
        callback: called with a `Progress` after each iteration, of whatever level; where it
            returns something true, the solve ends there.
        every: call it after every so many iterations only.

    Raises:
        InputError: what is given is no picture, an option is out of range or names an unknown
            layer, or the masks do not fit.
    """
    if every < 1:
        raise InputError(f"every is {every}: give 1 or more")
    weights = read_weights() if weights is None else weights
    options = network_options(weights.architecture.network) if options is None else options
    pictures = given_pictures(content, styles, masks, keep)
    content = pictures.content
    check_options(options, len(pictures.styles))
    colored = colors_before(options.picture.kept_color, content, pictures.styles)
    start = None if init is None else as_pixels(init, "init")
    # Without a callback chunks may be as long as they like.
    at = every if callback is not None else 0
    steps = _transfer_steps(weights, options, Pictures(*colored, *pictures[2:]), content, start, at)
    return solved_result(steps, callback, every, options)
