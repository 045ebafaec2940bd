"""Styles of other programs with random numbers: their files, and their networks in NumPy.

Written from the programs' descriptions and not from stylejax's steps. Pictures are height x width x
3 in 0 to 255, maps channels x height x width as in torch.
"""

import json
from typing import Literal

import numpy as np
from torch7_files import Module

RANDOM = np.random.default_rng(3)


def kernel(*shape):
    return RANDOM.normal(0.0, np.sqrt(2.0 / np.prod(shape[1:])), shape).astype(np.float32)


def vector(size, around=0.0):
    return (around + RANDOM.normal(0.0, 0.3, size)).astype(np.float32)


def convolve(x, weight, bias=None, stride=1):
    """Weight is outputs x inputs x height x width; nothing is padded."""
    window = weight.shape[2:]
    near = np.lib.stride_tricks.sliding_window_view(x, window, axis=(1, 2))[:, ::stride, ::stride]
    y = np.einsum("ihwyx,oiyx->ohw", near, weight, optimize=True)
    return y if bias is None else y + bias[:, None, None]


def padded(x, before, after=None, mode: Literal["constant", "reflect"] = "constant"):
    sides = (before, before if after is None else after)
    return np.pad(x, ((0, 0), sides, sides), mode=mode)


def normalized(x, scale, shift, epsilon, moments=None):
    mean, variance = (x.mean((1, 2)), x.var((1, 2))) if moments is None else moments
    column = lambda each: each[:, None, None]
    unit = (x - column(mean)) / np.sqrt(column(variance) + epsilon)
    return column(scale) * unit + column(shift)


def relu(x):
    return np.maximum(x, 0.0)


def spread(x):
    """Zeros between the positions."""
    y = np.zeros((len(x), 2 * x.shape[1] - 1, 2 * x.shape[2] - 1))
    y[:, ::2, ::2] = x
    return y


def output(x, picture):
    y = np.clip(x.transpose(1, 2, 0) / 255.0, 0.0, 1.0)
    return y[: picture.shape[0], : picture.shape[1]]


# pytorch/examples

SIZES = (4, 6, 8)


def pytorch_state(old=False):
    """A state dict of pytorch/examples, or in the older program's names."""
    a, b, c = SIZES
    layers = [("conv1", a, 3, 9), ("conv2", b, a, 3), ("conv3", c, b, 3)]
    layers += [(f"res{n}.conv{half}", c, c, 3) for n in range(1, 6) for half in (1, 2)]
    layers += [("deconv1", b, c, 3), ("deconv2", a, b, 3), ("deconv3", 3, a, 9)]
    state = {}
    for name, outputs, inputs, window in layers:
        state[f"{name}.conv2d.weight"] = kernel(outputs, inputs, window, window)
        state[f"{name}.conv2d.bias"] = vector(outputs)
    state["deconv3.conv2d.weight"] *= 60.0
    state["deconv3.conv2d.bias"] += 120.0
    norms = [("in1", a), ("in2", b), ("in3", c), ("in4", b), ("in5", a)]
    norms += [(f"res{n}.in{half}", c) for n in range(1, 6) for half in (1, 2)]
    for name, size in norms:
        state[f"{name}.{'scale' if old else 'weight'}"] = vector(size, 1.0)
        state[f"{name}.{'shift' if old else 'bias'}"] = vector(size)
        if not old:
            state[f"{name}.running_mean"] = vector(size)
    return state


def run_pytorch(state, picture, old=False):
    weight, bias, epsilon = ("scale", "shift", 1e-9) if old else ("weight", "bias", 1e-5)

    def convolved(x, name, stride=1):
        w = state[f"{name}.conv2d.weight"]
        x = padded(x, w.shape[2] // 2, mode="reflect")
        return convolve(x, w, state[f"{name}.conv2d.bias"], stride)

    def norm(x, name):
        return normalized(x, state[f"{name}.{weight}"], state[f"{name}.{bias}"], epsilon)

    x = 255.0 * picture.astype(float).transpose(2, 0, 1)
    x = x[::-1] if old else x
    for number in (1, 2, 3):
        x = relu(norm(convolved(x, f"conv{number}", min(number, 2)), f"in{number}"))
    for number in range(1, 6):
        name = f"res{number}"
        inner = relu(norm(convolved(x, f"{name}.conv1"), f"{name}.in1"))
        x = norm(convolved(inner, f"{name}.conv2"), f"{name}.in2") + x
    for number in (1, 2):
        x = x.repeat(2, axis=1).repeat(2, axis=2)
        x = relu(norm(convolved(x, f"deconv{number}"), f"in{number + 3}"))
    x = convolved(x, "deconv3")
    return output(x[::-1] if old else x, picture)


# lengstrom/fast-style-transfer


def lengstrom_variables():
    a, b, c = SIZES
    shapes = [(9, 9, 3, a), (3, 3, a, b), (3, 3, b, c), *[(3, 3, c, c)] * 10]
    # Transposed convolutions have outputs before inputs.
    shapes += [(3, 3, b, c), (3, 3, a, b), (9, 9, a, 3)]
    variables = {}
    for number, shape in enumerate(shapes):
        outputs = shape[2] if number in (13, 14) else shape[3]
        each = (RANDOM.normal(0.0, 0.1, shape), vector(outputs), vector(outputs, 1.0))
        for place, value in enumerate(each, start=3 * number):
            name = f"Variable_{place}" if place else "Variable"
            variables[name] = value.astype(np.float32)
    return variables


def write_variables(folder, variables):
    folder.mkdir()
    manifest = {}
    for name, value in variables.items():
        filename = name.replace("/", "_")
        (folder / filename).write_bytes(value.astype("<f4").tobytes())
        manifest[name] = {"filename": filename, "shape": list(value.shape)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def run_lengstrom(variables, picture):
    place = iter(range(48))

    def layer(x, stride=1, transposed=False):
        w, shift, scale = (
            variables[f"Variable_{number}" if number else "Variable"]
            for number in (next(place), next(place), next(place))
        )
        if transposed:
            # The gradient of a convolution in steps of 2 that pads 0 before and 1 after.
            backward = np.flip(w, (0, 1)).transpose(2, 3, 0, 1)
            x = convolve(padded(spread(x), 2, 2), backward)[:, : 2 * x.shape[1], : 2 * x.shape[2]]
        else:
            forward, window = w.transpose(3, 2, 0, 1), w.shape[0]
            size = np.array(x.shape[1:])
            total = np.maximum((-(-size // stride) - 1) * stride + window - size, 0)
            sides = [(each // 2, each - each // 2) for each in total]
            x = convolve(np.pad(x, ((0, 0), *sides)), forward, stride=stride)
        return normalized(x, scale, shift, 1e-3)

    x = 255.0 * picture.astype(float).transpose(2, 0, 1)
    for stride in (1, 2, 2):
        x = relu(layer(x, stride))
    for _ in range(5):
        inner = relu(layer(x))
        x = x + layer(inner)
    for _ in range(2):
        x = relu(layer(x, transposed=True))
    return output(150.0 * np.tanh(layer(x)) + 127.5, picture)


# jcjohnson/fast-neural-style

MEAN = np.array([103.939, 116.779, 123.68])[:, None, None]


def johnson_checkpoint(instance=True):
    """A checkpoint: reflection first, blocks that do not pad, transposed convolutions."""
    a, b, c = SIZES

    def convolution(inputs, outputs, window, stride=1, padding=0):
        sizes = {"nInputPlane": inputs, "nOutputPlane": outputs, "kH": window, "kW": window}
        where = {"dH": stride, "dW": stride, "padH": padding, "padW": padding}
        # Early ones are matrices.
        weight = kernel(outputs, inputs, window, window).reshape(outputs, -1)
        return Module(
            "nn.SpatialConvolution", weight=weight, bias=vector(outputs), **sizes, **where
        )

    def transposed(inputs, outputs):
        sizes = {"nInputPlane": inputs, "nOutputPlane": outputs, "kH": 3, "kW": 3}
        where = dict.fromkeys(("padH", "padW", "adjH", "adjW"), 1) | {"dH": 2, "dW": 2}
        weight = 2.0 * kernel(inputs, outputs, 3, 3)
        return Module(
            "nn.SpatialFullConvolution", weight=weight, bias=vector(outputs), **sizes, **where
        )

    def norm(size):
        fields = {"weight": vector(size, 1.0), "bias": vector(size), "eps": 1e-5}
        if instance:
            return Module("nn.InstanceNormalization", **fields)
        moments = {"running_mean": vector(size), "running_var": vector(size) ** 2 + 0.5}
        return Module("nn.SpatialBatchNormalization", **fields, **moments)

    def container(name, *modules):
        return Module(f"nn.{name}", modules=list(modules))

    nonlinear = lambda: Module("nn.ReLU", inplace=True)

    def block():
        inner = [convolution(c, c, 3), norm(c), nonlinear(), convolution(c, c, 3), norm(c)]
        table = container("ConcatTable", container("Sequential", *inner), shaved())
        return container("Sequential", table, Module("nn.CAddTable"))

    shaved = lambda: Module("nn.ShaveImage", size=2)
    frame = {"pad_l": 40, "pad_r": 40, "pad_t": 40, "pad_b": 40}
    modules = [Module("nn.SpatialReflectionPadding", **frame)]
    modules += [convolution(3, a, 9, 1, 4), norm(a), nonlinear()]
    modules += [convolution(a, b, 3, 2, 1), norm(b), nonlinear()]
    modules += [convolution(b, c, 3, 2, 1), norm(c), nonlinear()]
    modules += [block() for _ in range(5)]
    modules += [transposed(c, b), norm(b), nonlinear(), transposed(b, a), norm(a), nonlinear()]
    last = convolution(a, 3, 9, 1, 4)
    last.fields["weight"] *= 0.05 if instance else 2e-5
    modules += [last, Module("nn.Tanh")]
    modules += [Module("nn.MulConstant", constant_scalar=150.0), Module("nn.TotalVariation")]
    options = {"arch": "c9s1-4,d6,d8,R8,R8,R8,R8,R8,u6,u4,c9s1-3", "preprocessing": "vgg"}
    return {"opt": options, "model": container("Sequential", *modules)}


def run_johnson(saved, picture):
    def convolved(x, fields):
        shape = (fields["nOutputPlane"], fields["nInputPlane"], fields["kH"], fields["kW"])
        x = padded(x, fields["padH"])
        return convolve(x, fields["weight"].reshape(shape), fields["bias"], fields["dH"])

    def transposed(x, fields):
        # Outputs x inputs, run backward; a position more after the last.
        backward = np.flip(fields["weight"], (2, 3)).transpose(1, 0, 2, 3)
        return convolve(padded(spread(x), 1, 2), backward, fields["bias"])

    def norm(x, fields):
        moments = None
        if "running_mean" in fields:
            moments = fields["running_mean"], fields["running_var"]
        return normalized(x, fields["weight"], fields["bias"], fields["eps"], moments)

    def block(x, module):
        inner, y = module.fields["modules"][0].fields["modules"][0].fields["modules"], x
        for each in inner:
            y = run(y, each)
        return y + x[:, 2:-2, 2:-2]

    def run(x, module):
        fields = module.fields
        match module.name.removeprefix("nn."):
            case "SpatialReflectionPadding":
                return padded(x, fields["pad_t"], mode="reflect")
            case "SpatialConvolution":
                return convolved(x, fields)
            case "SpatialFullConvolution":
                return transposed(x, fields)
            case "ReLU":
                return relu(x)
            case "Sequential":
                return block(x, module)
            case "Tanh":
                return np.tanh(x)
            case "MulConstant":
                return fields["constant_scalar"] * x
            case "TotalVariation":
                return x
        return norm(x, fields)

    x = 255.0 * picture.astype(float).transpose(2, 0, 1)[::-1] - MEAN
    for module in saved["model"].fields["modules"]:
        x = run(x, module)
    return output((x + MEAN)[::-1], picture)
