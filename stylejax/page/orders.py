"""Orders of the page made into requests of `runs`, as the command line makes them.

Each function here checks what can be checked without opening a file, which is refused at once, and
returns what is to be done when it is the order's turn.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from stylejax.feedforward.options import (
    ApplyOptions,
    ApplyPictureOptions,
    ApplySettings,
    check_apply_options,
)
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions, check_options
from stylejax.runs.apply import run_apply
from stylejax.runs.apply_request import ApplyRequest
from stylejax.runs.apply_sweep import run_apply_sweep
from stylejax.runs.observer import Observer
from stylejax.runs.pass_sweep import check_sweep_method
from stylejax.runs.request import Request, SweepRequest
from stylejax.runs.sweep import SweepObserver, run_sweep
from stylejax.runs.sweep_progress import SweepProgress
from stylejax.runs.transfer import run_transfer
from stylejax.runs.universal import run_universal
from stylejax.runs.universal_request import UniversalRequest, check_universal_request
from stylejax.runs.universal_sweep import run_universal_sweep
from stylejax.runs.upscale import run_upscale
from stylejax.runs.upscale_request import UpscaleRequest
from stylejax.superresolution.options import (
    UpscaleOptions,
    UpscalePictureOptions,
    UpscaleSettings,
)
from stylejax.sweep.combinations import (
    Combinations,
    SweptLossOptions,
    SweptOptions,
    SweptPictureOptions,
)
from stylejax.transfer.levels import Progress
from stylejax.universal.options import (
    UniversalOptions,
    UniversalPictureOptions,
    UniversalSettings,
)

NON_FINITE = "the loss is not finite any more: this is the last good picture; try smaller weights"


Values = Mapping[str, Any]
"""Of a group of options, each of its field's type."""


class Order(NamedTuple):
    """What a job is made of: files, values of its options by group, and where its result goes.

    `content`, `styles` and masks are files of ours; `values` has a dictionary for each group of
    the method's form, in that order.
    """

    values: tuple[Values, ...]
    content: Path
    styles: tuple[Path, ...]
    content_masks: tuple[Path, ...]
    style_masks: tuple[Path, ...]
    weights: Path | None
    output: Path
    resume: bool = False


class JobObserver(NamedTuple):
    """What a job tells while it goes on, and what it asks."""

    stage: Callable[[str], None]
    progress: Callable[[Progress], None]
    grid: Callable[[Combinations], None]
    lanes: Callable[[SweepProgress], None]
    finished: Callable[[str], None]
    stop: Callable[[], bool]


class Ending(NamedTuple):
    """How a job ended; `message` says what is wrong with the result."""

    stopped: bool = False
    message: str = ""


Work = Callable[[JobObserver], Ending]
"""What answers an order, once it is its turn."""


def order_transfer(order: Order) -> Work:
    """A picture that is solved for.

    Raises:
        InputError: an option is out of range.
    """
    loss, picture, solve = order.values
    options = Options(PictureOptions(**picture), LossOptions(**loss), SolverOptions(**solve))
    check_options(options, len(order.styles))
    request = Request(
        order.content,
        order.styles,
        order.output,
        options,
        content_masks=order.content_masks,
        style_masks=order.style_masks,
        weights=order.weights,
        resume=order.resume,
    )

    def work(observer: JobObserver) -> Ending:
        summary = run_transfer(request, Observer(observer.stage, observer.progress, observer.stop))
        return Ending(summary.stopped, NON_FINITE if summary.failed else "")

    return work


def _in_one_pass(paint: Callable[[], object]) -> Work:
    """What takes one pass: it can be stopped before it begins."""

    def work(observer: JobObserver) -> Ending:
        if observer.stop():
            return Ending(stopped=True)
        observer.stage("painting")
        paint()
        return Ending()

    return work


def order_universal(order: Order) -> Work:
    """A picture that takes the statistics of any painting.

    Raises:
        InputError: an option is out of range.
    """
    transfer, picture = order.values
    settings = UniversalSettings(UniversalOptions(**transfer), UniversalPictureOptions(**picture))
    request = UniversalRequest(
        order.content,
        order.styles,
        output=order.output,
        content_masks=order.content_masks,
        style_masks=order.style_masks,
        options=settings,
    )
    check_universal_request(request)
    return _in_one_pass(lambda: run_universal(request))


def order_apply(order: Order) -> Work:
    """A picture in learned styles.

    Raises:
        InputError: no style is chosen, or an option is out of range.
    """
    paint, picture = order.values
    settings = ApplySettings(ApplyOptions(**paint), ApplyPictureOptions(**picture))
    check_apply_options(settings)
    request = ApplyRequest(
        (order.content,),
        output=order.output,
        options=settings,
        content_masks=order.content_masks,
    )
    return _in_one_pass(lambda: run_apply(request))


def order_upscale(order: Order) -> Work:
    """A picture enlarged by the bundled networks.

    Raises:
        InputError: an option is out of range.
    """
    enlarge, picture = order.values
    settings = UpscaleSettings(UpscaleOptions(**enlarge), UpscalePictureOptions(**picture))
    request = UpscaleRequest((order.content,), output=order.output, options=settings)
    request.check()
    return _in_one_pass(lambda: run_upscale(request))


_RUN_SWEEP = {
    "transfer": run_sweep,
    "universal": run_universal_sweep,
    "apply": run_apply_sweep,
}


def order_sweep(order: Order) -> Work:
    """Every combination of several values, by one of the methods.

    Raises:
        InputError: an option is out of range or of no use, or there are too many combinations.
    """
    how, loss, picture, solve = order.values
    options = SweptOptions(
        SweptPictureOptions(**picture), SweptLossOptions(**loss), SolverOptions(**solve)
    )
    request = SweepRequest(
        order.content,
        order.styles,
        output=order.output,
        options=options,
        content_masks=order.content_masks,
        style_masks=order.style_masks,
        weights=order.weights,
        resume=order.resume,
        **how,
    )
    if request.method == "apply":
        # The paintings that lie on the page are of no use then.
        request = replace(request, styles=(), style_masks=())
    check_sweep_method(request)
    if request.method == "transfer":
        # Made, and so checked.
        assert request.grid.lanes

    def work(observer: JobObserver) -> Ending:
        summary = _RUN_SWEEP[request.method](
            request,
            SweepObserver(
                stage=observer.stage,
                progress=observer.lanes,
                stop=observer.stop,
                grid=observer.grid,
                finished=observer.finished,
            ),
        )
        failed = f"{NON_FINITE} ({', '.join(summary.failed)})" if summary.failed else ""
        return Ending(summary.stopped, failed)

    return work
