"""Styles that other programs have trained, as data: which program, its layers, their numbers.

A style is a list of steps from picture to picture, each a dictionary of plain values that a file's
metadata can hold. What a step does, and which tensors it has, `stylejax.feedforward.foreign` says.
Kernels are height x width x inputs x outputs.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from stylejax.errors import InputError
from stylejax.weights.formats.torch7 import TorchObject

Step = Mapping[str, Any]

VGG_MEAN = (123.68, 116.779, 103.939)
"""Of red, green and blue in 0 to 255, that Johnson's program takes away and adds again."""
_BLOCKS = 5
_MOST_STEPS = 1_000


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
    tensors: dict[str, np.ndarray]


def _convolution(name: str, stride: int = 1, padding: Any = 0) -> Step:
    return {"kind": "convolution", "name": name, "stride": stride, "padding": padding}


def _norm(name: str, epsilon: float) -> Step:
    return {"kind": "norm", "name": name, "epsilon": epsilon}


_RELU: Step = {"kind": "relu"}
_DOUBLE: Step = {"kind": "double"}


def _reflected(pixels: int) -> Step:
    return {"kind": "pad", "mode": "reflect", "pixels": [pixels] * 4}


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
        return [_reflected(window // 2), _convolution(name, stride)]

    def norm(name: str) -> Step:
        for own, entry in zip(("scale", "shift"), entries, strict=True):
            tensors[f"{name}.{own}"] = take(f"{name}.{entry}").reshape(-1)
        return _norm(name, epsilon)

    steps: list[Step] = [*convolution("conv1", 9), norm("in1"), _RELU]
    for number in (2, 3):
        steps += [*convolution(f"conv{number}", stride=2), norm(f"in{number}"), _RELU]
    for block in (f"res{number}" for number in range(1, _BLOCKS + 1)):
        inner = [*convolution(f"{block}.conv1"), norm(f"{block}.in1"), _RELU]
        inner += [*convolution(f"{block}.conv2"), norm(f"{block}.in2")]
        steps.append({"kind": "residual", "steps": inner, "cut": 0})
    for number in (1, 2):
        steps += [_DOUBLE, *convolution(f"deconv{number}"), norm(f"in{number + 3}"), _RELU]
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
        step = _convolution(name, stride, "same")
        if number in (13, 14):
            # Transposed: TensorFlow has the outputs before the inputs, and runs it backward.
            kernel = np.flip(kernel, (0, 1)).transpose(0, 1, 3, 2)
            step = {"kind": "transposed", "name": name, "padding": [2, 1]}
        tensors[f"{name}.kernel"] = kernel
        tensors[f"{name}.shift"] = variable(3 * number + 1).reshape(-1)
        tensors[f"{name}.scale"] = variable(3 * number + 2).reshape(-1)
        return [step, _norm(name, _LENGSTROM_EPSILON)]

    steps: list[Step] = []
    for number in range(3):
        steps += [*layer(number, 2 if number else 1), _RELU]
    for first in range(3, 3 + 2 * _BLOCKS, 2):
        inner = [*layer(first), _RELU, *layer(first + 1)]
        steps.append({"kind": "residual", "steps": inner, "cut": 0})
    for number in (13, 14):
        steps += [*layer(number), _RELU]
    steps += [*layer(15), {"kind": "tanh", "scale": _LENGSTROM_REACH}]
    gray, none = (_GRAY,) * 3, (0.0,) * 3
    return ForeignStyle("lengstrom/fast-style-transfer", "rgb", none, gray, steps, tensors)


# jcjohnson/fast-neural-style.


class _Modules:
    """Turns modules of Torch 7's nn into steps, and gathers their tensors."""

    def __init__(self) -> None:
        self.tensors: dict[str, np.ndarray] = {}
        self.count = 0

    def named(self, kind: str, **tensors: Any) -> str:
        name = f"{kind}{len({key.split('.')[0] for key in self.tensors}) + 1}"
        for entry, value in tensors.items():
            if not isinstance(value, np.ndarray):
                raise InputError(f"a {kind} has no {entry}: get the file again")
            self.tensors[f"{name}.{entry}"] = value
        return name

    def steps(self, module: Any) -> list[Step]:
        self.count += 1
        # Modules may be named more than once, even inside themselves.
        if self.count > _MOST_STEPS or not isinstance(module, TorchObject):
            raise InputError("its model is no list of nn's modules: not a style of this program")
        kind = module.name.rpartition(".")[2]
        make = getattr(self, f"_{kind}", None)
        if make is None:
            raise InputError(f"its model has a {module.name}, which styles have not: not read")
        return make(module.fields)

    def parts(self, fields: Mapping[Any, Any]) -> list[Any]:
        modules = fields.get("modules")
        if not isinstance(modules, dict):
            raise InputError("a container has no modules: get the file again")
        return [modules[key] for key in sorted(modules)]

    def _Sequential(self, fields: Mapping[Any, Any]) -> list[Step]:
        parts = self.parts(fields)
        names = [getattr(part, "name", "") for part in parts]
        if names == ["nn.ConcatTable", "nn.CAddTable"]:
            return [self.residual(parts[0].fields)]
        return [step for part in parts for step in self.steps(part)]

    def residual(self, fields: Mapping[Any, Any]) -> Step:
        parts = self.parts(fields)
        names = [getattr(part, "name", "") for part in parts]
        beside = [n for n, name in enumerate(names) if name in ("nn.ShaveImage", "nn.Identity")]
        if len(parts) != 2 or len(beside) != 1:
            raise InputError("a residual block is none of this program's: not read")
        inner = self.steps(parts[1 - beside[0]])
        cut = int(parts[beside[0]].fields.get("size", 0))
        return {"kind": "residual", "steps": inner, "cut": cut}

    def _SpatialConvolution(self, fields: Mapping[Any, Any]) -> list[Step]:
        outputs, inputs, height, width = self.sizes(fields, "nOutputPlane", "nInputPlane")
        kernel = fields["weight"].reshape(outputs, inputs, height, width).transpose(2, 3, 1, 0)
        name = self.named("convolution", kernel=kernel, bias=fields["bias"])
        padding = [int(fields.get(key, 0)) for key in ("padH", "padW")]
        stride = [int(fields.get(key, 1)) for key in ("dH", "dW")]
        if padding[0] != padding[1] or stride[0] != stride[1]:
            raise InputError("a convolution is not the same along both axes: not read")
        return [_convolution(name, stride[0], padding[0])]

    def _SpatialFullConvolution(self, fields: Mapping[Any, Any]) -> list[Step]:
        inputs, outputs, height, width = self.sizes(fields, "nInputPlane", "nOutputPlane")
        kernel = fields["weight"].reshape(inputs, outputs, height, width)
        kernel = np.flip(kernel, (2, 3)).transpose(2, 3, 0, 1)
        name = self.named("transposed", kernel=kernel, bias=fields["bias"])
        if {int(fields.get(key, 0)) for key in ("dH", "dW")} != {2}:
            raise InputError("a transposed convolution does not double: not read")
        before = height - 1 - int(fields.get("padH", 0))
        after = before + int(fields.get("adjH", 0))
        return [{"kind": "transposed", "name": name, "padding": [before, after]}]

    def sizes(self, fields: Mapping[Any, Any], first: str, second: str) -> tuple[int, ...]:
        return tuple(int(fields[key]) for key in (first, second, "kH", "kW"))

    def _InstanceNormalization(self, fields: Mapping[Any, Any]) -> list[Step]:
        name = self.named("norm", scale=fields["weight"], shift=fields["bias"])
        return [_norm(name, float(fields["eps"]))]

    def _SpatialBatchNormalization(self, fields: Mapping[Any, Any]) -> list[Step]:
        entries = {"scale": "weight", "shift": "bias"}
        entries |= {"mean": "running_mean", "variance": "running_var"}
        name = self.named("norm", **{own: fields.get(key) for own, key in entries.items()})
        return [_norm(name, float(fields["eps"]))]

    def _padding(self, fields: Mapping[Any, Any], mode: str) -> list[Step]:
        pixels = [int(fields[key]) for key in ("pad_t", "pad_b", "pad_l", "pad_r")]
        return [{"kind": "pad", "mode": mode, "pixels": pixels}]

    def _SpatialReflectionPadding(self, fields: Mapping[Any, Any]) -> list[Step]:
        return self._padding(fields, "reflect")

    def _SpatialReplicationPadding(self, fields: Mapping[Any, Any]) -> list[Step]:
        return self._padding(fields, "edge")

    def _SpatialUpSamplingNearest(self, fields: Mapping[Any, Any]) -> list[Step]:
        if int(fields["scale_factor"]) != 2:
            raise InputError("an enlargement does not double: not read")
        return [_DOUBLE]

    def _ReLU(self, fields: Mapping[Any, Any]) -> list[Step]:
        return [_RELU]

    def _Tanh(self, fields: Mapping[Any, Any]) -> list[Step]:
        return [{"kind": "tanh", "scale": 1.0}]

    def _MulConstant(self, fields: Mapping[Any, Any]) -> list[Step]:
        return [{"kind": "scale", "by": float(fields["constant_scalar"])}]

    def _TotalVariation(self, fields: Mapping[Any, Any]) -> list[Step]:
        # It is there for its gradient alone.
        return []

    _Identity = _TotalVariation


def johnson_style(saved: Any) -> ForeignStyle:
    """The style of a checkpoint of Johnson's program, as `read_torch7` gives it.

    Raises:
        InputError: it is no such checkpoint, or has a module or preprocessing that styles have not.
    """
    model = saved.get("model") if isinstance(saved, dict) else None
    if model is None:
        raise InputError("a Torch 7 file, but without a model: not a style of fast-neural-style")
    options = saved.get("opt")
    preprocessing = options.get("preprocessing", "vgg") if isinstance(options, dict) else "vgg"
    if preprocessing != "vgg":
        raise InputError(f"its preprocessing is {preprocessing!r}: only `vgg` is read")
    modules = _Modules()
    try:
        steps = modules.steps(model)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"its model is damaged ({error!r}): get the file again") from error
    program = "jcjohnson/fast-neural-style"
    return ForeignStyle(program, "bgr", VGG_MEAN, VGG_MEAN, steps, modules.tensors)
