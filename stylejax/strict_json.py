"""JSON as every program reads it: Python's own has `Infinity` and `NaN` besides."""

import json
import math
from collections.abc import Mapping


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


def json_text(value: object, indent: int | None = None) -> str:
    """A value as JSON, in ASCII; numbers that are not finite become null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)
