"""The names in `types` that are of JAX's arrays."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Array, Float

Image = Float[Array, "height width 3"] | Float[np.ndarray, "height width 3"]
OtherImage = Float[Array, "_ _ 3"] | Float[np.ndarray, "_ _ 3"]

FeatureMap = Float[Array, "height width channels"]
Features = Mapping[str, Array]
Gram = Float[Array, "channels channels"]
Scalar = Float[Array, ""]
