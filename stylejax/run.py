"""A whole run from files to files: read, check, solve in steps, save between them, write.

This is the rim: disk and clock are touched here, the terminal only through the `Observer` that the
caller passes.
"""

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
    save_checkpoint,
)
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
    Picture,
    check_output,
    picture_size,
    read_picture,
    scaled_size,
    write_picture,
)
from stylejax.layers import canonical_layers
from stylejax.settings import Settings, make_settings, settings_text
from stylejax.solver import CHUNK, SolverState, ended
from stylejax.transfer import Problem, make_problem, start_picture
from stylejax.weights import Weights, read_weights

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

    @property
    def init_picture(self) -> Path | None:
        """The picture file to start from, where `init` names one."""
        init = self.options.picture.init
        return None if init in STARTS else Path(init)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file that is read."""
        optional = (self.init_picture, self.weights)
        return (self.content, *self.styles, *(path for path in optional if path is not None))


class Observer(NamedTuple):
    """What a run tells while it goes on, and what it asks.

    `stage` gets a word on what is being done, `progress` the history and the seconds of solving so
    far after each look at the solver; `stop` is asked between looks whether to end early.
    """

    stage: Callable[[str], None] = lambda text: None
    progress: Callable[[History, float], None] = lambda history, seconds: None
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


def _checked_size(request: Request) -> tuple[int, int]:
    """The result's height and width; all pictures are looked at, none is decoded."""
    longest = request.options.picture.size
    if request.init_picture is not None:
        picture_size(request.init_picture)
    sizes = [scaled_size(path, longest) for path in (request.content, *request.styles)]
    return sizes[0]


def _prepare(request: Request) -> _Prepared:
    """Everything that can go wrong for the user, before anything takes long or is written."""
    options = request.options
    check_options(options, len(request.styles))
    if request.save_every < 0:
        raise InputError(f"--save-every is {request.save_every}: give 0 (never) or more")
    _check_outputs(request)
    size = _checked_size(request)
    device = find_device(request.device)
    weights = read_weights(request.weights, network=request.network)
    layers = (*options.loss.content_layers, *options.loss.style_layers)
    for kind in (options.loss.content_layers, options.loss.style_layers):
        canonical_layers(kind, weights.architecture)
    pairs = options.solve.lbfgs_history if options.solve.solver != "adam" else 1
    needed = estimated_memory(*size, layers, 2 * pairs + 3, weights.architecture)
    fixed = fixed_memory(layers, weights.architecture)
    check_memory(needed, available_memory(device), options.picture.size, fixed)
    settings = make_settings(
        options, request.content, request.styles, weights, device.platform, request.init_picture
    )
    return _Prepared(request, device, weights, size, settings)


def _read_pictures(prepared: _Prepared) -> tuple[Picture, Problem]:
    request, options = prepared.request, prepared.request.options
    content = read_picture(request.content, options.picture.size)
    styles = [read_picture(path, options.picture.size).pixels for path in request.styles]
    init = request.init_picture
    given = None if init is None else read_picture(init).pixels
    start = start_picture(options, content.pixels, styles, given)
    return content, make_problem(prepared.weights, content.pixels, styles, options, start)


class _Saver:
    """Snapshots and checkpoints between steps, and the final files."""

    def __init__(self, prepared: _Prepared, problem: Problem, content: Picture) -> None:
        self.request, self.settings = prepared.request, prepared.settings
        self.problem, self.alpha = problem, content.alpha
        self.next_checkpoint = time.monotonic() + SECONDS_BETWEEN_CHECKPOINTS

    def between_steps(self, state: SolverState, history: History) -> None:
        every, iteration = self.request.save_every, int(state.iteration)
        if every and iteration % every == 0:
            self.picture(snapshot_path(self.request.output, iteration), state, history)
        began = time.monotonic()
        if began >= self.next_checkpoint:
            save_checkpoint(checkpoint_path(self.request.output), self.settings, state, history)
            pause = (time.monotonic() - began) / CHECKPOINT_SHARE
            self.next_checkpoint = time.monotonic() + max(pause, SECONDS_BETWEEN_CHECKPOINTS)

    def picture(self, path: Path, state: SolverState, history: History) -> None:
        names = ("loss", "content", "style", "total_variation")
        result = {"iterations": int(state.iteration), "evaluations": int(state.evaluations)}
        result |= {name: float(history[name][-1]) for name in names}
        options = self.request.options.picture
        write_picture(
            path,
            self.problem.image(state),
            self.alpha,
            bits=options.bits,
            quality=options.quality,
            description=settings_text(self.settings, result),
        )

    def end(self, state: SolverState, history: History, stopped: bool) -> None:
        self.picture(self.request.output, state, history)
        if self.request.history is not None:
            replace_file(self.request.history, history_csv(history).encode())
        if self.request.plot is not None:
            replace_file(self.request.plot, history_plot(history))
        path = checkpoint_path(self.request.output)
        if stopped:
            save_checkpoint(path, self.settings, state, history)
        else:
            remove_checkpoint(path)


def _solve(
    advance: Callable[..., Any],
    problem: Problem,
    saver: _Saver,
    suspended: Checkpoint,
    observer: Observer,
) -> tuple[SolverState, History]:
    """Take all steps, as many at once as fit between two looks."""
    state, history = suspended.state, suspended.history
    assert state is not None
    total, every = saver.request.options.solve.iterations, saver.request.save_every
    at_once, seconds = 1, 0.0
    while int(state.iteration) < total and not ended(state) and not observer.stop():
        before, began = int(state.iteration), time.monotonic()
        to_snapshot = every - before % every if every else total
        steps = min(at_once, total - before, to_snapshot)
        state, trace = advance(state, np.int32(steps), *problem.arguments)
        taken = int(state.iteration) - before
        elapsed = time.monotonic() - began
        seconds += elapsed
        at_once = max(1, min(CHUNK, int(SECONDS_BETWEEN_LOOKS * steps / elapsed)))
        history = extended(history, trace, taken)
        observer.progress(history, seconds)
        if not state.failed:
            saver.between_steps(state, history)
    return state, history


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
        content, problem = _read_pictures(prepared)
        suspended = Checkpoint(None, {})
        if request.resume:
            template = jax.eval_shape(problem.solver.init, problem.start, *problem.arguments)
            suspended = load_checkpoint(checkpoint, prepared.settings, template)
        else:
            # From here on a kill at any moment leaves something to resume from.
            save_checkpoint(checkpoint, prepared.settings, None, {})
        saver = _Saver(prepared, problem, content)
        observer.stage("compiling")
        began = time.monotonic()
        init, advance = problem.solver.compile(problem.start, *problem.arguments)
        seconds_compile = time.monotonic() - began
        observer.stage("solving")
        began = time.monotonic()
        if suspended.state is None:
            fresh = init(problem.start, *problem.arguments)
            state, _ = advance(fresh, np.int32(0), *problem.arguments)
            suspended = Checkpoint(state, start_history(state))
        state, history = _solve(advance, problem, saver, suspended, observer)
        seconds = time.monotonic() - began
        failed = bool(state.failed)
        stopped = not ended(state) and int(state.iteration) < request.options.solve.iterations
        saver.end(state, history, stopped)
    return Summary(
        request.output,
        prepared.weights,
        prepared.device.platform,
        prepared.device.device_kind,
        history,
        int(state.evaluations),
        seconds_compile,
        seconds,
        failed,
        stopped,
        bool(state.converged),
    )
