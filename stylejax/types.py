"""Names of the arrays that travel through the package.

One picture is height x width x 3, float32, sRGB values in [0, 1]; batches come from `jax.vmap`
around the functions, never from an axis inside them. `Image` is such a picture on the device or
the host, `Pixels` one on the host: functions that touch files take and return NumPy arrays.
`OtherImage` and `OtherPixels` are pictures whose size is not that of the others (style pictures).
"""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Array, Float

Pixels = Float[np.ndarray, "height width 3"]
OtherPixels = Float[np.ndarray, "_ _ 3"]
Alpha = Float[np.ndarray, "height width"]
Image = Float[Array, "height width 3"] | Pixels
OtherImage = Float[Array, "_ _ 3"] | OtherPixels

FeatureMap = Float[Array, "height width channels"]
Features = Mapping[str, Array]
Gram = Float[Array, "channels channels"]
Scalar = Float[Array, ""]

PathLike = str | os.PathLike[str]
"""What the library takes for the name of a file."""

Variables = Mapping[str, Any]
"""What a network computes with: its parameters, statistics and preprocessing, as a pytree."""
