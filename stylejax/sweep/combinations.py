"""The grid of a sweep: options that take several values, and every combination of them.

The classes here are the options of a single run with lists in place of some numbers; the command
line is made from them. Numbers only, no JAX.
"""

import itertools
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, NamedTuple, TypeVar

from stylejax.errors import InputError
from stylejax.fields import LARGEST_SEED, option
from stylejax.options import (
    LossOptions,
    Options,
    PictureOptions,
    SolverOptions,
    check_options,
    normalized_shares,
)

MOST_UNASKED = 1000
"""Above this many combinations the user must say that they are meant."""
LONGEST_LABEL = 40
"""Characters of a value in a file name; a longer one is known by its number."""

Lists = tuple[tuple[float, ...], ...]
Value = int | float | tuple[float, ...]
"""What an option with several values may be: a number, or relative weights."""


@dataclass(frozen=True)
class SweptPictureOptions(PictureOptions):
    """As for a single picture, with several seeds."""

    seed: tuple[int, ...] = option(  # pyright: ignore[reportIncompatibleVariableOverride]
        (PictureOptions.seed,),
        "Seeds of the noise, separated by commas; they need --init noise, uniform or mean.",
        at_least=0,
        at_most=LARGEST_SEED,
    )


@dataclass(frozen=True)
class SweptLossOptions(LossOptions):
    """As for a single picture; options with several values are combined in every way."""

    content_weight: tuple[float, ...] = option(  # pyright: ignore
        (LossOptions.content_weight,),
        "Weights of the content term, separated by commas.",
        at_least=0,
    )
    style_weight: tuple[float, ...] = option(  # pyright: ignore
        (LossOptions.style_weight,),
        "Weights of the style term, separated by commas, such as 5,20,80.",
        at_least=0,
    )
    placement: tuple[float, ...] = option(  # pyright: ignore
        (LossOptions.placement,),
        "How far each thing gets what the painting has most like it, separated by commas, such as "
        "0,0.5,1.",
        at_least=0,
        at_most=1,
    )
    tv_weight: tuple[float, ...] = option(  # pyright: ignore
        (LossOptions.tv_weight,), "Weights of total variation, separated by commas.", at_least=0
    )
    content_layer_weights: Lists = option(  # pyright: ignore
        ((),),
        "Relative weights of the content layers; several such lists separated by slashes: 2,1/1,1.",
        at_least=0,
    )
    style_layer_weights: Lists = option(  # pyright: ignore
        ((),),
        "Relative weights of the style layers, likewise: 1,1,1,1/4,3,2,1.",
        at_least=0,
    )
    style_blend: Lists = option(  # pyright: ignore
        ((),),
        "Relative weights of several style pictures, likewise: 1,0/1,1/0,1; each picture alone "
        "unless given.",
        at_least=0,
    )


@dataclass(frozen=True)
class SweptOptions:
    """Every option that decides the pixels, some of them with several values."""

    picture: SweptPictureOptions = field(default_factory=SweptPictureOptions)
    loss: SweptLossOptions = field(default_factory=SweptLossOptions)
    solve: SolverOptions = field(default_factory=SolverOptions)


OptionsOf = TypeVar("OptionsOf")
"""The options of a method: `Options` where pictures are solved for."""


class Axis(NamedTuple):
    """An option with several values: what it is called, and what each value is."""

    name: str
    option: str
    values: tuple[Value, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Combination(Generic[OptionsOf]):
    """One combination: its options, and the label of its value on each varying axis."""

    options: OptionsOf
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Combinations(Generic[OptionsOf]):
    """All combinations in the order of the axes that vary, the last one fastest."""

    axes: tuple[Axis, ...]
    lanes: tuple[Combination[OptionsOf], ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a sheet of all: the last axis gives the columns."""
        columns = len(self.axes[-1].values) if self.axes else 1
        return len(self.lanes) // columns, columns


_IN_PICTURE, _IN_LOSS = (
    tuple(SweptPictureOptions.__annotations__),
    tuple(SweptLossOptions.__annotations__),
)
VARYING = (*_IN_LOSS, *_IN_PICTURE)
"""The options that may take several values, in the order of the axes."""


def as_lists(options: Options) -> SweptOptions:
    """The options of a single picture as those of a sweep of one."""
    picture, loss = dict(vars(options.picture)), dict(vars(options.loss))
    picture |= {name: (picture[name],) for name in _IN_PICTURE}
    loss |= {name: (loss[name],) for name in _IN_LOSS}
    return SweptOptions(SweptPictureOptions(**picture), SweptLossOptions(**loss), options.solve)


def number_label(value: float | int) -> str:
    """A number as short as it can be without becoming another one."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _label(value: Value) -> str:
    if not isinstance(value, tuple):
        return number_label(value)
    return ",".join(map(number_label, value)) or "alike"


def option_axis(swept: str, values: tuple[Value, ...]) -> Axis:
    """The axis of an option.

    Raises:
        InputError: there is no value, or one is given twice.
    """
    name = swept.replace("_", "-")
    # Of relative weights none at all means that all are alike: a value, but no one of several.
    if not values or (len(values) > 1 and () in values):
        raise InputError(f"--{name} is empty: give at least one value, separated by commas")
    seen = set()
    for value in values:
        # Blends of 1,1 and 2,2 are the same one.
        same = value
        if isinstance(value, tuple) and value and sum(value) > 0:
            same = tuple(round(share, 9) for share in normalized_shares(value, len(value)))
        if same in seen:
            raise InputError(f"--{name} holds {_label(value)} twice: give each value once")
        seen.add(same)
    return Axis(name, swept, values, tuple(map(_label, values)))


def style_axis(names: Sequence[str]) -> Axis:
    """Each style picture alone, as blends."""
    blends = tuple(tuple(float(n == m) for m in range(len(names))) for n in range(len(names)))
    labels = [re.sub(r"[^\w.-]+", "-", name) for name in names]
    # Two pictures may have one name, in two folders; and file systems there are that do not tell
    # a from A, or two spellings of one letter with its accent.
    alike = lambda label: unicodedata.normalize("NFKC", label).casefold()
    twice = len(set(map(alike, labels))) < len(labels)
    labels = [f"{n}-{label}" if twice else label for n, label in enumerate(labels, start=1)]
    return Axis("style", "style_blend", blends, tuple(labels))


def _lane(base: Options, axes: Sequence[Axis], choice: Sequence[int]) -> Options:
    chosen = {axis.option: axis.values[n] for axis, n in zip(axes, choice, strict=True)}
    seed = {name: value for name, value in chosen.items() if name in _IN_PICTURE}
    loss = {name: value for name, value in chosen.items() if name in _IN_LOSS}
    return replace(base, picture=replace(base.picture, **seed), loss=replace(base.loss, **loss))


def make_combinations(
    options: SweptOptions,
    styles: Sequence[str],
    *,
    masked: bool = False,
    most: int = MOST_UNASKED,
) -> Combinations[Options]:
    """Every combination of all values.

    Args:
        options: those of all pictures.
        styles: names of the style pictures.
        masked: whether each has a region of its own, so that none is left out.
        most: how many combinations there may be.

    Raises:
        InputError: an option has no value, one twice or one out of range, or there are too many.
    """
    picture, loss = options.picture, options.loss
    axes = [option_axis(name, getattr(loss, name)) for name in _IN_LOSS]
    axes += [option_axis(name, getattr(picture, name)) for name in _IN_PICTURE]
    # Unless they are blended or have regions, each style is taken by itself.
    if len(styles) > 1 and loss.style_blend == ((),) and not masked:
        axes = [style_axis(styles), *(axis for axis in axes if axis.option != "style_blend")]
    count = math.prod(len(axis.values) for axis in axes)
    if count > most:
        raise InputError(
            f"{count} combinations: give fewer values, or --yes if that many are meant"
        )
    if len(picture.seed) > 1 and picture.init not in ("noise", "uniform", "mean"):
        raise InputError(
            f"--seed has {len(picture.seed)} values, which start alike from --init {picture.init}: "
            "give --init noise, uniform or mean"
        )
    first = {axis.option: axis.values[0] for axis in axes}
    base = Options(
        replace(PictureOptions(), **vars(picture) | {name: first[name] for name in _IN_PICTURE}),
        replace(LossOptions(), **vars(loss) | {name: first[name] for name in _IN_LOSS}),
        options.solve,
    )
    varying = [n for n, axis in enumerate(axes) if len(axis.values) > 1]
    lanes = []
    for choice in itertools.product(*(range(len(axis.values)) for axis in axes)):
        lane = _lane(base, axes, choice)
        check_options(lane, len(styles))
        lanes.append(Combination(lane, tuple(axes[n].labels[choice[n]] for n in varying)))
    return Combinations(tuple(axes[n] for n in varying), tuple(lanes))


def combination_name(grid: Combinations, lane: Combination) -> str:
    """What a combination is called: `style-weight-20_tv-weight-0`."""
    parts = []
    for axis, label in zip(grid.axes, lane.labels, strict=True):
        short = label.replace(",", "-")
        if len(short) > LONGEST_LABEL:
            short = f"number-{axis.labels.index(label) + 1}"
            # Somebody's picture may be called so.
            short += "-" * (short in axis.labels)
        parts.append(f"{axis.name}-{short}")
    return "_".join(parts) or "picture"
