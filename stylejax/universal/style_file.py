"""The statistics of a painting in a file, usable in its place.

A safetensors file of some 1.3 MB: mean, covariance and number of positions at each level, float32,
in the units of the encoder whose sha256 stands in the metadata. Another encoder's are refused.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from stylejax.errors import InputError
from stylejax.images.files import replace_file
from stylejax.types import PathLike
from stylejax.universal.decoders import CHANNELS
from stylejax.universal.options import LEVEL_NAMES
from stylejax.universal.statistics import Statistics
from stylejax.weights.read import read_tensor_file
from stylejax.weights.write import tensor_bytes

FORMAT = "stylejax-style-1"


def write_style(path: PathLike, style: Mapping[str, Statistics], *, encoder: str) -> None:
    """Keep the statistics of one style; `encoder` is the sha256 of the weights they are of.

    Raises:
        InputError: the file cannot be written.
    """
    tensors = {
        f"{level}.{name}": np.asarray(value, np.float32)
        for level in LEVEL_NAMES
        for name, value in style[level]._asdict().items()
    }
    replace_file(Path(path), tensor_bytes(tensors, {"encoder": encoder, "format": FORMAT}))


def read_style(path: PathLike, *, encoder: str) -> dict[str, Statistics]:
    """The statistics that `write_style` kept.

    Raises:
        InputError: the file is missing, damaged, no style, or of another encoder.
    """
    path = Path(path)
    tensors, metadata, _ = read_tensor_file(path, "style ")
    if metadata.get("format") != FORMAT:
        raise InputError(f"style {path}: not a file of style statistics; name one, or a picture")
    made_of = metadata.get("encoder", "")
    if made_of != encoder:
        raise InputError(
            f"style {path}: statistics of the encoder with sha256 {made_of[:16]}..., not of "
            f"{encoder[:16]}...; make them again from the painting with --save-style"
        )
    found = {}
    for level in LEVEL_NAMES:
        channels = CHANNELS.get(level, 3)
        shapes = {"mean": (channels,), "covariance": (channels, channels), "positions": ()}
        given: dict[str, np.ndarray] = {}
        for name, shape in shapes.items():
            value = tensors.get(f"{level}.{name}")
            if value is None or value.shape != shape or not np.all(np.isfinite(value)):
                raise InputError(
                    f"style {path}: {level}.{name} is missing or damaged; make the file again"
                )
            given[name] = value
        found[level] = Statistics(**cast(dict[str, Any], given))
    return found
