"""Styles that other programs have trained, as data: which program, its layers, their numbers.

A style is a list of steps from picture to picture, each a dictionary of plain values that a file's
metadata can hold. What a step does, and which tensors it has, `stylejax.feedforward.foreign` says.
Kernels are height x width x inputs x outputs.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array

from stylejax.errors import InputError

Step = Mapping[str, Any]
Tensors = Mapping[str, Array | np.ndarray]

_BLOCKS = 5


class ForeignStyle(NamedTuple):
    """A style that another program has trained.

    Attributes:
        program: which one.
        order: of the colors that its network knows: `rgb` or `bgr`.
        input_mean: what is taken away from red, green and blue in 0 to 255 at first...
        output_mean: ...and what is added at the end.
        steps: its layers.
        tensors: their numbers, by name.
    """

    program: str
    order: str
    input_mean: tuple[float, ...]
    output_mean: tuple[float, ...]
    steps: list[Step]
    tensors: Tensors


def convolution_step(name: str, stride: int = 1, padding: int | str = 0) -> Step:
    """A convolution, with so many zeros around the map, or TensorFlow's `same`."""
    return {"kind": "convolution", "name": name, "stride": stride, "padding": padding}


def norm_step(name: str, epsilon: float) -> Step:
    """A normalization, then scale and shift."""
    return {"kind": "norm", "name": name, "epsilon": epsilon}


RELU: Step = {"kind": "relu"}
DOUBLE: Step = {"kind": "double"}


def pad_step(pixels: list[int], mode: str = "reflect") -> Step:
    """Padding above, below, left and right."""
    return {"kind": "pad", "mode": mode, "pixels": pixels}


# pytorch/examples, and the program of abhiskk that it came from.

_WIDE = 4
"""Pixels that a 9x9 convolution reflects; 3x3 ones reflect one."""
_OLD_ENTRIES, _ENTRIES = ("scale", "shift"), ("weight", "bias")


def is_pytorch_style(tensors: Mapping[str, np.ndarray]) -> bool:
    """Whether a state dict is one of a style of pytorch/examples or its ancestor."""
    names = {key.removeprefix("module.") for key in tensors}
    return {"conv1.conv2d.weight", "deconv3.conv2d.weight"} <= names


def pytorch_style(state: Mapping[str, np.ndarray]) -> ForeignStyle:
    """The style of a state dict of pytorch/examples, or of the older program of abhiskk.

    The latter has scales and shifts by these names, sees blue first, and has another epsilon.

    Raises:
        InputError: names the first tensor that is missing or unknown.
    """
    ignored = re.compile(r".*\.(running_(mean|var)|num_batches_tracked)")
    given = {key.removeprefix("module."): value for key, value in state.items()}
    given = {key: value for key, value in given.items() if not ignored.fullmatch(key)}
    is_old = "in1.scale" in given
    entries, epsilon = (_OLD_ENTRIES, 1e-9) if is_old else (_ENTRIES, 1e-5)
    tensors: dict[str, np.ndarray] = {}

    def take(key: str) -> np.ndarray:
        if key not in given:
            raise InputError(f"tensor {key!r} of a style is missing: get the file again")
        return given.pop(key)

    def convolution(name: str, window: int = 3, stride: int = 1) -> list[Step]:
        tensors[f"{name}.kernel"] = take(f"{name}.conv2d.weight").transpose(2, 3, 1, 0)
        tensors[f"{name}.bias"] = take(f"{name}.conv2d.bias")
        return [pad_step([window // 2] * 4), convolution_step(name, stride)]

    def norm(name: str) -> Step:
        for own, entry in zip(("scale", "shift"), entries, strict=True):
            tensors[f"{name}.{own}"] = take(f"{name}.{entry}").reshape(-1)
        return norm_step(name, epsilon)

    steps: list[Step] = [*convolution("conv1", 9), norm("in1"), RELU]
    for number in (2, 3):
        steps += [*convolution(f"conv{number}", stride=2), norm(f"in{number}"), RELU]
    for block in (f"res{number}" for number in range(1, _BLOCKS + 1)):
        inner = [*convolution(f"{block}.conv1"), norm(f"{block}.in1"), RELU]
        inner += [*convolution(f"{block}.conv2"), norm(f"{block}.in2")]
        steps.append({"kind": "residual", "steps": inner, "cut": 0})
    for number in (1, 2):
        steps += [DOUBLE, *convolution(f"deconv{number}"), norm(f"in{number + 3}"), RELU]
    steps += convolution("deconv3", 9)
    if given:
        raise InputError(f"tensor {min(given)!r} is none of a style's: get the file again")
    program = "abhiskk/fast-neural-style" if is_old else "pytorch/examples fast_neural_style"
    none = (0.0, 0.0, 0.0)
    return ForeignStyle(program, "bgr" if is_old else "rgb", none, none, steps, tensors)


# lengstrom/fast-style-transfer.

_LENGSTROM_EPSILON, _LENGSTROM_REACH, _GRAY = 1e-3, 150.0, 127.5


def lengstrom_style(variables: Mapping[str, np.ndarray]) -> ForeignStyle:
    """The style of lengstrom's program, from its TensorFlow variables by name.

    Each of sixteen convolutions has three, in the order of their creation: kernel, shift, scale.

    Raises:
        InputError: names the first variable that is missing.
    """
    tensors: dict[str, np.ndarray] = {}

    def variable(number: int) -> np.ndarray:
        name = f"Variable_{number}" if number else "Variable"
        if name not in variables:
            raise InputError(f"variable {name!r} of a style is missing: get the checkpoint again")
        return variables[name]

    def layer(number: int, stride: int = 1) -> list[Step]:
        name, kernel = f"conv{number + 1}", variable(3 * number)
        step = convolution_step(name, stride, "same")
        if number in (13, 14):
            # Transposed: TensorFlow has the outputs before the inputs, and runs it backward.
            kernel = np.flip(kernel, (0, 1)).transpose(0, 1, 3, 2)
            step = {"kind": "transposed", "name": name, "padding": [2, 1]}
        tensors[f"{name}.kernel"] = kernel
        tensors[f"{name}.shift"] = variable(3 * number + 1).reshape(-1)
        tensors[f"{name}.scale"] = variable(3 * number + 2).reshape(-1)
        return [step, norm_step(name, _LENGSTROM_EPSILON)]

    steps: list[Step] = []
    for number in range(3):
        steps += [*layer(number, 2 if number else 1), RELU]
    for first in range(3, 3 + 2 * _BLOCKS, 2):
        inner = [*layer(first), RELU, *layer(first + 1)]
        steps.append({"kind": "residual", "steps": inner, "cut": 0})
    for number in (13, 14):
        steps += [*layer(number), RELU]
    steps += [*layer(15), {"kind": "tanh", "scale": _LENGSTROM_REACH}]
    gray, none = (_GRAY,) * 3, (0.0,) * 3
    return ForeignStyle("lengstrom/fast-style-transfer", "rgb", none, gray, steps, tensors)
