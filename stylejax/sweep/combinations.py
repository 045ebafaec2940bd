"""The grid of a sweep: options that take several values, and every combination of them.

The classes here are the options of a single run with lists in place of some numbers; the command
line is made from them. Numbers only, no JAX.
"""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from stylejax.errors import InputError
from stylejax.options import (
    LossOptions,
    Options,
    PictureOptions,
    SolverOptions,
    check_options,
    normalized_shares,
)

MOST_UNASKED = 1000
"""Combinations above which the user must say that so many are meant."""
LONGEST_LABEL = 40
"""Characters of a value in a file name; a longer one is known by its number."""

Lists = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class SweptPictureOptions(PictureOptions):
    """As for a single picture, with several seeds."""

    seed: tuple[int, ...] = (0,)  # pyright: ignore[reportIncompatibleVariableOverride]
    """Seeds of the noise, separated by commas; they need --init noise, uniform or mean."""


@dataclass(frozen=True)
class SweptLossOptions(LossOptions):
    """As for a single picture; options with several values are combined in every way."""

    content_weight: tuple[float, ...] = (1.0,)  # pyright: ignore
    """Weights of the content term, 0 or more, separated by commas."""
    style_weight: tuple[float, ...] = (20.0,)  # pyright: ignore
    """Weights of the style term, 0 or more, separated by commas, such as 5,20,80."""
    tv_weight: tuple[float, ...] = (100.0,)  # pyright: ignore
    """Weights of total variation, 0 or more, separated by commas."""
    content_layer_weights: Lists = ((),)  # pyright: ignore
    """Relative weights of the content layers; several such lists separated by slashes: 2,1/1,1."""
    style_layer_weights: Lists = ((),)  # pyright: ignore
    """Relative weights of the style layers, likewise: 1,1,1,1/4,3,2,1."""
    style_blend: Lists = ((),)  # pyright: ignore
    """Relative weights of several style pictures, likewise: 1,0/1,1/0,1; each picture alone unless
    given."""


class Axis(NamedTuple):
    """An option with several values: what it is called, and what each value is."""

    name: str
    option: str
    values: tuple[Any, ...]
    labels: tuple[str, ...]


class Combination(NamedTuple):
    """One combination: its options, and the label of its value on each varying axis."""

    options: Options
    labels: tuple[str, ...]


class Combinations(NamedTuple):
    """All combinations in the order of the axes that vary, the last one fastest."""

    axes: tuple[Axis, ...]
    lanes: tuple[Combination, ...]

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
_IN_SHARES = ("content_layer_weights", "style_layer_weights", "style_blend")


def _values(group: Any) -> dict[str, Any]:
    return {entry.name: getattr(group, entry.name) for entry in fields(group)}


def as_lists(options: Options) -> tuple[SweptPictureOptions, SweptLossOptions]:
    """The options of a single run as a grid of one."""
    picture, loss = _values(options.picture), _values(options.loss)
    picture |= {name: (picture[name],) for name in _IN_PICTURE}
    loss |= {name: (loss[name],) for name in _IN_LOSS}
    return SweptPictureOptions(**picture), SweptLossOptions(**loss)


def number_label(value: float | int) -> str:
    """A number as short as it can be without becoming another one."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _label(value: Any) -> str:
    if not isinstance(value, tuple):
        return number_label(value)
    return ",".join(map(number_label, value)) or "alike"


def _axis(option: str, values: tuple[Any, ...]) -> Axis:
    name = option.replace("_", "-")
    if not values or (option in _IN_SHARES and len(values) > 1 and () in values):
        raise InputError(f"--{name} is empty: give at least one value, separated by commas")
    seen = set()
    for value in values:
        # Blends of 1,1 and 2,2 are the same one.
        same = value
        if option in _IN_SHARES and value and sum(value) > 0:
            same = tuple(round(share, 9) for share in normalized_shares(value, len(value)))
        if same in seen:
            raise InputError(f"--{name} holds {_label(value)} twice: give each value once")
        seen.add(same)
    return Axis(name, option, values, tuple(map(_label, values)))


def _styles_apart(names: Sequence[str]) -> Axis:
    """Each style picture alone, as blends."""
    blends = tuple(tuple(float(n == m) for m in range(len(names))) for n in range(len(names)))
    labels = [re.sub(r"[^\w.-]+", "-", name) for name in names]
    # Two pictures may have one name, in two folders.
    twice = len(set(labels)) < len(labels)
    labels = [f"{n}-{label}" if twice else label for n, label in enumerate(labels, start=1)]
    return Axis("style", "style_blend", blends, tuple(labels))


def _lane(base: Options, axes: Sequence[Axis], choice: Sequence[int]) -> Options:
    chosen = {axis.option: axis.values[n] for axis, n in zip(axes, choice, strict=True)}
    seed = {name: value for name, value in chosen.items() if name in _IN_PICTURE}
    loss = {name: value for name, value in chosen.items() if name in _IN_LOSS}
    return replace(base, picture=replace(base.picture, **seed), loss=replace(base.loss, **loss))


def make_combinations(
    picture: SweptPictureOptions,
    loss: SweptLossOptions,
    solve: SolverOptions,
    styles: Sequence[str],
    *,
    masked: bool = False,
    most: int = MOST_UNASKED,
) -> Combinations:
    """Every combination of all values.

    Args:
        picture: options of the pictures.
        loss: options of the loss.
        solve: options of the solver, the same for all.
        styles: names of the style pictures.
        masked: whether each has a region of its own, so that none is left out.
        most: how many combinations there may be.

    Raises:
        InputError: an option has no value, one twice or one out of range, or there are too many.
    """
    axes = [_axis(name, getattr(loss, name)) for name in _IN_LOSS]
    axes += [_axis(name, getattr(picture, name)) for name in _IN_PICTURE]
    if len(styles) > 1 and loss.style_blend == ((),) and not masked:
        axes = [_styles_apart(styles), *(axis for axis in axes if axis.option != "style_blend")]
    count = math.prod(len(axis.values) for axis in axes)
    if count > most:
        raise InputError(f"{count} combinations: give fewer values, or --yes if so many are meant")
    if len(picture.seed) > 1 and picture.init not in ("noise", "uniform", "mean"):
        raise InputError(
            f"--seed has {len(picture.seed)} values, which start alike from --init {picture.init}: "
            "give --init noise, uniform or mean"
        )
    first = {axis.option: axis.values[0] for axis in axes}
    base = Options(
        PictureOptions(**_values(picture) | {name: first[name] for name in _IN_PICTURE}),
        LossOptions(**_values(loss) | {name: first[name] for name in _IN_LOSS}),
        solve,
    )
    varying = [n for n, axis in enumerate(axes) if len(axis.values) > 1]
    lanes = []
    for choice in itertools.product(*(range(len(axis.values)) for axis in axes)):
        options = _lane(base, axes, choice)
        check_options(options, len(styles))
        lanes.append(Combination(options, tuple(axes[n].labels[choice[n]] for n in varying)))
    return Combinations(tuple(axes[n] for n in varying), tuple(lanes))


def combination_name(grid: Combinations, lane: Combination) -> str:
    """What a combination is called: `style-weight-20_tv-weight-0`."""
    parts = []
    for axis, label in zip(grid.axes, lane.labels, strict=True):
        short = label.replace(",", "-")
        if len(short) > LONGEST_LABEL:
            short = f"number-{axis.labels.index(label) + 1}"
        parts.append(f"{axis.name}-{short}")
    return "_".join(parts) or "picture"
