"""Dataclasses of options as forms: what a page shows for each field, and what it sends back.

Labels, help, defaults and bounds are those of the command line, read from the same fields.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

from stylejax.errors import InputError
from stylejax.fields import Bounds, FieldDescription, describe_fields

Json = Any
"""What `json.loads` returns: checked here before anything else sees it."""

_LONGEST_TEXT, _MOST_ITEMS = 200, 100
_KINDS = {
    int: "integer",
    float: "number",
    str: "text",
    bool: "switch",
    tuple[int, ...]: "integers",
    tuple[float, ...]: "numbers",
    tuple[str, ...]: "names",
    tuple[tuple[float, ...], ...]: "lists",
}
"""What stands on the page for a type; a `Literal` is a `choice`, chosen names are `choices`."""


@dataclass(frozen=True)
class FormGroup:
    """The fields of one dataclass.

    Attributes:
        title: as a reader sees it.
        options: the dataclass.
        only: names of the fields to show; all unless given.
        choices: what a text, a whole number or names may be, by the name of the field.
    """

    title: str
    options: type
    only: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def described(self) -> list[FieldDescription]:
        """The fields that are shown."""
        return [
            each
            for each in describe_fields(self.options)
            if not self.only or each.name in self.only
        ]

    def kind(self, name: str) -> tuple[str, tuple[str, ...]]:
        """What a field is on the page, and what may be chosen."""
        hint = get_type_hints(self.options)[name]
        if get_origin(hint) is Literal:
            return "choice", tuple(map(str, get_args(hint)))
        kind = _KINDS[hint]
        if name in self.choices:
            return ("choices" if kind == "names" else "choice"), self.choices[name]
        return kind, ()

    def as_json(self) -> Json:
        """What the page makes its controls from."""
        return {"title": self.title, "fields": list(map(self._field, self.described()))}

    def _field(self, each: FieldDescription) -> Json:
        kind, choices = self.kind(each.name)
        shown: dict[str, Json] = {"name": each.name, "label": each.label, "help": each.help}
        shown |= {"kind": kind, "default": each.default}
        if choices:
            shown["choices"] = list(choices)
        bounds = each.bounds or Bounds()
        limits = zip(bounds._fields, bounds, strict=True)
        return shown | {name: limit for name, limit in limits if abs(limit) != float("inf")}

    def read(self, values: Mapping[str, Json]) -> dict[str, Json]:
        """The values of this group's fields, of their types; those that lack keep their default.

        Raises:
            InputError: a value is not of its field's type, or none that may be chosen.
        """
        hints = get_type_hints(self.options)
        return {
            each.name: _read(each.name, hints[each.name], *self.kind(each.name), values[each.name])
            for each in self.described()
            if each.name in values
        }


def field_names(groups: tuple[FormGroup, ...]) -> set[str]:
    """The names of all fields of several groups."""
    return {each.name for group in groups for each in group.described()}


def _read(name: str, hint: Json, kind: str, choices: tuple[str, ...], value: Json) -> Json:
    flag = "--" + name.replace("_", "-")
    if kind == "choice":
        for option in get_args(hint) or choices:
            if isinstance(value, str | int) and str(option) == str(value):
                return option if get_args(hint) else hint(option)
        raise InputError(f"{flag} is {_shown(value)}: give one of {', '.join(choices)}")
    if kind == "switch":
        if not isinstance(value, bool):
            raise InputError(f"{flag} is {_shown(value)}: give true or false")
        return value
    if kind in ("integer", "number", "text"):
        return _one(flag, kind, value)
    one = {"integers": "integer", "numbers": "number", "lists": "numbers"}.get(kind, "text")
    items = _items(flag, value)
    if kind == "lists":
        return tuple(
            tuple(_one(flag, "number", each) for each in _items(flag, item)) for item in items
        )
    given = tuple(_one(flag, one, each) for each in items)
    unknown = [each for each in given if choices and each not in choices]
    if unknown:
        raise InputError(f"{flag} is {_shown(unknown[0])}: give some of {', '.join(choices)}")
    return given


def _shown(value: Json) -> str:
    """A value that is not what it should be, short enough for one line."""
    return repr(value)[:60]


def _items(flag: str, value: Json) -> list[Json]:
    if not isinstance(value, list) or len(value) > _MOST_ITEMS:
        raise InputError(f"{flag} is {_shown(value)}: give a list of at most {_MOST_ITEMS}")
    return value


def _one(flag: str, kind: str, value: Json) -> Json:
    """One number or text."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_number = is_number and math.isfinite(value)
    if kind == "text" and isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        return value
    if kind == "number" and is_number:
        return float(value)
    if kind == "integer" and is_number and value == int(value):
        return int(value)
    what = {"text": f"a text of at most {_LONGEST_TEXT} characters", "number": "a number"}
    raise InputError(f"{flag} is {_shown(value)}: give {what.get(kind, 'a whole number')}")
