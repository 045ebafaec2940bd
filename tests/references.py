"""Networks as others write them: names and forward passes to compare with."""

import re

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stylejax.images.read import read_picture
from stylejax.images.samples import sample_picture


def module_of(layer):
    """The network's module that holds the parameters of a Keras layer."""
    rules = {
        r"conv1_conv": r"conv0",
        r"conv1_bn": r"norm0",
        r"bn": r"norm5",
        r"conv(\d)_block(\d+)_0_bn": r"denseblock\1.denselayer\2.norm1",
        r"conv(\d)_block(\d+)_1_conv": r"denseblock\1.denselayer\2.conv1",
        r"conv(\d)_block(\d+)_1_bn": r"denseblock\1.denselayer\2.norm2",
        r"conv(\d)_block(\d+)_2_conv": r"denseblock\1.denselayer\2.conv2",
        r"pool(\d)_bn": r"transition\1.norm",
        r"pool(\d)_conv": r"transition\1.conv",
    }
    (module,) = [re.sub(old, new, layer) for old, new in rules.items() if re.fullmatch(old, layer)]
    # Keras counts blocks from conv2 and transitions from pool2, torchvision both from one.
    return re.sub(
        r"(?<=denseblock)\d|(?<=transition)\d", lambda match: str(int(match[0]) - 1), module
    )


def photograph(height, width):
    return read_picture(sample_picture("astronaut.jpg"), 96).pixels[:height, :width]


def relative_difference(got, expected):
    assert got.shape == expected.shape
    return np.abs(got - expected).max() / np.abs(expected).max()


def vgg_forward(tensors, picture, mean, deviation):
    """All convolutions after the ReLU, written out: max pooling before those that follow one."""
    x = jnp.asarray((picture - mean) / deviation, jnp.float32)[None]
    maps, before = [], -2
    for index in sorted({int(key.split(".")[1]) for key in tensors}):
        if index - before == 3:
            window = (1, 2, 2, 1)
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
        x = lax.conv_general_dilated(
            x,
            jnp.asarray(tensors[f"features.{index}.weight"]),
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "OIHW", "NHWC"),
        )
        x = jax.nn.relu(x + tensors[f"features.{index}.bias"])
        maps.append(np.asarray(x))
        before = index
    return maps


def old_spelling(state):
    dense = re.compile(r"(denselayer\d+\.(?:norm|conv))(\d)")
    return {dense.sub(r"\1.\2", key): value for key, value in state.items()}
