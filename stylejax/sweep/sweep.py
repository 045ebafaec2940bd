"""A sweep on arrays, in one call: many combinations of weights, seeds and styles at once."""

from collections.abc import Callable, Sequence

import jax
from jaxtyping import PyTree

from stylejax.devices.hosts import on_host
from stylejax.devices.memory import Device
from stylejax.errors import InputError
from stylejax.images.arrays import PictureLike, PicturesLike, as_pixels
from stylejax.images.color import colors_before
from stylejax.images.masks import Mask, Masks
from stylejax.options import Options, check_options, flatten_options
from stylejax.solvers.steps import chunks_of_about
from stylejax.sweep.combinations import VARYING
from stylejax.sweep.lanes import shared_options
from stylejax.sweep.solver import BatchProgress, SweepSolver, memory_room
from stylejax.transfer.history import History, extend_history, start_history
from stylejax.transfer.interrupt import interruptible
from stylejax.transfer.pictures import Pictures, given_pictures
from stylejax.transfer.pyramid import pyramid_levels
from stylejax.transfer.transfer import (
    SECONDS_BETWEEN_LOOKS,
    Result,
    finished_picture,
)
from stylejax.weights.read import Weights, read_weights


def _check_alike(lanes: Sequence[Options], styles: int) -> None:
    """Lanes run as one program: they may differ in the numbers that are its arguments only."""
    if not lanes:
        raise InputError("no options: give those of at least one picture")
    first = flatten_options(lanes[0])
    for lane in lanes:
        check_options(lane, styles)
        for name, value in flatten_options(lane).items():
            if name not in VARYING and value != first[name]:
                raise InputError(
                    f"{name} is {value!r} and {first[name]!r} in one sweep: only "
                    f"{', '.join(VARYING)} may differ"
                )


def _lane(tree: PyTree, lane: int, rows: int | None = None) -> PyTree:
    """What belongs to one lane; of a trace, this many rows."""
    return jax.tree.map(lambda leaf: leaf[lane, ...] if rows is None else leaf[lane, :rows], tree)


def _extended(histories: list[History], progress: BatchProgress) -> list[History]:
    """The history of each lane, with the iterations of the last step."""
    step = progress.step
    if not histories:
        start = on_host(step.state._replace(params=None, inner=None))
        return [start_history(_lane(start, n)) for n in range(len(progress.lanes))]
    return [
        extend_history(history, _lane(step.trace, n, int(step.taken[n])), progress.level)
        for n, history in enumerate(histories)
    ]


def _solve_batch(
    solver: SweepSolver,
    lanes: Sequence[Options],
    asked: Callable[[BatchProgress], bool],
) -> list[Result]:
    """The results of one batch."""
    histories, progress, stopped = [], None, False
    for progress in solver.steps(lanes, pace=chunks_of_about(SECONDS_BETWEEN_LOOKS)):
        histories = _extended(histories, progress)
        if asked(progress):
            stopped = not progress.done
            break
    assert progress is not None
    failed = progress.step.failed
    return [
        Result(picture, history, bool(bad), stopped, lane)
        for picture, history, bad, lane in zip(
            progress.pictures(), histories, failed, lanes, strict=False
        )
    ]


def style_sweep(
    content: PictureLike,
    styles: PicturesLike,
    options: Sequence[Options],
    *,
    weights: Weights | None = None,
    init: PictureLike | None = None,
    masks: Masks | None = None,
    keep: Mask | None = None,
    devices: Sequence[Device] | None = None,
    callback: Callable[[BatchProgress], object] | None = None,
) -> list[Result]:
    """Solve for one picture for each of several options, as many at once as memory holds.

    The combinations are lanes of one program: they share pictures, network and targets, and
    compile once. An interrupt (Ctrl-C) ends the sweep with what there is.

    Args:
        content: the content picture (`as_picture`); the results have its size.
        styles: one or more style pictures, likewise; `loss.style_blend` says which of them a
            combination takes.
        options: of each combination; they may differ in what a sweep varies (`VARYING`).
        weights: the network's weights; the bundled ones unless given.
        init: the picture to start from, in place of the one that the options name.
        masks: as for `style_transfer`.
        keep: likewise.
        devices: over which the combinations are spread; the first one unless given.
        callback: called with a `BatchProgress` at a batch's start and about once a second; where
            it returns something true, the sweep ends there.

    Returns:
        A result for each combination, in their order; fewer where the sweep ended before.

    Raises:
        InputError: what is given is no picture, an option is out of range or names an unknown
            layer, options differ in what lanes must have in common, or the masks do not fit.
    """
    content, painted, masks, keep = given_pictures(content, styles, masks, keep)
    _check_alike(options, len(painted))
    weights = read_weights() if weights is None else weights
    devices = jax.devices()[:1] if devices is None else devices
    kept = options[0].picture.kept_color
    solver = SweepSolver(
        weights,
        Pictures(*colors_before(kept, content, painted), masks, keep),
        shared_options(options),
        pyramid_levels(options[0], *content.shape[:2]),
        devices,
        lambda image: finished_picture(image, content, kept),
        start=None if init is None else as_pixels(init, "init"),
    )
    solver.fit(len(options), len(options), memory_room(devices[0], len(devices)))
    results: list[Result] = []
    with interruptible() as interrupted:
        ask = lambda progress: bool(callback is not None and callback(progress)) or interrupted()
        for first in range(0, len(options), solver.size):
            results += _solve_batch(solver, options[first : first + solver.size], ask)
            if results[-1].stopped or interrupted():
                break
    return results
