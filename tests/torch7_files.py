"""Writing files as Torch 7 saves them, without it: objects, tables, tensors, opcode by opcode."""

import struct

import numpy as np


class Module:
    """An object of a class of nn, by its name and fields."""

    def __init__(self, name, **fields):
        self.name, self.fields = name, fields


class Bytecode:
    """What no file of a style has: a function."""


class _Writer:
    def __init__(self):
        self.parts, self.count = [], 0

    def put(self, form, *values):
        self.parts.append(struct.pack("<" + form, *values))

    def text(self, text):
        self.put(f"i{len(text)}s", len(text), text.encode())

    def begin(self, tag, name=None):
        self.count += 1
        self.put("ii", tag, self.count)
        if name is not None:
            self.text("V 1")
            self.text(name)

    def write(self, value):
        if value is None:
            self.put("i", 0)
        elif isinstance(value, bool):
            self.put("ii", 5, value)
        elif isinstance(value, int | float):
            self.put("id", 1, value)
        elif isinstance(value, str):
            self.put("i", 2)
            self.text(value)
        elif isinstance(value, Bytecode):
            self.put("iii", 8, self.count + 1, 4)
            self.parts.append(b"code")
        elif isinstance(value, np.ndarray):
            self.tensor(value)
        elif isinstance(value, Module):
            self.begin(4, value.name)
            self.write(value.fields)
        else:
            pairs = value.items() if isinstance(value, dict) else enumerate(value, start=1)
            self.begin(3)
            self.put("i", len(value))
            for key, item in pairs:
                self.write(key)
                self.write(item)

    def tensor(self, value):
        self.begin(4, "torch.FloatTensor")
        strides = [step // value.itemsize for step in value.strides]
        self.put(f"i{2 * value.ndim + 1}q", value.ndim, *value.shape, *strides, 1)
        self.begin(4, "torch.FloatStorage")
        self.put("q", value.size)
        self.parts.append(np.ascontiguousarray(value, np.float32).tobytes())


def torch7_bytes(value):
    writer = _Writer()
    writer.write(value)
    return b"".join(writer.parts)
