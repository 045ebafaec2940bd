"""Random teachers and archives of pictures, for the tests of the training."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from training import googlenet


@contextmanager
def narrow_googlenet() -> Iterator[pytest.MonkeyPatch]:
    """While it lasts, GoogLeNet's inception modules have an eighth of their channels.

    Most of what a small training costs is its teacher.
    """
    narrow = {
        name: tuple(channels // 8 for channels in widths)
        for name, widths in googlenet.INCEPTIONS.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, widths in narrow.items():
            patch.setitem(googlenet.INCEPTIONS, name, widths)
        for name in ("3b", "4e", "5b"):
            one, _, three, _, five, projection = narrow[name]
            patch.setitem(googlenet.CHANNELS, name, one + three + five + projection)
        yield patch


def random_teacher_file(path: Path) -> Path:
    """GoogLeNet's form in Caffe's names, with random numbers of a healthy size."""
    random = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "conv1/7x7_s2": (64, 3, 7, 7),
        "conv2/3x3_reduce": (64, 64, 1, 1),
        "conv2/3x3": (192, 64, 3, 3),
    }
    inputs = 192
    for name, (one, reduce3, three, reduce5, five, projection) in googlenet.INCEPTIONS.items():
        key = f"inception_{name}"
        shapes[f"{key}/1x1"] = (one, inputs, 1, 1)
        shapes[f"{key}/3x3_reduce"] = (reduce3, inputs, 1, 1)
        shapes[f"{key}/3x3"] = (three, reduce3, 3, 3)
        shapes[f"{key}/5x5_reduce"] = (reduce5, inputs, 1, 1)
        shapes[f"{key}/5x5"] = (five, reduce5, 5, 5)
        shapes[f"{key}/pool_proj"] = (projection, inputs, 1, 1)
        inputs = one + three + five + projection
    shapes["loss3/classifier"] = (1000, inputs)
    tensors = {}
    for key, shape in shapes.items():
        deviation = np.sqrt(2.0 / np.prod(shape[1:]))
        tensors[f"{key}.weight"] = random.normal(0.0, deviation, shape).astype(np.float16)
        tensors[f"{key}.bias"] = random.normal(0.0, 0.1, shape[0]).astype(np.float32)
    save_file(tensors, path)
    return path


def write_archive(path: Path, pictures: dict[str, np.ndarray]) -> Path:
    """A zip archive of pictures by member name, without loss."""
    with zipfile.ZipFile(path, "w") as file:
        for name, pixels in pictures.items():
            encoded = io.BytesIO()
            Image.fromarray(pixels).save(encoded, "WEBP", lossless=True)
            file.writestr(name, encoded.getvalue())
    return path
