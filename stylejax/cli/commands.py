"""The commands of the command line and their options, as frozen dataclasses.

A command that solves is the request itself, as `runs` takes it, with what concerns the terminal
alone added to it. A docstring is a command's help; below `Examples:` are two ways to call it.
"""

from dataclasses import dataclass, field
from pathlib import Path

from stylejax.cli.listing_commands import (
    ConvertWeights,
    FetchWeights,
    Info,
    Layers,
    ListWeights,
    Presets,
    Show,
    VerifyWeights,
    WeightFiles,
)
from stylejax.cli.pass_commands import (
    Apply,
    Export,
    Styles,
    TerminalOptions,
    Train,
    TrainStyle,
    TrainUpscale,
    Universal,
    Upscale,
)
from stylejax.fields import option
from stylejax.images.samples import sample_picture
from stylejax.page.request import ServeRequest
from stylejax.runs.request import FigureRequest, Request, SweepRequest


@dataclass(frozen=True)
class RunOptions(TerminalOptions):
    """Where options come from, which processes share the run, and what is printed."""

    preset: str | None = option(
        None,
        "Take network and options from a published program (notebook, gatys, narayanan, "
        "neural-style) or a file of one's own (`stylejax presets` lists all); those given here "
        "take precedence.",
    )
    like: Path | None = option(
        None,
        "Take all options from a picture that stylejax made, or from the .json that `stylejax "
        "show` printed of it, and its inputs, which are looked for beside it, beside the content "
        "picture and here; what is given here takes precedence.",
    )
    coordinator: str | None = option(
        None,
        "Run as one of several processes: HOST:PORT of the first one, or `auto` where Slurm, a TPU "
        "pod or GKE says all by itself.",
    )
    num_processes: int | None = option(None, "How many processes there are, with --coordinator.")
    process_id: int | None = option(
        None, "Which one this is, from 0; process 0 writes the results."
    )
    json: bool = option(
        False, "Print one line of JSON at the end on standard output, and nothing else there."
    )


@dataclass(frozen=True)
class TransferRunOptions(RunOptions):
    """Where options come from, which processes share the run, what is printed and shown."""

    preview: int | None = option(
        None,
        "Serve a page at this port of this machine, to watch the picture being painted and to "
        "stop it (needs stylejax[web]).",
        at_least=0,
        at_most=65535,
    )


@dataclass(frozen=True)
class Transfer(Request):
    """Solve for the picture with the content of one picture and the style of another.

    Of a folder of photographs each is solved for, in one process.

    Examples:
        stylejax transfer photo.jpg painting.jpg -o out.png
        stylejax transfer photos painting.jpg -o folder --resume
    """

    run: TransferRunOptions = field(default_factory=TransferRunOptions, kw_only=True)


@dataclass(frozen=True)
class Sweep(SweepRequest):
    """Solve for every combination of several weights, styles or seeds, as many at once as fit.

    Examples:
        stylejax sweep photo.jpg painting.jpg -o folder --style-weight 5,20,80
        stylejax sweep a.jpg --method apply --style scream --strength 0,0.5,1 -o grid
    """

    run: RunOptions = field(default_factory=RunOptions, kw_only=True)


@dataclass(frozen=True)
class Demo(Transfer):
    """Run a transfer on the sample pictures that ship with stylejax.

    Examples:
        stylejax demo
        stylejax demo --size 256 --iterations 50 -o demo.png
    """

    content: Path = field(init=False, default_factory=lambda: sample_picture("astronaut.jpg"))
    styles: tuple[Path, ...] = field(
        init=False, default_factory=lambda: (sample_picture("sunlit-field.jpg"),)
    )
    output: Path = option(Path("stylejax-demo.png"), "The picture to write.")
    content_masks: tuple[Path, ...] = field(init=False, default=())
    style_masks: tuple[Path, ...] = field(init=False, default=())
    keep: Path | None = field(init=False, default=None)


@dataclass(frozen=True)
class Reconstruct(FigureRequest):
    """Show what layers hold of a picture's content and of a style, as one labeled figure.

    Of the content, what each layer keeps; of the style, the texture that each growing set of layers
    makes; solved for from noise, as in figure 1 of Gatys et al. (2015).

    Examples:
        stylejax reconstruct --content photo.jpg --style painting.jpg -o figure.png
        stylejax reconstruct --style painting.jpg --iterations 200 -o figure.png
    """

    run: TerminalOptions = field(default_factory=TerminalOptions, kw_only=True)


@dataclass(frozen=True)
class Serve(ServeRequest):
    """Serve a page to paint on: pictures dropped in, watched, stopped, compared, got back.

    Needs `pip install "stylejax[web]"`, and no network. All is kept in --folder, and is there
    again when the server has been killed.

    Examples:
        stylejax serve
        stylejax serve --host 0.0.0.0 --token SECRET --port 8000 --folder pictures
    """

    run: TerminalOptions = field(default_factory=TerminalOptions, kw_only=True)


Command = (
    Transfer
    | Universal
    | Apply
    | Upscale
    | Styles
    | Sweep
    | Demo
    | Reconstruct
    | Train
    | Serve
    | Export
    | Layers
    | Show
    | Presets
    | WeightFiles
    | Info
)

COMMANDS: dict[str, type[Command]] = {
    "transfer": Transfer,
    "universal": Universal,
    "apply": Apply,
    "upscale": Upscale,
    "styles": Styles,
    "sweep": Sweep,
    "demo": Demo,
    "reconstruct": Reconstruct,
    "train": Train,
    "serve": Serve,
    "export": Export,
    "layers": Layers,
    "show": Show,
    "presets": Presets,
    "weights": WeightFiles,
    "info": Info,
}
WEIGHTS_COMMANDS = {
    "list": ListWeights,
    "fetch": FetchWeights,
    "convert": ConvertWeights,
    "verify": VerifyWeights,
}
TRAIN_COMMANDS = {"style": TrainStyle, "upscale": TrainUpscale}
"""The words of the command line, and what they stand for."""
