"""The commands of the command line and their options, as frozen dataclasses.

Field docstrings are the help; `cli.py` parses arguments into these classes and acts on them.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional, arg

from stylejax.options import (
    DeviceName,
    LossOptions,
    NetworkName,
    Options,
    PictureOptions,
    SolverOptions,
)
from stylejax.sweep.combinations import SweptLossOptions, SweptPictureOptions
from stylejax.transfer.presets import PresetName


@dataclass(frozen=True)
class PlaceOptions:
    """Where a run happens, and what it takes from elsewhere."""

    weights: Path | None = None
    """Weight file, or a name that `stylejax weights list` shows; else the environment variable
    STYLEJAX_WEIGHTS, else the bundled one."""
    network: NetworkName | None = None
    """The network that pictures are compared through; the weight file decides unless given."""
    preset: PresetName | None = None
    """Take network and options from a published program; those given here go first."""
    device: DeviceName | None = None
    """Run on this kind of device and no other; JAX's choice unless given."""
    devices: int = 0
    """Spread the run over so many devices; 0 for all that it can use."""
    coordinator: str | None = None
    """Run as one of several processes: HOST:PORT of the first one, or `auto` where Slurm, a TPU pod
    or GKE says all by itself."""
    num_processes: int | None = None
    """How many processes there are, with --coordinator."""
    process_id: int | None = None
    """Which one this is, from 0; process 0 writes the results."""
    resume: bool = False
    """Go on with the run that was killed or interrupted; what is finished is kept."""
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
class RunOptions(PlaceOptions):
    """Where the run happens, and what it leaves beside the picture."""

    save_every: int = 0
    """Save a numbered picture (out-0010.png) each so many iterations; 0 for none."""
    history: Path | None = None
    """Write loss terms, gradient norm and evaluations of each iteration as CSV."""
    plot: Path | None = None
    """Draw the loss over iterations as PNG (needs matplotlib: stylejax[plot])."""


@dataclass(frozen=True)
class SweepOptions(PlaceOptions):
    """Where the sweep happens."""

    yes: bool = False
    """Solve however many combinations there are."""


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
    """Where each style goes: gray pictures of the content's shape, one for each style, white
    inside; where all are black, the content stays as it is."""
    style_mask: tuple[Path, ...] = field(default=(), kw_only=True)
    """Which part of each style picture is taken, likewise; the whole picture unless given."""


@dataclass(frozen=True)
class Sweep:
    """Solve for every combination of several weights, styles or seeds, as many at once as fit."""

    content: Annotated[Positional[Path], arg(metavar="CONTENT")]
    """The picture whose content is kept."""
    styles: Annotated[Positional[tuple[Path, ...]], arg(metavar="STYLE ...")]
    """The picture whose style is taken; of several each in turn, or mixed by --style-blend."""
    output: Annotated[Path, arg(aliases=["-o"])]
    """The folder for the pictures, contact-sheet.png, results.csv and results.json; made where
    there is none."""
    content_mask: tuple[Path, ...] = field(default=(), kw_only=True)
    """Where each style goes, as for `stylejax transfer`."""
    style_mask: tuple[Path, ...] = field(default=(), kw_only=True)
    """Which part of each style picture is taken, likewise."""
    picture: SweptPictureOptions = field(default_factory=SweptPictureOptions, kw_only=True)
    loss: SweptLossOptions = field(default_factory=SweptLossOptions, kw_only=True)
    solver: SolverOptions = field(default_factory=SolverOptions, kw_only=True)
    run: SweepOptions = field(default_factory=SweepOptions, kw_only=True)


@dataclass(frozen=True)
class Demo(_Solving):
    """Run a transfer on the sample pictures that ship with stylejax."""

    output: Annotated[Path, arg(aliases=["-o"])] = Path("stylejax-demo.png")
    """The picture to write."""


@dataclass(frozen=True)
class Reconstruct:
    """Show what layers hold of a picture's content and of a style, as one labeled figure.

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
