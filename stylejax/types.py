"""Names of the arrays that travel through the package.

One picture is height x width x 3, float32, sRGB values in [0, 1]; batches come from `jax.vmap`
around the functions, never from an axis inside them. Functions that touch files take and return
NumPy arrays of the same layout.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Array, Float

Image = Float[Array, "height width 3"]
OtherImage = Float[Array, "_ _ 3"]
"""A picture whose size is not that of the others (a style picture)."""
FeatureMap = Float[Array, "height width channels"]
Features = Mapping[str, Array]
Gram = Float[Array, "channels channels"]
Scalar = Float[Array, ""]

Pixels = Float[np.ndarray, "height width 3"]
OtherPixels = Float[np.ndarray, "_ _ 3"]
Alpha = Float[np.ndarray, "height width"]

Variables = Mapping[str, Any]
"""What a network computes with: its parameters, statistics and preprocessing, as a pytree."""
