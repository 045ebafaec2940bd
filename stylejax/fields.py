"""What a field of an options class means: data that a command line, a form and a check can read."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Bounds(NamedTuple):
    """What a number may be: finite, at least `at_least` or above `above`, and at most `at_most`."""

    at_least: int | float = -math.inf
    above: int | float = -math.inf
    at_most: int | float = math.inf

    def allow(self, number: int | float) -> bool:
        """Whether a number is within the bounds."""
        return (
            math.isfinite(number)
            and self.above < number
            and (self.at_least <= number <= self.at_most)
        )

    def __str__(self) -> str:
        """The bounds in words."""
        if math.isfinite(self.above):
            return f"more than {self.above:g}"
        if math.isfinite(self.at_most):
            return f"{self.at_least:g} to {self.at_most:g}"
        return f"{self.at_least:g} or more"


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


def describe_fields(options: type) -> Iterator[FieldDescription]:
    """The fields of a dataclass in order; those that are dataclasses themselves are left out."""
    for entry in dataclasses.fields(options):
        if "help" in entry.metadata:
            help, bounds = entry.metadata["help"], entry.metadata["bounds"]
            yield FieldDescription(entry.name, entry.default, help, bounds)
