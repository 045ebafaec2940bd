"""What a field of an options class means: data that a command line, a form and a check can read."""

import dataclasses
import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from stylejax.errors import InputError

T = TypeVar("T")

OptionValue = str | int | float | list[str] | list[int] | list[float]
"""The value of an option in a record: tuples are lists there, as in JSON."""

LARGEST_NUMBER = 2**31 - 1
"""Of whole numbers that have no bound of their own: sizes, counts."""


class Bounds(NamedTuple):
    """What a number may be: finite, at least `at_least` or above `above`, and at most `at_most`."""

    at_least: int | float = -math.inf
    above: int | float = -math.inf
    at_most: int | float = math.inf

    def allow(self, number: int | float) -> bool:
        """Whether a number is within the bounds."""
        if isinstance(number, int) and math.isinf(self.at_most):
            # It may be larger than any float, and than any array can count.
            whole = abs(number) <= LARGEST_NUMBER
        else:
            whole = isinstance(number, int) or math.isfinite(number)
        return whole and self.above < number and self.at_least <= number <= self.at_most

    def __str__(self) -> str:
        """The bounds in words."""
        if math.isfinite(self.above):
            return f"more than {self.above:g}"
        if math.isfinite(self.at_most):
            most = f"{self.at_most:g}" if self.at_most < 1e6 else f"{self.at_most}"
            return f"{self.at_least:g} to {most}"
        return f"{self.at_least:g} or more"


LARGEST_SEED = 2**63 - 1
"""Larger numbers are none that a generator of random numbers takes."""


def is_of_kind(value: object, kind: Any) -> bool:
    """Whether a value that came from somewhere is what a field's annotation says.

    Args:
        value: any, with tuples for lists.
        kind: str, int or float, a choice of literals, any of several, or a tuple of any length.
    """
    parts = get_args(kind)
    if get_origin(kind) is Literal:
        return any(value == part and type(value) is type(part) for part in parts)
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(is_of_kind(each, parts[0]) for each in value)
    if parts:
        return any(is_of_kind(value, part) for part in parts)
    if kind is str:
        return isinstance(value, str) and value.isprintable()
    # To Python True is 1, and a whole number will do where a float is asked for.
    numbers = (int, float) if kind is float else kind
    return isinstance(value, numbers) and not isinstance(value, bool)


def as_kind(value: object, kind: object) -> object:
    """A value `is_of_kind`, whole numbers as floats where those are declared."""
    if kind is float and isinstance(value, int):
        return float(value)
    if get_origin(kind) is tuple and isinstance(value, tuple):
        return tuple(as_kind(each, get_args(kind)[0]) for each in value)
    return value


class FieldDescription(NamedTuple):
    """A field as a command line or a form shows it.

    `default` is `dataclasses.MISSING` where there is none; `bounds` are those of its number, or of
    each of its numbers, and None where any will do.
    """

    name: str
    default: object
    help: str
    bounds: Bounds | None

    @property
    def label(self) -> str:
        """The name as a reader sees it: `Style weight`."""
        return self.name.replace("_", " ").capitalize()


def option(
    default: T,
    help: str,
    *,
    at_least: int | float = -math.inf,
    above: int | float = -math.inf,
    at_most: int | float = math.inf,
) -> T:
    """A field with a default, what it means, and what its number or numbers may be."""
    bounds = Bounds(at_least, above, at_most)
    metadata = {"help": help, "bounds": None if bounds == Bounds() else bounds}
    return dataclasses.field(default=default, metadata=metadata)


def required(help: str) -> Any:
    """A field without a default, and what it means."""
    return dataclasses.field(metadata={"help": help, "bounds": None})


def positional(default: T, help: str) -> T:
    """A field that the command line takes without a flag, and may be without."""
    metadata = {"help": help, "bounds": None, "positional": True}
    return dataclasses.field(default=default, metadata=metadata)


def unasked(default: T) -> T:
    """A field that no command line has: it is filled in by whoever makes the request."""
    return dataclasses.field(default=default, metadata={"unasked": True})


def describe_fields(options: type) -> Iterator[FieldDescription]:
    """The fields of a dataclass in order; those that are dataclasses themselves are left out."""
    for entry in dataclasses.fields(options):
        if "help" in entry.metadata:
            help, bounds = entry.metadata["help"], entry.metadata["bounds"]
            yield FieldDescription(entry.name, entry.default, help, bounds)


def nearest_hint(given: str, allowed: Iterable[str]) -> str:
    """Which allowed values are nearest to what was given, as a question; empty where none is."""
    lower = {each.lower(): each for each in allowed}
    nearest = difflib.get_close_matches(given.lower(), lower, n=3, cutoff=0.5)
    return f"; did you mean {', '.join(lower[each] for each in nearest)}?" if nearest else ""


def flat_values(*groups: object) -> dict[str, OptionValue]:
    """The fields of several dataclasses in one dictionary, tuples as lists (as in JSON)."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for group in groups
        for name, value in vars(group).items()
    }


def split_flat(values: Mapping[str, object], *groups: type) -> list[dict[str, Any]]:
    """The inverse of `flat_values`: the fields of each group that has them, lists as tuples.

    Raises:
        InputError: a name that is no option (a picture made by another version), or a value that
            its option cannot have.
    """
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    names = [[each.name for each in describe_fields(group)] for group in groups]
    kinds = {name: kind for group in groups for name, kind in get_type_hints(group).items()}
    known = {name for group in names for name in group}
    for name, value in given.items():
        if name not in known:
            raise InputError(f"unknown option {name!r}: made by another version?")
        if not is_of_kind(value, kinds[name]):
            raise InputError(f"option {name!r} is {values[name]!r:.60}, which it cannot be")
    typed = {name: as_kind(value, kinds[name]) for name, value in given.items()}
    return [{name: typed[name] for name in group if name in typed} for group in names]
