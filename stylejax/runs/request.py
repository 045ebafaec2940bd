"""What a run is asked to do: dataclasses that the command line parses into and callers build.

Help texts are written for the command line, which shows each field as a flag of the same name.
"""

import sys
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from stylejax.fields import LARGEST_SEED, option, positional, required, unasked
from stylejax.options import STARTS, DeviceName, NetworkName, Options
from stylejax.runs.picture_jobs import is_several
from stylejax.runs.printing import PrintOptions, print_size
from stylejax.runs.repeated import Expected
from stylejax.sizes import SMALLEST_SIZE
from stylejax.sweep.combinations import (
    MOST_UNASKED,
    Combinations,
    SweptOptions,
    make_combinations,
)
from stylejax.transfer.kinds import Kind
from stylejax.weights.zoo import find_weights

_WEIGHTS_HELP = (
    "Weight file, or a name that `stylejax weights list` shows; else the environment variable "
    "STYLEJAX_WEIGHTS, else the bundled one."
)
_DEVICE_HELP = "Run on this kind of device and no other; JAX's choice unless given."


@dataclass(frozen=True)
class _Common:
    """What a picture and a sweep have in common: inputs, output, weights and devices."""

    content: Path = required(
        "The picture whose content is kept: a photograph, say; or a folder of such pictures, or a "
        "pattern in quotes, as 'photos/*.jpg'."
    )
    styles: tuple[Path, ...] = required(
        "The picture whose style is taken: a painting, say; or several."
    )
    output: Path = required(
        "The picture to write: .png, .jpg, .webp, .avif or .tiff; of a folder of pictures, a "
        "folder."
    )
    _: KW_ONLY
    content_masks: tuple[Path, ...] = option(
        (),
        "Where each style goes: gray pictures of the content's shape, one for each style, white "
        "inside; where all are black, the content term alone holds the picture.",
    )
    style_masks: tuple[Path, ...] = option(
        (),
        "Which part of each style picture is taken, likewise; the whole picture unless given.",
    )
    keep: Path | None = option(
        None,
        "Where the content is to stay, a face or lettering: a gray picture of the content's shape, "
        "white where content counts --keep-weight times.",
    )
    weights: Path | None = option(None, _WEIGHTS_HELP)
    network: NetworkName | None = option(
        None,
        "The network that pictures are compared through; the weight file decides unless given.",
    )
    device: DeviceName | None = option(None, _DEVICE_HELP)
    devices: int = option(
        0, "Spread the run over this many devices; 0 for all that it can use.", at_least=0
    )
    resume: bool = option(
        False, "Go on with the run that was killed or interrupted; what is finished is kept."
    )
    expected: Expected = unasked(())


@dataclass(frozen=True)
class Request(_Common):
    """What one transfer is asked to do."""

    options: Options = field(default_factory=Options)
    _: KW_ONLY
    paper: PrintOptions = field(default_factory=PrintOptions)
    save_every: int = option(
        0,
        "Save a numbered picture (out-0010.png) after every so many iterations; 0 for none.",
        at_least=0,
    )
    history: Path | None = option(
        None, "Write loss terms, gradient norm and evaluations of each iteration as CSV."
    )
    plot: Path | None = option(
        None, "Draw the loss over iterations as PNG (needs matplotlib: stylejax[plot])."
    )

    @property
    def is_folder(self) -> bool:
        """Whether all pictures of a folder, or of a pattern, are to be painted."""
        return is_several(self.content)

    @property
    def with_print_size(self) -> "Request":
        """The same with the size that is solved at, where the picture is to be printed.

        Raises:
            InputError: the print has none that is possible.
        """
        picture = print_size(self.options.picture, self.paper)
        return replace(self, options=replace(self.options, picture=picture))

    @property
    def init_picture(self) -> Path | None:
        """The picture file to start from, where `init` names one."""
        init = self.options.picture.init
        return None if init in STARTS else Path(init)

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Every picture file that is read, each once."""
        init = () if self.init_picture is None else (self.init_picture,)
        keep = () if self.keep is None else (self.keep,)
        masks = (*self.content_masks, *self.style_masks, *keep)
        named = (*init, self.content, *self.styles, *masks)
        return tuple(dict.fromkeys(named))

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file that is read.

        Raises:
            InputError: the weights that are named are not here.
        """
        weights = find_weights(self.weights)
        return self.pictures if weights is None else (*self.pictures, weights)


@dataclass(frozen=True)
class SweepRequest(_Common):
    """What a sweep is asked to do: every combination of the options that have several values."""

    content: Path = required("The picture whose content is kept.")
    styles: tuple[Path, ...] = positional(
        (),
        "The picture whose style is taken; of several each in turn, or mixed by --style-blend. "
        "None with --method apply.",
    )
    _: KW_ONLY
    output: Path = required(
        "The folder for the pictures, index.html, contact-sheet.png, results.csv and "
        "results.json; made where there is none."
    )
    options: SweptOptions = field(default_factory=SweptOptions)
    yes: bool = option(False, "Solve however many combinations there are.")
    method: Literal["transfer", "universal", "apply"] = option(
        "transfer",
        "How the pictures are made: `transfer` solves for them, `universal` takes one pass each, "
        "`apply` one in learned styles.",
    )
    style: tuple[str, ...] = option(
        (),
        "With --method apply: the learned style; of several each in turn, or mixed by "
        "--style-blend.",
    )
    strength: tuple[float, ...] = option(
        (1.0,),
        "With --method apply: how far to go from the photograph to the style, several separated by "
        "commas, such as 0,0.5,1.",
        at_least=0,
        at_most=1,
    )
    alpha: tuple[float, ...] = option(
        (1.0,),
        "With --method universal: how far to go to the painting's statistics, several separated by "
        "commas, such as 0,0.5,1.",
        at_least=0,
        at_most=1,
    )

    @cached_property
    def grid(self) -> Combinations:
        """All combinations.

        Raises:
            InputError: as in `make_combinations`.
        """
        return make_combinations(
            self.options,
            [path.stem for path in self.styles],
            masked=bool(self.content_masks),
            most=sys.maxsize if self.yes else MOST_UNASKED,
        )

    @cached_property
    def first(self) -> Request:
        """The request of the first combination, with the folder for its output.

        Raises:
            InputError: as in `grid`.
        """
        common: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(_Common)}
        return Request(**common, options=self.grid.lanes[0].options)


@dataclass(frozen=True)
class FigureRequest:
    """What one figure is asked to show: `content`, `style`, or a row of each."""

    output: Path = required("The figure to write: .png, .jpg, .webp, .avif or .tiff.")
    content: Path | None = option(
        None, "The picture whose content is reconstructed, layer by layer."
    )
    style: Path | None = option(
        None,
        "The picture whose style is reconstructed, from the first layer, the first two, and so on.",
    )
    layers: tuple[str, ...] = option(
        (),
        "Layers, separated by commas, in the order of the figure; one of each resolution unless "
        "given (`stylejax layers` lists them).",
    )
    size: int = option(256, "Longest side of each picture in pixels.", at_least=SMALLEST_SIZE)
    iterations: int = option(60, "Iterations for each picture.", at_least=1)
    seed: int = option(0, "Seed of the noise.", at_least=0, at_most=LARGEST_SEED)
    weights: Path | None = option(None, _WEIGHTS_HELP)
    device: DeviceName | None = option(None, _DEVICE_HELP)

    @property
    def pictures(self) -> dict[Kind, Path]:
        """The pictures that there are, by the row that they have in the figure."""
        given: dict[Kind, Path | None] = {"content": self.content, "style": self.style}
        return {kind: path for kind, path in given.items() if path is not None}
