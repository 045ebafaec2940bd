"""What the page can do, as a table: a method is a row, and runs as its command does."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stylejax.errors import InputError
from stylejax.feedforward.options import ApplyOptions, ApplyPictureOptions
from stylejax.feedforward.options import settings_from_flat as apply_from_flat
from stylejax.options import (
    STARTS,
    LossOptions,
    PictureOptions,
    SolverOptions,
    flatten_options,
    options_from_flat,
)
from stylejax.page.form import FormGroup
from stylejax.page.orders import (
    Order,
    Values,
    Work,
    order_apply,
    order_sweep,
    order_transfer,
    order_universal,
    order_upscale,
)
from stylejax.runs.checkpoint_paths import checkpoint_path
from stylejax.runs.metadata import APPLY, TRANSFER, UNIVERSAL, UPSCALE
from stylejax.runs.painters import style_rows
from stylejax.runs.repeated import repeat_record
from stylejax.runs.request import SweepRequest
from stylejax.superresolution.options import FACTORS, UpscaleOptions, UpscalePictureOptions
from stylejax.superresolution.options import settings_from_flat as upscale_from_flat
from stylejax.sweep.combinations import SweptLossOptions, SweptPictureOptions
from stylejax.universal.options import UniversalOptions, UniversalPictureOptions
from stylejax.universal.options import settings_from_flat as universal_from_flat


def _no_settings(path: Path) -> Values:
    """Of methods that leave no picture with a record of their own."""
    raise InputError(f"{path}: holds no settings that this page can use")


def _solved_settings(path: Path) -> Values:
    values = flatten_options(repeat_record(path, TRANSFER, options_from_flat).options)
    # A picture to start from does not travel along.
    return values if values["init"] in STARTS else values | {"init": STARTS[0]}


@dataclass(frozen=True)
class PageMethod:
    """A row of the table.

    Attributes:
        name: that of the command.
        label: as a reader sees it.
        about: what it does, in a sentence.
        groups: its form; an order's values are in their order.
        work: checks an order, and says what is to be done.
        settings: the values of all fields, of a picture by its record.
        takes_styles: whether paintings are given; else a style is chosen by its name.
        takes_masks: whether regions may be painted.
        takes_weights: whether other weights may be chosen.
        has_presets: whether published programs' options may be taken.
        is_folder: whether many pictures are made, in a folder.
        continues: whether there is something to go on from, beside an output or in it.
    """

    name: str
    label: str
    about: str
    groups: tuple[FormGroup, ...]
    work: Callable[[Order], Work]
    settings: Callable[[Path], Values] = _no_settings
    takes_styles: bool = True
    takes_masks: bool = True
    takes_weights: bool = False
    has_presets: bool = False
    is_folder: bool = False
    continues: Callable[[Path], bool] = lambda output: False


_START = {"init": STARTS}
_SOLVER = FormGroup("Solver", SolverOptions)


def _solved() -> PageMethod:
    return PageMethod(
        "transfer",
        "Solve",
        "Solves for the picture: minutes, and nearest to the painting.",
        (
            FormGroup("Loss", LossOptions),
            FormGroup("Picture", PictureOptions, choices=_START),
            _SOLVER,
        ),
        order_transfer,
        _solved_settings,
        takes_weights=True,
        has_presets=True,
        continues=lambda output: checkpoint_path(output).exists(),
    )


def _universal() -> PageMethod:
    return PageMethod(
        "universal",
        "One pass",
        "Gives the photograph the statistics of any painting: seconds.",
        (FormGroup("Style", UniversalOptions), FormGroup("Picture", UniversalPictureOptions)),
        order_universal,
        lambda path: repeat_record(path, UNIVERSAL, universal_from_flat).options.flat,
    )


def _learned(styles: tuple[str, ...]) -> PageMethod:
    return PageMethod(
        "apply",
        "Learned style",
        "Paints in styles that a network has learned: a second.",
        (
            FormGroup("Style", ApplyOptions, choices={"style": styles}),
            FormGroup("Picture", ApplyPictureOptions),
        ),
        order_apply,
        lambda path: repeat_record(path, APPLY, apply_from_flat).options.flat,
        takes_styles=False,
    )


def _enlarged() -> PageMethod:
    # What a network of one's own was trained for is of no use here: the bundled ones enlarge.
    factors = tuple(map(str, (0, *FACTORS)))
    return PageMethod(
        "upscale",
        "Enlarge",
        "Makes the picture 4 or 8 times as large, soft or with edges that a network draws.",
        (
            FormGroup("Size", UpscaleOptions, choices={"factor": factors}),
            FormGroup("Picture", UpscalePictureOptions),
        ),
        order_upscale,
        lambda path: repeat_record(path, UPSCALE, upscale_from_flat).options.flat,
        takes_styles=False,
        takes_masks=False,
    )


def _swept(styles: tuple[str, ...]) -> PageMethod:
    how = ("method", "alpha", "style", "strength")
    return PageMethod(
        "sweep",
        "Sweep",
        "Makes a picture for every combination of several values.",
        (
            FormGroup("Sweep", SweepRequest, only=how, choices={"style": styles}),
            FormGroup("Loss", SweptLossOptions),
            FormGroup("Picture", SweptPictureOptions, choices=_START),
            _SOLVER,
        ),
        order_sweep,
        takes_weights=True,
        is_folder=True,
        continues=Path.is_dir,
    )


@cache
def page_methods() -> dict[str, PageMethod]:
    """The methods of the page by their names, in its order."""
    styles = tuple(row[0] for row in style_rows())
    rows = (_solved(), _universal(), _learned(styles), _enlarged(), _swept(styles))
    return {row.name: row for row in rows}
