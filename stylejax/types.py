"""Names of the arrays that travel through the package.

One picture is height x width x 3, float32, sRGB values in [0, 1]; batches come from `jax.vmap`
around the functions, never from an axis inside them. `Image` is such a picture on the device or
the host, `Pixels` one on the host: functions that touch files take and return NumPy arrays.
`OtherImage` and `OtherPixels` are pictures whose size is not that of the others (style pictures).
Those of the device are in `array_types`, so that pictures are read before JAX is there.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from stylejax.lazy import lazy_names

Pixels = Float[np.ndarray, "height width 3"]
OtherPixels = Float[np.ndarray, "_ _ 3"]
Alpha = Float[np.ndarray, "height width"]

PathLike = str | os.PathLike[str]
"""What the library takes for the name of a file."""

Variables = Mapping[str, Any]
"""What a network computes with: its parameters, statistics and preprocessing, as a pytree."""

if TYPE_CHECKING:
    from stylejax.array_types import FeatureMap, Features, Gram, Image, OtherImage, Scalar
else:
    __getattr__, __dir__ = lazy_names(__name__, "stylejax.array_types")

__all__ = [
    "Alpha",
    "FeatureMap",
    "Features",
    "Gram",
    "Image",
    "OtherImage",
    "OtherPixels",
    "PathLike",
    "Pixels",
    "Scalar",
    "Variables",
]
