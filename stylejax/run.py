"""A whole run from files to files: read, check, solve in steps, save between them, write.

This is the rim: disk and clock are touched here, the terminal only through the `Observer` that the
caller passes.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from stylejax.checkpoint import (
    Checkpoint,
    checkpoint_path,
    load_checkpoint,
    remove_checkpoint,
    restored,
    save_checkpoint,
)
from stylejax.color import colors_after, colors_before, luminance_of
from stylejax.config import STARTS, DeviceName, NetworkName, Options, check_options
from stylejax.device import (
    available_memory,
    check_memory,
    estimated_memory,
    find_device,
    fixed_memory,
)
from stylejax.errors import InputError
from stylejax.files import check_writable, replace_file
from stylejax.history import (
    History,
    check_plotting,
    extended,
    history_csv,
    history_plot,
    start_history,
)
from stylejax.image import (
    check_output,
    covering,
    picture_size,
    read_picture,
    resize,
    scaled_size,
    write_picture,
)
from stylejax.layers import canonical_layers
from stylejax.masks import Mask, Masks, check_masks
from stylejax.pyramid import Level, pyramid
from stylejax.settings import Settings, file_entry, make_settings, settings_text
from stylejax.solver import CHUNK, SolverState, ended
from stylejax.transfer import Pictures, Problem, level_problem
from stylejax.types import Alpha, OtherPixels, Pixels
from stylejax.weights import Weights, read_weights

MASK_TOLERANCE = 0.02
"""By how much the aspect of a mask may differ from its picture's."""
SECONDS_BETWEEN_LOOKS = 0.7
SECONDS_BETWEEN_CHECKPOINTS = 5.0
CHECKPOINT_SHARE = 0.05
"""Largest share of the time that checkpoints may take."""


@dataclass(frozen=True)
class Request:
    """What one run is asked to do."""

    content: Path
    styles: tuple[Path, ...]
    output: Path
    options: Options = field(default_factory=Options)
    weights: Path | None = None
    network: NetworkName | None = None
    device: DeviceName | None = None
    save_every: int = 0
    resume: bool = False
    history: Path | None = None
    plot: Path | None = None
    content_masks: tuple[Path, ...] = ()
    style_masks: tuple[Path, ...] = ()

    @property
    def init_picture(self) -> Path | None:
        """The picture file to start from, where `init` names one."""
        init = self.options.picture.init
        return None if init in STARTS else Path(init)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file that is read."""
        optional = (self.init_picture, self.weights)
        masks = (*self.content_masks, *self.style_masks)
        return (
            self.content,
            *self.styles,
            *masks,
            *(path for path in optional if path is not None),
        )


class Observer(NamedTuple):
    """What a run tells while it goes on, and what it asks.

    `stage` gets a word on what is being done; `progress`, after each look at the solver, the
    history, the seconds an iteration takes and about how many seconds are left; `stop` is asked
    between looks whether to end early.
    """

    stage: Callable[[str], None] = lambda text: None
    progress: Callable[[History, float, float], None] = lambda history, rate, left: None
    stop: Callable[[], bool] = lambda: False


class Summary(NamedTuple):
    """How a run ended.

    `failed`: the loss became non-finite; `stopped`: `Observer.stop` said so; `converged`: nothing
    lowered the loss any further.
    """

    output: Path
    weights: Weights
    device: str
    device_kind: str
    history: History
    evaluations: int
    seconds_compile: float
    seconds_solve: float
    failed: bool
    stopped: bool
    converged: bool


class _Prepared(NamedTuple):
    request: Request
    device: jax.Device  # pyright: ignore[reportInvalidTypeForm]
    weights: Weights
    size: tuple[int, int]
    levels: tuple[Level, ...]
    settings: Settings


def snapshot_path(output: Path, iteration: int) -> Path:
    """Where the picture after some iterations is saved: `out-0010.png` for `out.png`."""
    return output.with_name(f"{output.stem}-{iteration:04d}{output.suffix}")


def _check_outputs(request: Request) -> None:
    """Refuse outputs that could not be written, or would be written over an input."""
    check_output(request.output, request.options.picture.bits)
    if request.plot is not None:
        check_plotting()
        if request.plot.suffix.lower() != ".png":
            raise InputError(f"--plot {request.plot}: is drawn as PNG; name it .png")
    outputs = [request.output, *(path for path in (request.history, request.plot) if path)]
    for index, output in enumerate(outputs):
        check_writable(output)
        if any(output.resolve() == other.resolve() for other in outputs[:index]):
            raise InputError(f"{output}: is named for two outputs; name another file")
    every, last = request.save_every, request.options.solve.iterations
    snapshots = range(every, last + 1, every) if every else ()
    written = [*outputs, *(snapshot_path(request.output, iteration) for iteration in snapshots)]
    for output in filter(Path.exists, written):
        for path in request.inputs:
            if path.exists() and output.samefile(path):
                raise InputError(f"{output}: is an input of this run; name another output")


def _fitted_sizes(request: Request) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Height and width of the result and of each style picture; all are looked at, none decoded."""
    options = request.options.picture
    longest = options.longest
    size = options.height_and_width or scaled_size(request.content, longest)
    of_styles = max(1, round(longest * options.style_scale))
    return size, [scaled_size(path, of_styles) for path in request.styles]


def _checked_size(request: Request) -> tuple[int, int]:
    """The result's height and width."""
    if request.init_picture is not None:
        picture_size(request.init_picture)
    _check_masks_fit(request)
    return _fitted_sizes(request)[0]


def _check_masks_fit(request: Request) -> None:
    """A mask may have another size than its picture, but not another shape."""
    pairs = [(mask, request.content) for mask in request.content_masks]
    pairs += list(zip(request.style_masks, request.styles, strict=False))
    for mask, path in pairs:
        (rows, columns), (height, width) = picture_size(mask), picture_size(path)
        if abs(math.log(columns / rows * height / width)) > MASK_TOLERANCE:
            raise InputError(
                f"{mask}: {columns} x {rows} pixels are of another shape than {path} "
                f"({width} x {height}); paint the mask over that picture"
            )
    if request.style_masks and not request.content_masks:
        raise InputError("--style-mask without --content-mask: say where the styles go")


def _prepare(request: Request) -> _Prepared:
    """Everything that can go wrong for the user, before anything takes long or is written."""
    options = request.options
    check_options(options, len(request.styles))
    if request.save_every < 0:
        raise InputError(f"--save-every is {request.save_every}: give 0 (never) or more")
    _check_outputs(request)
    size = _checked_size(request)
    levels = pyramid(options, *size)
    device = find_device(request.device)
    weights = read_weights(request.weights, network=request.network)
    layers = (*options.loss.content_layers, *options.loss.style_layers)
    for kind in (options.loss.content_layers, options.loss.style_layers):
        canonical_layers(kind, weights.architecture)
    pairs = options.solve.lbfgs_history if options.solve.solver != "adam" else 1
    needed = estimated_memory(*size, layers, 2 * pairs + 3, weights.architecture)
    fixed = fixed_memory(layers, weights.architecture)
    check_memory(needed, available_memory(device), options.picture.longest, fixed)
    settings = make_settings(
        options, request.content, request.styles, weights, device.platform, request.init_picture
    )
    masks = {"content_masks": request.content_masks, "style_masks": request.style_masks}
    settings |= {
        kind: [file_entry(path) for path in given] for kind, given in masks.items() if given
    }
    return _Prepared(request, device, weights, size, levels, settings)


class _Read(NamedTuple):
    """What was read: `pictures` are as the solve is given them, `colors` the photograph's own."""

    pictures: Pictures
    colors: Pixels
    alpha: Alpha | None
    start: OtherPixels | None


def _read_mask(path: Path, height: int, width: int) -> Mask:
    return resize(luminance_of(read_picture(path).pixels), height, width)


def _read_pictures(request: Request) -> _Read:
    options = request.options.picture
    (height, width), style_sizes = _fitted_sizes(request)
    content = read_picture(request.content)
    inside = lambda pixels: covering(pixels, height, width)
    masks = None
    if request.content_masks:
        native = content.pixels.shape[:2]
        of_content = tuple(inside(_read_mask(path, *native)) for path in request.content_masks)
        of_styles = tuple(
            _read_mask(path, *size)
            for path, size in zip(request.style_masks, style_sizes, strict=False)
        )
        masks = Masks(of_content, of_styles)
        check_masks(masks, len(request.styles))
    styles = [
        resize(read_picture(path).pixels, *size)
        for path, size in zip(request.styles, style_sizes, strict=True)
    ]
    colors, init = inside(content.pixels), request.init_picture
    return _Read(
        Pictures(*colors_before(options.preserve_color, colors, styles), masks),
        colors,
        None if content.alpha is None else inside(content.alpha),
        None if init is None else read_picture(init).pixels,
    )


class _Saver:
    """Snapshots and checkpoints between steps, and the final files."""

    def __init__(self, prepared: _Prepared, read: _Read) -> None:
        self.request, self.settings = prepared.request, prepared.settings
        self.size, self.read = prepared.size, read
        self.next_checkpoint = time.monotonic() + SECONDS_BETWEEN_CHECKPOINTS

    def between_steps(self, problem: Problem, solved: Checkpoint) -> None:
        every, iteration = self.request.save_every, int(solved.history["iteration"][-1])
        if every and iteration % every == 0:
            self.picture(snapshot_path(self.request.output, iteration), problem, solved)
        began = time.monotonic()
        if began >= self.next_checkpoint:
            self.checkpoint(solved)
            pause = (time.monotonic() - began) / CHECKPOINT_SHARE
            self.next_checkpoint = time.monotonic() + max(pause, SECONDS_BETWEEN_CHECKPOINTS)

    def checkpoint(self, solved: Checkpoint) -> None:
        save_checkpoint(checkpoint_path(self.request.output), self.settings, solved)

    def picture(self, path: Path, problem: Problem, solved: Checkpoint) -> None:
        """Write the picture as it is; that of a coarser level is enlarged."""
        history = solved.history
        names = ("loss", "content", "style", "total_variation")
        result = {"iterations": int(history["iteration"][-1])}
        result["evaluations"] = int(history["evaluations"].sum())
        result |= {name: float(history[name][-1]) for name in names}
        options = self.request.options.picture
        assert isinstance(solved.state, SolverState)
        image = covering(problem.image(solved.state), *self.size)
        write_picture(
            path,
            colors_after(options.preserve_color, image, self.read.colors),
            self.read.alpha,
            bits=options.bits,
            quality=options.quality,
            description=settings_text(self.settings, result),
        )

    def end(self, problem: Problem, solved: Checkpoint, stopped: bool) -> None:
        self.picture(self.request.output, problem, solved)
        if self.request.history is not None:
            replace_file(self.request.history, history_csv(solved.history).encode())
        if self.request.plot is not None:
            replace_file(self.request.plot, history_plot(solved.history))
        if stopped:
            self.checkpoint(solved)
        else:
            remove_checkpoint(checkpoint_path(self.request.output))


def _begin(
    init: Callable[..., Any],
    advance: Callable[..., Any],
    problem: Problem,
    suspended: Checkpoint,
) -> Checkpoint:
    """A level's first state, evaluated, or the suspended one."""
    if suspended.state is None:
        fresh = init(problem.start, *problem.arguments)
        state, _ = advance(fresh, np.int32(0), *problem.arguments)
        history = suspended.history or start_history(state)
        return suspended._replace(state=state, history=history)
    assert isinstance(suspended.state, list)
    template = jax.eval_shape(problem.solver.init, problem.start, *problem.arguments)
    return suspended._replace(state=restored(suspended.state, template))


def _solve(
    advance: Callable[..., Any],
    problem: Problem,
    levels: tuple[Level, ...],
    solved: Checkpoint,
    saver: _Saver,
    observer: Observer,
) -> Checkpoint:
    """Take all steps of a level, as many at once as fit between two looks."""
    state, history = solved.state, solved.history
    assert isinstance(state, SolverState)
    level, *finer = levels[solved.level - 1 :]
    # In iterations of this level's size.
    later = sum(of.iterations * (of.scale / level.scale) ** 2 for of in finer)
    every, at_once, first, seconds = saver.request.save_every, 1, int(state.iteration), 0.0
    while int(state.iteration) < level.iterations and not ended(state) and not observer.stop():
        before, began = int(state.iteration), time.monotonic()
        done = int(history["iteration"][-1])
        to_snapshot = every - done % every if every else CHUNK
        steps = min(at_once, level.iterations - before, to_snapshot)
        state, trace = advance(state, np.int32(steps), *problem.arguments)
        taken = int(state.iteration) - before
        elapsed = time.monotonic() - began
        seconds += elapsed
        at_once = max(1, min(CHUNK, int(SECONDS_BETWEEN_LOOKS * steps / elapsed)))
        history = extended(history, trace, taken, solved.level)
        rate = seconds / max(int(state.iteration) - first, 1)
        left = level.iterations - int(state.iteration) + later
        observer.progress(history, rate, rate * left)
        solved = solved._replace(state=state, history=history)
        if not state.failed:
            saver.between_steps(problem, solved)
    return solved


class _Outcome(NamedTuple):
    problem: Problem
    solved: Checkpoint
    seconds_compile: float
    seconds_solve: float


def _solve_levels(
    prepared: _Prepared,
    read: _Read,
    suspended: Checkpoint,
    saver: _Saver,
    observer: Observer,
) -> _Outcome:
    """Solve level after level, each from the solution of the one before."""
    levels, options, start = prepared.levels, prepared.request.options, read.start
    solved, compiling, solving = suspended, 0.0, 0.0
    while True:
        level = levels[solved.level - 1]
        problem = level_problem(prepared.weights, read.pictures, options, level, start)
        if solved.level == 1 and solved.state is None:
            # From here on a kill at any moment leaves something to resume from.
            saver.checkpoint(solved)
        which = f"{level.width} x {level.height}, level {solved.level} of {len(levels)}"
        observer.stage("compiling" if len(levels) == 1 else f"compiling {which}")
        began = time.monotonic()
        init, advance = problem.solver.compile(problem.start, *problem.arguments)
        compiling += time.monotonic() - began
        observer.stage("solving" if len(levels) == 1 else f"solving {which}")
        began = time.monotonic()
        solved = _begin(init, advance, problem, solved)
        solved = _solve(advance, problem, levels, solved, saver, observer)
        solving += time.monotonic() - began
        assert isinstance(solved.state, SolverState)
        if solved.level == len(levels) or solved.state.failed or observer.stop():
            return _Outcome(problem, solved, compiling, solving)
        start = problem.image(solved.state)
        solved = Checkpoint(solved.level + 1, None, solved.history)


def run(request: Request, observer: Observer | None = None) -> Summary:
    """Make the picture that a request asks for.

    Raises:
        InputError: something in the request cannot be used; nothing has been written then.
    """
    observer = Observer() if observer is None else observer
    observer.stage("preparing")
    prepared = _prepare(request)
    checkpoint = checkpoint_path(request.output)
    with jax.default_device(prepared.device):
        read = _read_pictures(request)
        saver = _Saver(prepared, read)
        suspended = Checkpoint(1, None, {})
        if request.resume:
            suspended = load_checkpoint(checkpoint, prepared.settings)
        problem, solved, compiling, solving = _solve_levels(
            prepared, read, suspended, saver, observer
        )
        state, history = solved.state, solved.history
        assert isinstance(state, SolverState)
        finished = ended(state) or int(state.iteration) == prepared.levels[-1].iterations
        failed = bool(state.failed)
        stopped = not failed and not (finished and solved.level == len(prepared.levels))
        saver.end(problem, solved, stopped)
    return Summary(
        request.output,
        prepared.weights,
        prepared.device.platform,
        prepared.device.device_kind,
        history,
        int(history["evaluations"].sum()),
        compiling,
        solving,
        failed,
        stopped,
        bool(state.converged),
    )
