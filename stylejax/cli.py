"""The command line: parse, call one function, print. Exit codes: 0 done, 2 bad input, 1 failed."""

import contextlib
import io
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Union, get_args

import jax
import platformdirs
import tyro
from tyro.conf import OmitArgPrefixes, Positional, arg

from stylejax.config import (
    DeviceName,
    LossOptions,
    NetworkName,
    Options,
    PictureOptions,
    SolverOptions,
)
from stylejax.conversion import convert_weights, describe_weights
from stylejax.errors import InputError
from stylejax.fetch import fetch_weights
from stylejax.figure import FigureRequest, make_figure
from stylejax.layers import ARCHITECTURES, layer_table
from stylejax.presets import PRESETS, PresetName, network_options, preset_options
from stylejax.progress import ProgressDisplay, download_display, figure_display
from stylejax.published import find_weights, weights_rows
from stylejax.run import Observer, Request, Summary, run
from stylejax.sample import sample_picture
from stylejax.settings import network_like, options_like, read_settings
from stylejax.weights import read_network

INTERRUPTED = 130


@dataclass(frozen=True)
class RunOptions:
    """Where the run happens, and what it leaves beside the picture."""

    weights: Path | None = None
    """Weight file, or a name that `stylejax weights list` shows; else the environment variable
    STYLEJAX_WEIGHTS, else the bundled one."""
    network: NetworkName | None = None
    """The network that pictures are compared through; the weight file decides unless given."""
    preset: PresetName | None = None
    """Take network and options from a published program; those given here go first."""
    device: DeviceName | None = None
    """Run on this kind of device and no other; JAX's choice unless given."""
    save_every: int = 0
    """Save a numbered picture (out-0010.png) each so many iterations; 0 for none."""
    resume: bool = False
    """Go on with the run that was killed or interrupted, to the same bytes."""
    history: Path | None = None
    """Write loss terms, gradient norm and evaluations of each iteration as CSV."""
    plot: Path | None = None
    """Draw the loss over iterations as PNG (needs matplotlib: stylejax[plot])."""
    like: Path | None = None
    """Take all options from a picture that stylejax made; those given here go first."""
    compile_cache: bool = True
    """Compiled programs are kept in the user's cache folder, so that the next run of the same size
    starts at once; this turns it off."""
    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """Print one line of JSON at the end on standard output, and nothing else there."""


@dataclass(frozen=True)
class _Solving:
    """What the commands that solve have in common; each field is a group in the help."""

    picture: PictureOptions = field(default_factory=PictureOptions, kw_only=True)
    loss: LossOptions = field(default_factory=LossOptions, kw_only=True)
    solver: SolverOptions = field(default_factory=SolverOptions, kw_only=True)
    run: RunOptions = field(default_factory=RunOptions, kw_only=True)

    @property
    def options(self) -> Options:
        """The options that decide the pixels."""
        return Options(self.picture, self.loss, self.solver)


@dataclass(frozen=True)
class Transfer(_Solving):
    """Solve for the picture with the content of one picture and the style of another."""

    content: Annotated[Positional[Path], arg(metavar="CONTENT")]
    """The picture whose content is kept: a photograph, say."""
    styles: Annotated[Positional[tuple[Path, ...]], arg(metavar="STYLE ...")]
    """The picture whose style is taken: a painting, say; or several."""
    output: Annotated[Path, arg(aliases=["-o"])]
    """The picture to write: .png, .jpg, .webp or .tiff."""
    content_mask: tuple[Path, ...] = field(default=(), kw_only=True)
    """Where each style goes: grey pictures of the content's shape, one for each style, white
    inside; where all are black, the content stays as it is."""
    style_mask: tuple[Path, ...] = field(default=(), kw_only=True)
    """Which part of each style picture is taken, likewise; the whole picture unless given."""


@dataclass(frozen=True)
class Demo(_Solving):
    """Run a transfer on the sample pictures that ship with stylejax."""

    output: Annotated[Path, arg(aliases=["-o"])] = Path("stylejax-demo.png")
    """The picture to write."""


@dataclass(frozen=True)
class Reconstruct:
    """Show what layers hold of a picture's content and of a style, as one labelled figure.

    Of the content what each layer keeps, of the style the texture that each growing set of layers
    makes, solved for from noise: figure 1 of Gatys et al. (2015).
    """

    output: Annotated[Path, arg(aliases=["-o"])]
    """The figure to write: .png, .jpg, .webp or .tiff."""
    content: Path | None = None
    """The picture whose content is reconstructed, layer by layer."""
    style: Path | None = None
    """The picture whose style is reconstructed, from the first layer, the first two, and so on."""
    layers: tuple[str, ...] = ()
    """Layers, separated by commas, in the order of the figure; one of each resolution unless given
    (`stylejax layers` lists them)."""
    size: int = 256
    """Longest side of each picture in pixels, 32 or more."""
    iterations: int = 60
    """Iterations for each picture, 1 or more."""
    seed: int = 0
    """Seed of the noise, 0 or more."""
    weights: Path | None = None
    """Weight file or known name, as for `stylejax transfer`."""
    device: DeviceName | None = None
    """Run on this kind of device and no other; JAX's choice unless given."""
    compile_cache: bool = True
    """Keep compiled programs in the user's cache folder; this turns it off."""
    quiet: bool = False
    """Print nothing but errors."""


@dataclass(frozen=True)
class Layers:
    """List a network's layers: all names, channels, shape, stride, receptive field."""

    network: NetworkName = "densenet121"
    """The network."""
    size: str = "512"
    """Size of the picture that shapes are given for: 512, or width x height as 640x480."""


@dataclass(frozen=True)
class Show:
    """Print the settings that a picture was made with, as JSON."""

    picture: Positional[Path]
    """A picture that stylejax wrote."""


@dataclass(frozen=True)
class ListWeights:
    """List the weights that have a name, and which of them are here."""


@dataclass(frozen=True)
class FetchWeights:
    """Bring published weights to the user's cache, checked and converted."""

    name: Positional[str]
    """A name that `stylejax weights list` shows."""


@dataclass(frozen=True)
class ConvertWeights:
    """Turn a published weight file (safetensors, torch, Keras) into one that --weights takes."""

    file: Positional[Path]
    """The file as published: .safetensors, .pth, .h5, .weights.h5 or .keras, known by content."""
    output: Annotated[Path, arg(aliases=["-o"])]
    """The .safetensors file to write."""


@dataclass(frozen=True)
class VerifyWeights:
    """Say what a weight file is, and whether it is whole and one that was published."""

    file: Positional[Path]
    """A weight file in any known form, or a name that `stylejax weights list` shows."""


@dataclass(frozen=True)
class WeightFiles:
    """List, fetch, convert and verify weight files."""

    action: tyro.conf.OmitSubcommandPrefixes[
        Annotated[ListWeights, tyro.conf.subcommand("list")]
        | Annotated[FetchWeights, tyro.conf.subcommand("fetch")]
        | Annotated[ConvertWeights, tyro.conf.subcommand("convert")]
        | Annotated[VerifyWeights, tyro.conf.subcommand("verify")]
    ]


def _comma_separated(info: Any) -> tyro.constructors.PrimitiveConstructorSpec | None:
    """Read tuples of names or numbers from one argument: 3,1."""
    if info.type not in (tuple[str, ...], tuple[float, ...]):
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
        settings = read_settings(Path(like))
        options, asked = options_like(Path(like), settings), network_like(settings)
        content, *rest = (Path(of["name"]) for of in (settings["content"], *settings["styles"]))
        styles, names = tuple(rest), ("output",)
    if preset in PRESETS:
        options, asked = preset_options(preset, options), PRESETS[preset].network
    if options is None:
        # The other commands solve nothing, and must work where the named weights are missing.
        solves = bool(arguments) and arguments[0] in ("transfer", "demo")
        file = find_weights(Path(weights) if weights else None) if solves else None
        held = read_network(file) if file else "densenet121"
        options = network_options(network if network in ARCHITECTURES else held)
    groups = {"picture": options.picture, "loss": options.loss, "solver": options.solve}
    run_options = RunOptions(network=asked)
    return _required(Transfer(content, styles, Path(), **groups, run=run_options), *names)


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
        picture=transfer.picture, loss=transfer.loss, solver=transfer.solver, run=transfer.run
    )
    commands = Union[  # noqa: UP007 - the defaults are known only now
        Annotated[Transfer, tyro.conf.subcommand("transfer", default=transfer)],
        Annotated[Demo, tyro.conf.subcommand("demo", default=demo)],
        Annotated[Reconstruct, tyro.conf.subcommand("reconstruct")],
        Annotated[Layers, tyro.conf.subcommand("layers")],
        Annotated[Show, tyro.conf.subcommand("show")],
        Annotated[WeightFiles, tyro.conf.subcommand("weights")],
    ]
    registry = tyro.constructors.ConstructorRegistry()
    registry.primitive_rule(_comma_separated)
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
    yield f"  device   {summary.device} ({summary.device_kind})"
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


def _transfer(command: Transfer) -> int:
    extra = command.run
    if extra.compile_cache:
        _use_compile_cache()
    request = Request(
        content=command.content,
        styles=command.styles,
        output=command.output,
        options=command.options,
        weights=find_weights(extra.weights),
        network=extra.network,
        device=extra.device,
        save_every=extra.save_every,
        resume=extra.resume,
        history=extra.history,
        plot=extra.plot,
        content_masks=command.content_mask,
        style_masks=command.style_mask,
    )
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(_interruptible())
        observer = Observer(stop=stop)
        if not extra.quiet:
            display = stack.enter_context(ProgressDisplay(command.options.solve.iterations))
            observer = Observer(display.stage, display.progress, stop)
        summary = run(request, observer)
    if extra.json:
        _print(_summary_json(summary))
    elif not extra.quiet:
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
            finite = make_figure(request, *display)
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
    _print(json.dumps(read_settings(command.picture), indent=2))
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        command = parse(sys.argv[1:] if arguments is None else arguments)
        actions = {
            Transfer: _transfer,
            Demo: _demo,
            Reconstruct: _reconstruct,
            Layers: _layers,
            Show: _show,
            WeightFiles: _weights,
        }
        return actions[type(command)](command)
    except InputError as error:
        _complain(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _complain("interrupted at once; --resume goes on from the last checkpoint")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone: nothing is left to say to anyone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
