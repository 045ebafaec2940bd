import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy.signal import correlate
from teachers import random_teacher_file

from training import googlenet
from training.distillation import TAPS


@pytest.fixture(scope="module")
def teacher_file(tmp_path_factory):
    return random_teacher_file(tmp_path_factory.mktemp("teacher") / "googlenet.safetensors")


@pytest.fixture(scope="module")
def teacher(teacher_file):
    return googlenet.read_googlenet(teacher_file)


def convolved(x: np.ndarray, tensors: dict, key: str, stride: int = 1) -> np.ndarray:
    """An oracle in the file's own layout: channels first, kernels OIHW, ReLU after."""
    kernel = tensors[f"{key}.weight"].astype(np.float64)
    padding = kernel.shape[2] // 2
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    maps = [correlate(x, filters, "valid")[0, ::stride, ::stride] for filters in kernel]
    return np.maximum(np.stack(maps) + tensors[f"{key}.bias"][:, None, None], 0.0)


def pooled(x: np.ndarray, stride: int, before: int) -> np.ndarray:
    """3x3 maxima; windows may reach past the end but start inside."""
    channels, side = x.shape[0], x.shape[1] + 2 * before
    count = -(-(side - 3) // stride) + 1
    whole = np.full((channels, side + 2, side + 2), -np.inf)
    whole[:, before : before + x.shape[1], before : before + x.shape[2]] = x
    found = np.empty((channels, count, count))
    for i in range(count):
        for j in range(count):
            window = whole[:, stride * i : stride * i + 3, stride * j : stride * j + 3]
            found[:, i, j] = window.max((1, 2))
    return found


def normalized(x: np.ndarray) -> np.ndarray:
    found = np.empty_like(x)
    for channel in range(len(x)):
        near = x[max(channel - 2, 0) : channel + 3]
        found[channel] = x[channel] / (1.0 + 1e-4 / 5 * np.sum(near**2, 0)) ** 0.75
    return found


def test_googlenet_computes_what_caffe_defines(teacher_file, teacher):
    """formats.md's recipe, spelled out channel by channel in float64."""
    picture = np.random.default_rng(1).uniform(size=(30, 30, 3)).astype(np.float32)
    tensors = load_file(teacher_file)
    x = picture[..., ::-1].transpose(2, 0, 1) * 255.0 - np.array([104, 117, 123])[:, None, None]
    conv1 = convolved(x, tensors, "conv1/7x7_s2", 2)
    x = normalized(pooled(conv1, 2, 0))
    conv2 = convolved(convolved(x, tensors, "conv2/3x3_reduce"), tensors, "conv2/3x3")
    x = pooled(normalized(conv2), 2, 0)
    key = "inception_3a"
    branches = (
        convolved(x, tensors, f"{key}/1x1"),
        convolved(convolved(x, tensors, f"{key}/3x3_reduce"), tensors, f"{key}/3x3"),
        convolved(convolved(x, tensors, f"{key}/5x5_reduce"), tensors, f"{key}/5x5"),
        convolved(pooled(x, 1, 1), tensors, f"{key}/pool_proj"),
    )
    oracle = {"conv1": conv1, "conv2": conv2, "3a": np.concatenate(branches)}
    features = jax.jit(googlenet.GoogLeNet(tuple(oracle)).apply)(teacher, picture[None])
    assert set(features) == set(oracle)
    for name, expected in oracle.items():
        found = np.asarray(features[name][0]).transpose(2, 0, 1)  # type: ignore[index]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.max())


def test_googlenet_has_the_strides_of_densenet(teacher):
    network = googlenet.GoogLeNet((*TAPS.values(), "logits"))
    shapes = jax.eval_shape(network.apply, teacher, jnp.zeros((2, 64, 64, 3)))
    for output, side in zip(TAPS.values(), (32, 16, 8, 4, 2), strict=True):
        assert shapes[output].shape == (2, side, side, googlenet.CHANNELS[output])
    assert shapes["logits"].shape == (2, 1000)
