"""Reading what Torch 7 saved (`.t7`), without Torch and without running what a file holds.

Such a file is one object after the other, each a tag and then what belongs to it: numbers, strings,
booleans, tables, and objects of Torch's classes, which are tensors, storages, or a table with a
class's name. What has been read before is referred to by a number. Functions are bytecode: a file
that has one is refused. Format: torch/torch7, File.lua and doc/serialization.md.
"""

import math
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stylejax.errors import InputError

_NIL, _NUMBER, _STRING, _TABLE, _OBJECT, _BOOLEAN = range(6)
_DEEPEST = 100
"""Tables inside tables; networks have about ten."""
_MOST_DIMENSIONS = 8
_STORED_TYPES = {
    "Double": "<f8",
    "Float": "<f4",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "i1",
    "Byte": "u1",
    "Cuda": "<f4",
    "CudaDouble": "<f8",
    "CudaLong": "<i8",
}


Fields = dict[Any, Any]
"""What a table holds: numbers and strings to anything that Torch 7 saves."""


class TorchObject(NamedTuple):
    """An object of a class that is no tensor: its class's name and its fields."""

    name: str
    fields: Fields


class _Reader:
    """Reads objects from bytes; never past their end, and never more than they can hold."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0
        self.known: dict[int, object] = {}

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.content) - self.at:
            raise InputError("ends too early, or a size in it is wrong: get the file again")
        self.at += count
        return self.content[self.at - count : self.at]

    def whole(self) -> int:
        return struct.unpack("<i", self.take(4))[0]

    def wholes(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}q", self.take(8 * count))

    def text(self) -> str:
        return self.take(self.whole()).decode("latin-1")

    def value(self, depth: int = 0) -> Any:
        """The next object: None, a number, a string, a dictionary, an array, a `TorchObject`."""
        if depth > _DEEPEST:
            raise InputError(f"has tables inside tables more than {_DEEPEST} deep: refused")
        tag = self.whole()
        if tag == _NIL:
            return None
        if tag == _NUMBER:
            return struct.unpack("<d", self.take(8))[0]
        if tag == _STRING:
            return self.text()
        if tag == _BOOLEAN:
            return self.whole() == 1
        if tag not in (_TABLE, _OBJECT):
            what = "a function, which could run code: refused" if tag in (6, 7, 8) else "damaged"
            raise InputError(f"has an object of kind {tag}: {what}")
        index = self.whole()
        if index not in self.known:
            read = self.table if tag == _TABLE else self.of_class
            self.known[index] = read(index, depth)
        return self.known[index]

    def table(self, index: int, depth: int) -> Fields:
        table: Fields = {}
        self.known[index] = table
        for _ in range(self.whole()):
            key = self.value(depth + 1)
            if not isinstance(key, (str, float, bool)):
                raise InputError("has a table with a key that is no name or number: damaged")
            table[key] = self.value(depth + 1)
        return table

    def of_class(self, index: int, depth: int) -> TorchObject | np.ndarray:
        name = self.text()
        # Before version 1 the class's name stood here.
        name = self.text() if name.startswith("V ") else name
        kind = name.removeprefix("torch.")
        for ending, read in (("Storage", self.storage), ("Tensor", self.tensor)):
            dtype = _STORED_TYPES.get(kind.removesuffix(ending))
            if kind != name and kind.endswith(ending) and dtype is not None:
                return read(dtype, depth)
        made = TorchObject(name, {})
        self.known[index] = made
        fields = self.value(depth + 1)
        if not isinstance(fields, dict):
            raise InputError(f"has an object of class {name} without fields: not read")
        made.fields.update(fields)
        return made

    def storage(self, dtype: str, depth: int) -> np.ndarray:
        (count,) = self.wholes(1)
        return np.frombuffer(self.take(count * np.dtype(dtype).itemsize), dtype)

    def tensor(self, dtype: str, depth: int) -> np.ndarray:
        rank = self.whole()
        if not 0 <= rank <= _MOST_DIMENSIONS:
            raise InputError(f"has a tensor of {rank} dimensions: damaged, get the file again")
        shape, strides = self.wholes(rank), self.wholes(rank)
        (offset,) = self.wholes(1)
        data = self.value(depth + 1)
        if data is None or not math.prod(shape) or not rank:
            return np.zeros(shape if rank else 0, dtype)
        steps = sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
        inside = min(*shape, *strides, offset) >= 0 and offset - 1 + steps < data.size
        # A stride of zero could make a small storage look arbitrarily large.
        if not (isinstance(data, np.ndarray) and inside and math.prod(shape) <= data.size):
            raise InputError("has a tensor that reaches past its storage: get the file again")
        in_bytes = tuple(step * data.itemsize for step in strides)
        view = np.lib.stride_tricks.as_strided(data[offset - 1 :], shape, in_bytes, writeable=False)
        return np.ascontiguousarray(view)


def is_torch7(start: bytes) -> bool:
    """Whether a file with this start is one that Torch 7 saved: a table or an object, the first."""
    return start[:8] in (struct.pack("<ii", tag, 1) for tag in (_TABLE, _OBJECT))


def read_torch7(path: Path) -> object:
    """The object that a file holds.

    Tables are dictionaries whose whole numbers are floats, as in Lua; tensors are arrays.

    Raises:
        InputError: the file is truncated or damaged, or holds a function.
    """
    try:
        return _Reader(path.read_bytes()).value()
    except InputError:
        raise
    except Exception as error:  # A damaged file can fail in any way.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"not a whole Torch 7 file ({reason}): get it again") from error
