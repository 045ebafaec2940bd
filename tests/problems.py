"""Small functions with known minima, and small pictures, for the tests."""

import json

import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

from stylejax.networks.layers import ARCHITECTURES, Architecture, VggArchitecture
from stylejax.weights import read as weights
from stylejax.weights.names import expected_shapes

SHORT_DENSENET = Architecture(stem_channels=64, growth_rate=192, block_sizes=(1, 2, 1, 1))
"""Few layers to trace and compile; DenseNet-121's channels at the layers that are compared."""
NARROW_VGG16 = VggArchitecture((4, 5, 6, 7, 8), (2, 2, 3, 3, 3))
NARROW_VGG19 = VggArchitecture((4, 5, 6, 7, 8), (2, 2, 4, 4, 4))


def random_weights():
    """The bundled file of random numbers: small, where a test asks for no style."""
    return weights.bundled_folder() / "densenet121-random.safetensors"


def densenet_tensors(architecture, seed=0):
    """Random parameters in torchvision's names and layouts, of scales that keep features alive."""
    random = np.random.default_rng(seed)
    tensors = {}
    for key, shape in expected_shapes(architecture).items():
        if len(shape) == 4:
            value = random.normal(0.0, np.sqrt(2.0 / np.prod(shape[1:])), shape)
        elif key.endswith(("weight", "running_var")):
            value = random.uniform(0.5, 1.5, shape)
        else:
            value = random.normal(0.0, 0.2, shape)
        tensors[key] = value.astype(np.float32)
    return tensors


def write_densenet(path, patch, architecture):
    """A weight file of a DenseNet with few layers; returns its path.

    It can be read for as long as the patch (`pytest.MonkeyPatch`) lasts: the file's metadata say
    how wide a network is, but not how many layers it has.
    """
    patch.setitem(ARCHITECTURES, "densenet121", architecture)
    save_file(densenet_tensors(architecture), path)
    return path


SAVING = """
import sys
import stylejax.runs.checkpoint
stylejax.runs.checkpoint.SECONDS_BETWEEN_CHECKPOINTS = 0.0
stylejax.runs.checkpoint.CHECKPOINT_SHARE = float("inf")
from stylejax.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""The command line as a program for `python -c` that writes a checkpoint after every chunk."""


def quadratic(x, matrix, target):
    """Half (x - target)^T matrix (x - target); aux is the residual."""
    residual = x - target
    return 0.5 * residual @ (matrix @ residual), {"residual": residual}


def rosenbrock(x):
    value = jnp.sum(100.0 * jnp.square(x[1:] - jnp.square(x[:-1])) + jnp.square(1.0 - x[:-1]))
    return value, {"first": x[0]}


def hills(x):
    """Neither convex nor bounded in slope: waves on a bowl."""
    return jnp.sum(0.05 * jnp.square(x) + jnp.cos(3.0 * x) * jnp.sin(jnp.roll(x, 1))), {"x": x}


def picture(height=48, width=64, seed=0):
    """Smooth color gradients with some grain: float32, height x width x 3, in [0, 1]."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(rows / 7 + seed), np.cos(columns / 5 - seed), np.sin((rows + columns) / 9)]
    smooth = 0.5 + 0.35 * np.stack(waves, axis=-1)
    grain = np.random.default_rng(seed).normal(0.0, 0.03, smooth.shape)
    return np.clip(smooth + grain, 0.0, 1.0).astype(np.float32)


def vgg_tensors(architecture=NARROW_VGG19, seed=0):
    """Random parameters in torchvision's names and layouts, of scales that keep features alive."""
    random = np.random.default_rng(seed)
    tensors = {}
    for key, shape in expected_shapes(architecture).items():
        if len(shape) == 4:
            value = random.normal(0.0, np.sqrt(2.0 / np.prod(shape[1:])), shape)
        else:
            value = random.uniform(0.0, 0.5, shape)
        tensors[key] = value.astype(np.float32)
    return tensors


def write_vgg(path, architecture=NARROW_VGG19, tensors=None, **metadata):
    """A weight file of a narrow VGG; returns its path."""
    tensors = vgg_tensors(architecture) if tensors is None else tensors
    widths = {"block_channels": json.dumps(architecture.block_channels)}
    save_file(tensors, path, widths | metadata)
    return path
