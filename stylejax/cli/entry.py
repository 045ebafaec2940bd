"""The command line: parse, call one function, print. Exit codes: 0 done, 2 bad input, 1 failed."""

import contextlib
import io
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Union, get_args

import jax
import platformdirs
import tyro
from tyro.conf import OmitArgPrefixes

from stylejax.cli.commands import (
    ConvertWeights,
    Demo,
    FetchWeights,
    Layers,
    ListWeights,
    PlaceOptions,
    Reconstruct,
    RunOptions,
    Show,
    Sweep,
    SweepOptions,
    Transfer,
    VerifyWeights,
    WeightFiles,
)
from stylejax.cli.display import ProgressDisplay, SweepDisplay, download_display, figure_display
from stylejax.devices.hosts import is_first_process, join_processes
from stylejax.errors import InputError
from stylejax.images.samples import sample_picture
from stylejax.networks.layers import ARCHITECTURES, layer_table
from stylejax.options import NetworkName, Options
from stylejax.runs.metadata import network_like, options_like, read_record
from stylejax.runs.reconstruction import FigureRequest, run_reconstruction
from stylejax.runs.request import Request
from stylejax.runs.sweep import SweepObserver, SweepRequest, SweepSummary, run_sweep
from stylejax.runs.transfer import Observer, Summary, run_transfer
from stylejax.sweep.combinations import MOST_UNASKED, as_lists, make_combinations
from stylejax.transfer.presets import PRESETS, network_options, preset_options
from stylejax.weights.convert import convert_weights, describe_weights
from stylejax.weights.fetch import fetch_weights
from stylejax.weights.read import read_network
from stylejax.weights.zoo import find_weights, weights_rows

INTERRUPTED = 130


def _comma_separated(info: Any) -> tyro.constructors.PrimitiveConstructorSpec | None:
    """Read tuples of names or numbers from one argument: 3,1."""
    if info.type not in (tuple[str, ...], tuple[float, ...], tuple[int, ...]):
        return None
    element = get_args(info.type)[0]
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="NAME,..." if element is str else "X,...",
        instance_from_str=lambda given: tuple(
            element(part.strip()) for part in given[0].split(",") if part.strip()
        ),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(str(part) for part in value)],
    )


def _slash_separated(info: Any) -> tyro.constructors.PrimitiveConstructorSpec | None:
    """Read several tuples of numbers from one argument: 3,1/1,1."""
    if info.type != tuple[tuple[float, ...], ...]:
        return None
    numbers = lambda part: tuple(float(x.strip()) for x in part.split(",") if x.strip())
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="X,.../X,...",
        instance_from_str=lambda given: tuple(map(numbers, given[0].split("/"))),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: ["/".join(",".join(map(str, part)) for part in value)],
    )


def _given(arguments: Sequence[str], flag: str) -> str | None:
    """The value of an option that must be known before the others can be read; the last counts."""
    value = None
    for index, argument in enumerate(arguments):
        if argument == flag and index + 1 < len(arguments):
            value = arguments[index + 1]
        elif argument.startswith(f"{flag}="):
            value = argument.removeprefix(f"{flag}=")
    return value


def _defaults(arguments: Sequence[str]) -> Transfer:
    """The defaults of this run.

    They are those of the picture that `--like` names, else of the network; `--preset` goes over
    them.
    """
    like, preset = _given(arguments, "--like"), _given(arguments, "--preset")
    weights, network = _given(arguments, "--weights"), _given(arguments, "--network")
    asked: NetworkName | None = None
    names: tuple[str, ...] = ("content", "styles", "output")
    content, styles, options = Path(), (), None
    if like is not None:
        settings = read_record(Path(like))
        options, asked = options_like(Path(like), settings), network_like(settings)
        content, *rest = (Path(of["name"]) for of in (settings["content"], *settings["styles"]))
        styles, names = tuple(rest), ("output",)
    if preset in PRESETS:
        options, asked = preset_options(preset, options), PRESETS[preset].network
    if options is None:
        # The other commands solve nothing, and must work where the named weights are missing.
        solves = bool(arguments) and arguments[0] in ("transfer", "demo", "sweep")
        file = find_weights(Path(weights) if weights else None) if solves else None
        held = read_network(file) if file else "densenet121"
        options = network_options(network if network in ARCHITECTURES else held)
    groups = {"picture": options.picture, "loss": options.loss, "solver": options.solve}
    run_options = RunOptions(network=asked)
    return _required(Transfer(content, styles, Path(), **groups, run=run_options), *names)


def _sweep_defaults(transfer: Transfer) -> Sweep:
    """The defaults of a sweep: those of a single picture, with lists in place of numbers."""
    picture, loss = as_lists(transfer.options)
    sweep = Sweep(
        Path(),
        (),
        Path(),
        picture=picture,
        loss=loss,
        solver=transfer.solver,
        run=SweepOptions(network=transfer.run.network),
    )
    for name in ("content", "styles", "output"):
        # As in `_required`: some are marked.
        object.__setattr__(sweep, name, getattr(transfer, name))
    return sweep


def _required(command: Transfer, *names: str) -> Transfer:
    """Mark fields that must be given; set past the frozen class, whose types do not admit it."""
    for name in names:
        object.__setattr__(command, name, tyro.MISSING)
    return command


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn tyro's framed messages into one line; help and completion pass through untouched."""
    framed = io.StringIO()
    try:
        with contextlib.redirect_stderr(framed):
            yield
    except SystemExit as end:
        if end.code not in (0, None):
            inside = [line.strip("│ ") for line in framed.getvalue().splitlines()[1:]]
            rule = next((i for i, line in enumerate(inside) if line.startswith("──")), len(inside))
            message = " ".join(" ".join(inside[:rule]).split())
            message = message or " ".join(framed.getvalue().split())
            raise InputError(f"{message} (`stylejax --help` tells more)") from end
        raise


def parse(arguments: Sequence[str]) -> Any:
    """Turn command-line arguments into one of the command classes.

    Raises:
        InputError: the arguments make no sense.
        SystemExit: help was asked for.
    """
    for flag in ("--content-mask", "--style-mask"):
        if sum(argument.split("=")[0] == flag for argument in arguments) > 1:
            raise InputError(f"{flag} is given twice: name all files after one")
    transfer = _defaults(arguments)
    demo = Demo(
        picture=transfer.picture,
        loss=transfer.loss,
        solver=transfer.solver,
        run=transfer.run,
    )
    commands = Union[  # noqa: UP007 - the defaults are known only now
        Annotated[Transfer, tyro.conf.subcommand("transfer", default=transfer)],
        Annotated[Sweep, tyro.conf.subcommand("sweep", default=_sweep_defaults(transfer))],
        Annotated[Demo, tyro.conf.subcommand("demo", default=demo)],
        Annotated[Reconstruct, tyro.conf.subcommand("reconstruct")],
        Annotated[Layers, tyro.conf.subcommand("layers")],
        Annotated[Show, tyro.conf.subcommand("show")],
        Annotated[WeightFiles, tyro.conf.subcommand("weights")],
    ]
    registry = tyro.constructors.ConstructorRegistry()
    registry.primitive_rule(_comma_separated)
    registry.primitive_rule(_slash_separated)
    with _one_line_errors(), registry:
        return tyro.cli(
            commands,  # pyright: ignore[reportArgumentType]
            prog="stylejax",
            description="Neural style transfer with DenseNet-121 or VGG and L-BFGS in JAX.",
            args=list(arguments),
            config=(OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
        )


def _use_compile_cache() -> None:
    """Let JAX keep what it compiles, where the user has not told it a place already."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = platformdirs.user_cache_path("stylejax") / "compiled"
        jax.config.update("jax_compilation_cache_dir", str(folder))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        # Far below JAX's 1 s: a start is made of many small programs.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


@contextlib.contextmanager
def _interruptible() -> Iterator[Any]:
    """Let Ctrl-C ask for an end between steps; a second one ends at once."""
    asked: list[int] = []

    def handle(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _summary_lines(summary: Summary) -> Iterator[str]:
    history = summary.history
    spent = f"{history['iteration'][-1]} iterations, {summary.evaluations} evaluations"
    yield f"{summary.output}"
    yield f"  loss     {history['loss'][0]:.5g} -> {history['loss'][-1]:.5g} ({spent})"
    yield f"  seconds  {summary.seconds_compile:.1f} compiling, {summary.seconds_solve:.1f} solving"
    yield f"  weights  {summary.weights.name} (sha256 {summary.weights.sha256[:12]})"
    several = f"{summary.devices} x " if summary.devices > 1 else ""
    yield f"  device   {several}{summary.device} ({summary.device_kind})"
    if summary.converged:
        yield "  Nothing lowers the loss any further: ended before the last iteration."
    if not summary.weights.trained:
        yield "  These weights are random, for tests only: no style is seen; give --weights."


def _summary_json(summary: Summary) -> str:
    history = summary.history
    return json.dumps(
        {
            "output": str(summary.output),
            "weights": summary.weights.name,
            "device": summary.device,
            "iterations": int(history["iteration"][-1]),
            "evaluations": summary.evaluations,
            "loss_initial": float(history["loss"][0]),
            "loss_final": float(history["loss"][-1]),
            "seconds_compile": round(summary.seconds_compile, 3),
            "seconds_solve": round(summary.seconds_solve, 3),
        }
    )


def _use_place(place: PlaceOptions) -> None:
    """Make JAX ready for a run: its cache, and the other processes."""
    if place.compile_cache:
        _use_compile_cache()
    if place.coordinator is not None:
        join_processes(place.coordinator, place.num_processes, place.process_id)
    elif place.num_processes is not None or place.process_id is not None:
        raise InputError("--num-processes and --process-id need --coordinator")


def _request(command: Transfer | Sweep, options: Options) -> Request:
    """What both commands ask for."""
    return Request(
        content=command.content,
        styles=command.styles,
        output=command.output,
        options=options,
        weights=find_weights(command.run.weights),
        network=command.run.network,
        device=command.run.device,
        devices=command.run.devices,
        resume=command.run.resume,
        content_masks=command.content_mask,
        style_masks=command.style_mask,
    )


def _transfer(command: Transfer) -> int:
    extra = command.run
    _use_place(extra)
    request = replace(
        _request(command, command.options),
        save_every=extra.save_every,
        history=extra.history,
        plot=extra.plot,
    )
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(_interruptible())
        observer = Observer(stop=stop)
        if is_first_process() and not extra.quiet:
            display = stack.enter_context(ProgressDisplay(command.options.solve.iterations))
            observer = Observer(display.stage, display.progress, stop)
        summary = run_transfer(request, observer)
    if is_first_process() and extra.json:
        _print(_summary_json(summary))
    elif is_first_process() and not extra.quiet:
        _print("\n".join(_summary_lines(summary)))
    if summary.failed:
        _complain(
            "the loss is not finite any more: "
            f"{summary.output} is the last good picture; try smaller weights"
        )
        return 1
    if summary.stopped:
        _complain(f"interrupted: {summary.output} is the picture so far; --resume goes on")
        return INTERRUPTED
    return 0


def _sweep(command: Sweep) -> int:
    extra = command.run
    grid = make_combinations(
        command.picture,
        command.loss,
        command.solver,
        [path.stem for path in command.styles],
        masked=bool(command.content_mask),
        most=sys.maxsize if extra.yes else MOST_UNASKED,
    )
    _use_place(extra)
    request = SweepRequest(_request(command, grid.lanes[0].options), grid)
    with contextlib.ExitStack() as stack:
        observer = SweepObserver(stop=stack.enter_context(_interruptible()))
        if is_first_process() and not extra.quiet:
            display = stack.enter_context(SweepDisplay(command.solver.iterations))
            observer = observer._replace(
                stage=display.stage, log=display.log, progress=display.progress
            )
        summary = run_sweep(request, observer)
    if is_first_process() and extra.json:
        _print(_sweep_json(summary))
    elif is_first_process() and not extra.quiet:
        _print("\n".join(_sweep_lines(summary, len(grid.lanes))))
    if summary.failed:
        names = ", ".join(summary.failed)
        _complain(f"the loss was not finite for {names}: the last good picture; smaller weights?")
    if summary.stopped:
        _complain(f"interrupted: {summary.folder} holds what is finished; --resume goes on")
        return INTERRUPTED
    return 1 if summary.failed else 0


def _sweep_lines(summary: SweepSummary, combinations: int) -> Iterator[str]:
    seconds = f"{summary.seconds_compile:.1f} compiling, {summary.seconds_solve:.1f} solving"
    kept = f", {summary.kept} of them from before" if summary.kept else ""
    yield f"{summary.folder}"
    yield f"  pictures {len(summary.rows)} of {combinations}{kept}; {summary.lanes_at_once} at once"
    yield f"  seconds  {seconds}"
    yield "  tables   contact-sheet.png, results.csv, results.json"


def _sweep_json(summary: SweepSummary) -> str:
    return json.dumps(
        {
            "output": str(summary.folder),
            "pictures": len(summary.rows),
            "kept": summary.kept,
            "lanes_at_once": summary.lanes_at_once,
            "seconds_compile": round(summary.seconds_compile, 3),
            "seconds_solve": round(summary.seconds_solve, 3),
        }
    )


def _demo(command: Demo) -> int:
    transfer = Transfer(
        content=sample_picture("astronaut.jpg"),
        styles=(sample_picture("sunlit-field.jpg"),),
        output=command.output,
        picture=command.picture,
        loss=command.loss,
        solver=command.solver,
        run=command.run,
    )
    return _transfer(transfer)


def _reconstruct(command: Reconstruct) -> int:
    if command.compile_cache:
        _use_compile_cache()
    request = FigureRequest(
        output=command.output,
        content=command.content,
        style=command.style,
        layers=command.layers,
        size=command.size,
        iterations=command.iterations,
        seed=command.seed,
        weights=find_weights(command.weights),
        device=command.device,
    )
    try:
        with contextlib.ExitStack() as stack:
            display = [] if command.quiet else [stack.enter_context(figure_display())]
            finite = run_reconstruction(request, *display)
    except KeyboardInterrupt:
        _complain(f"interrupted: {command.output} is not written")
        return INTERRUPTED
    if not command.quiet:
        _print(f"{command.output}")
    if not finite:
        _complain("a loss was not finite: its picture is the last good one")
    return 0 if finite else 1


def _layers(command: Layers) -> int:
    match = re.fullmatch(r"([1-9]\d{0,5})(?:x([1-9]\d{0,5}))?", command.size)
    if match is None:
        raise InputError(f"--size {command.size}: give a number, or width x height as 640x480")
    width = int(match[1])
    height = int(match[2] or width)
    table = layer_table(ARCHITECTURES[command.network])
    schemes = {"papers": "paper", "Keras": "keras", "torchvision": "torchvision"}
    if command.network == "densenet121":
        del schemes["papers"]
    header = (*schemes, "channels", "shape", "stride", "receptive field")
    rows: list[tuple[str, ...]] = [header]
    for layer in table.values():
        shape = f"{-(-height // layer.stride)} x {-(-width // layer.stride)} x {layer.channels}"
        numbers = (str(layer.channels), shape, str(layer.stride), str(layer.receptive_field))
        names = (getattr(layer, scheme) or "-" for scheme in schemes.values())
        rows.append((*names, *numbers))
    _print_table(rows)
    return 0


def _show(command: Show) -> int:
    _print(json.dumps(read_record(command.picture), indent=2))
    return 0


def _weights(command: WeightFiles) -> int:
    match command.action:
        case ListWeights():
            _print_table([("name", "network", "where", "size", "licence"), *weights_rows()])
        case FetchWeights(name):
            try:
                with download_display(name) as progress:
                    fetched = fetch_weights(name, progress)
            except KeyboardInterrupt:
                _complain(f"interrupted: nothing of {name} is kept")
                return INTERRUPTED
            there = "is here already" if fetched.already_here else "fetched"
            _print(f"{name} {there}: {fetched.path}")
        case ConvertWeights(file, output):
            made = convert_weights(file, output)
            _print(f"{output}: {made.network}, from {made.form}")
        case VerifyWeights(file):
            _print("\n".join(describe_weights(find_weights(file) or file)))
    return 0


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        _print("  ".join(cells).rstrip())


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _complain(text: str) -> None:
    sys.stderr.write(f"stylejax: {text}\n")


def _alone(code: int) -> int:
    """The exit code; of one among several processes, which ends here and does not wait for them."""
    if jax.distributed.is_initialized():
        sys.stderr.flush()
        os._exit(code)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        command = parse(sys.argv[1:] if arguments is None else arguments)
        actions = {
            Transfer: _transfer,
            Sweep: _sweep,
            Demo: _demo,
            Reconstruct: _reconstruct,
            Layers: _layers,
            Show: _show,
            WeightFiles: _weights,
        }
        return actions[type(command)](command)
    except InputError as error:
        _complain(f"error: {error}")
        return _alone(2)
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        reason = str(error).splitlines()[0]
        _complain(
            f"error: another process of this run has ended or cannot be reached ({reason}); "
            "start all of them again, with --resume"
        )
        return _alone(1)
    except KeyboardInterrupt:
        _complain("interrupted at once; --resume goes on from the last checkpoint")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone: nothing is left to say to anyone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
