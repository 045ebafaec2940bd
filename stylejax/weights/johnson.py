"""Styles of Johnson's fast-neural-style: the modules of Torch 7's nn turned into steps."""

import numpy as np

from stylejax.errors import InputError
from stylejax.weights.foreign import (
    DOUBLE,
    RELU,
    ForeignStyle,
    Step,
    convolution_step,
    norm_step,
    pad_step,
)
from stylejax.weights.formats.torch7 import Fields, TorchObject

VGG_MEAN = (123.68, 116.779, 103.939)
"""Of red, green and blue in 0 to 255, that Johnson's program takes away and adds again."""
_MOST_MODULES, _DEEPEST = 200, 10
"""In a model, and inside of each other; styles have about eighty, at most four deep."""


class _Modules:
    """Turns modules of Torch 7's nn into steps, and gathers their tensors."""

    def __init__(self) -> None:
        self.tensors: dict[str, np.ndarray] = {}
        self.count = self.depth = 0

    def named(self, kind: str, **tensors: object) -> str:
        name = f"{kind}{len({key.split('.')[0] for key in self.tensors}) + 1}"
        for entry, value in tensors.items():
            if not isinstance(value, np.ndarray):
                raise InputError(f"a {kind} has no {entry}: get the file again")
            self.tensors[f"{name}.{entry}"] = value
        return name

    def steps(self, module: object) -> list[Step]:
        self.count += 1
        # Modules may be named more than once, even inside themselves.
        endless = self.count > _MOST_MODULES or self.depth > _DEEPEST
        if endless or not isinstance(module, TorchObject):
            raise InputError("its model is no list of nn's modules: not a style of this program")
        kind = module.name.rpartition(".")[2]
        make = getattr(self, f"_{kind}", None)
        if make is None:
            raise InputError(f"its model has a {module.name}, which styles have not: not read")
        self.depth += 1
        made = make(module.fields)
        self.depth -= 1
        return made

    def parts(self, fields: Fields) -> list[object]:
        modules = fields.get("modules")
        if not isinstance(modules, dict):
            raise InputError("a container has no modules: get the file again")
        return [modules[key] for key in sorted(modules)]

    def _Sequential(self, fields: Fields) -> list[Step]:
        parts = self.parts(fields)
        names = [getattr(part, "name", "") for part in parts]
        if isinstance(parts[0], TorchObject) and names == ["nn.ConcatTable", "nn.CAddTable"]:
            return [self.residual(parts[0].fields)]
        return [step for part in parts for step in self.steps(part)]

    def residual(self, fields: Fields) -> Step:
        parts = self.parts(fields)
        names = [getattr(part, "name", "") for part in parts]
        beside = [n for n, name in enumerate(names) if name in ("nn.ShaveImage", "nn.Identity")]
        if len(parts) != 2 or len(beside) != 1:
            raise InputError("a residual block is none of this program's: not read")
        inner = self.steps(parts[1 - beside[0]])
        past = parts[beside[0]]
        cut = int(past.fields.get("size", 0)) if isinstance(past, TorchObject) else 0
        return {"kind": "residual", "steps": inner, "cut": cut}

    def _SpatialConvolution(self, fields: Fields) -> list[Step]:
        outputs, inputs, height, width = self.sizes(fields, "nOutputPlane", "nInputPlane")
        kernel = fields["weight"].reshape(outputs, inputs, height, width).transpose(2, 3, 1, 0)
        name = self.named("convolution", kernel=kernel, bias=fields["bias"])
        padding = [int(fields.get(key, 0)) for key in ("padH", "padW")]
        stride = [int(fields.get(key, 1)) for key in ("dH", "dW")]
        if padding[0] != padding[1] or stride[0] != stride[1]:
            raise InputError("a convolution is not the same along both axes: not read")
        return [convolution_step(name, stride[0], padding[0])]

    def _SpatialFullConvolution(self, fields: Fields) -> list[Step]:
        inputs, outputs, height, width = self.sizes(fields, "nInputPlane", "nOutputPlane")
        kernel = fields["weight"].reshape(inputs, outputs, height, width)
        kernel = np.flip(kernel, (2, 3)).transpose(2, 3, 0, 1)
        name = self.named("transposed", kernel=kernel, bias=fields["bias"])
        if {int(fields.get(key, 0)) for key in ("dH", "dW")} != {2}:
            raise InputError("a transposed convolution does not double: not read")
        before = height - 1 - int(fields.get("padH", 0))
        after = before + int(fields.get("adjH", 0))
        return [{"kind": "transposed", "name": name, "padding": [before, after]}]

    def sizes(self, fields: Fields, first: str, second: str) -> tuple[int, ...]:
        return tuple(int(fields[key]) for key in (first, second, "kH", "kW"))

    def _InstanceNormalization(self, fields: Fields) -> list[Step]:
        name = self.named("norm", scale=fields["weight"], shift=fields["bias"])
        return [norm_step(name, float(fields["eps"]))]

    def _SpatialBatchNormalization(self, fields: Fields) -> list[Step]:
        entries = {"scale": "weight", "shift": "bias"}
        entries |= {"mean": "running_mean", "variance": "running_var"}
        name = self.named("norm", **{own: fields.get(key) for own, key in entries.items()})
        return [norm_step(name, float(fields["eps"]))]

    def _padding(self, fields: Fields, mode: str) -> list[Step]:
        pixels = [int(fields[key]) for key in ("pad_t", "pad_b", "pad_l", "pad_r")]
        return [pad_step(pixels, mode)]

    def _SpatialReflectionPadding(self, fields: Fields) -> list[Step]:
        return self._padding(fields, "reflect")

    def _SpatialReplicationPadding(self, fields: Fields) -> list[Step]:
        return self._padding(fields, "edge")

    def _SpatialUpSamplingNearest(self, fields: Fields) -> list[Step]:
        if int(fields["scale_factor"]) != 2:
            raise InputError("an enlargement does not double: not read")
        return [DOUBLE]

    def _ReLU(self, fields: Fields) -> list[Step]:
        return [RELU]

    def _Tanh(self, fields: Fields) -> list[Step]:
        return [{"kind": "tanh", "scale": 1.0}]

    def _MulConstant(self, fields: Fields) -> list[Step]:
        return [{"kind": "scale", "by": float(fields["constant_scalar"])}]

    def _TotalVariation(self, fields: Fields) -> list[Step]:
        # It is there for its gradient alone.
        return []

    _Identity = _TotalVariation


def johnson_style(saved: object) -> ForeignStyle:
    """The style of a checkpoint of Johnson's program, as `read_torch7` gives it.

    Raises:
        InputError: it is no such checkpoint, or has a module or preprocessing that styles have not.
    """
    saved = saved if isinstance(saved, dict) else {}
    model = saved.get("model")
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
    if not modules.tensors:
        raise InputError("its model has no convolution: not a style of this program")
    program = "jcjohnson/fast-neural-style"
    return ForeignStyle(program, "bgr", VGG_MEAN, VGG_MEAN, steps, modules.tensors)
