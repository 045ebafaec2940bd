"""Painting with the networks of other programs: their steps, run one after the other.

A picture is height x width x 3 in [0, 1]; the networks know colors in 0 to 255. Steps, as
`stylejax.weights.foreign` lists them, with the tensors of their `name`:

- `pad`: `pixels` above, below, left and right, by `mode` (reflect or edge).
- `convolution`: kernel and maybe bias; `stride`; `padding` with so many zeros, or TensorFlow's
  `same`.
- `transposed`: one in half steps: zeros between the positions, and `padding` before and after them.
- `norm`: by the picture's own moments, or by mean and variance where the file has them; then scale
  and shift.
- `residual`: its `steps`, added to what came in without `cut` positions at each border.
- `relu`, `double` (each position repeated along both axes), `tanh` times `scale`, `scale` times
  `by`.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from stylejax.feedforward.convolutions import doubled
from stylejax.types import Image
from stylejax.weights.foreign import ForeignStyle, Step, Tensors

Map = Float[Array, "_ _ _"]

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def _convolution(x: Map, step: Step, tensors: Tensors, **how: Any) -> Map:
    name = step["name"]
    kernel = jnp.asarray(tensors[f"{name}.kernel"])
    y = lax.conv_general_dilated(x[None], kernel, dimension_numbers=_LAYOUT, **how)[0]
    return y + tensors[f"{name}.bias"] if f"{name}.bias" in tensors else y


def _normalized(x: Map, step: Step, tensors: Tensors) -> Map:
    name = step["name"]
    mean = tensors.get(f"{name}.mean")
    variance = tensors.get(f"{name}.variance")
    if mean is None or variance is None:
        mean, variance = jnp.mean(x, (0, 1)), jnp.var(x, (0, 1))
    scale = jnp.asarray(tensors[f"{name}.scale"]) / jnp.sqrt(variance + step["epsilon"])
    return scale * (x - mean) + tensors[f"{name}.shift"]


def _padded(x: Map, step: Step) -> Map:
    above, below, left, right = step["pixels"]
    return jnp.pad(x, ((above, below), (left, right), (0, 0)), mode=step["mode"])


def run_steps(x: Map, steps: Sequence[Step], tensors: Tensors) -> Map:
    """Run steps on a map.

    Raises:
        KeyError: a tensor, or a value of a step, is missing.
        ValueError: a kind is unknown, or shapes do not match.
    """
    for step in steps:
        match step["kind"]:
            case "pad":
                x = _padded(x, step)
            case "convolution":
                padding, stride = step["padding"], step["stride"]
                pads = "SAME" if padding == "same" else ((padding, padding),) * 2
                x = _convolution(x, step, tensors, window_strides=(stride,) * 2, padding=pads)
            case "transposed":
                pads = (tuple(step["padding"]),) * 2
                how = {"window_strides": (1, 1), "padding": pads, "lhs_dilation": (2, 2)}
                x = _convolution(x, step, tensors, **how)
            case "norm":
                x = _normalized(x, step, tensors)
            case "residual":
                cut, inner = step["cut"], run_steps(x, step["steps"], tensors)
                x = x[cut : x.shape[0] - cut, cut : x.shape[1] - cut] + inner
            case "relu":
                x = jax.nn.relu(x)
            case "double":
                x = doubled(x)
            case "tanh":
                x = step["scale"] * jnp.tanh(x)
            case "scale":
                x = step["by"] * x
            case kind:
                raise ValueError(f"run_steps: there is no step {kind!r}")
    return x


def paint_foreign(style: ForeignStyle, picture: Image) -> Image:
    """Paint a picture in a style of another program, as that program does.

    Args:
        style: the network; its tensors may be traced.
        picture: height x width x 3 in [0, 1], of any size from 16 pixels up.

    Returns:
        The painted picture in [0, 1]. Where the sides are no multiples of 4 the program's own
        result has a few rows and columns more, which are cut off.
    """
    order = slice(None, None, -1) if style.order == "bgr" else slice(None)
    given = 255.0 * jnp.asarray(picture) - jnp.array(style.input_mean)
    x = run_steps(given[..., order], style.steps, style.tensors)[..., order]
    painted = (x + jnp.array(style.output_mean)) / 255.0
    return jnp.clip(painted, 0.0, 1.0)[: picture.shape[0], : picture.shape[1]]
