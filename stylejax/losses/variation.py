"""Total variation: what grain costs.

Pictures are height x width x 3 in [0, 1], one row or column counting as two alike; results are
float32 scalars, at least 0, without unit. Published programs sum the differences of values in
[0, 255], each in a way of its own (docs/presets.md says which program has which). The tuned forms
are `stylejax.networks.kernels.variation`.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from stylejax.images.pictures import PictureLike, as_picture
from stylejax.networks.kernels.variation import with_neighbors
from stylejax.types import Image, Scalar

Regularizer = Callable[[Image], Scalar]
"""What costs something in a picture whatever it shows."""


def periodic_variation(variation: Regularizer) -> Regularizer:
    """The variation of a picture that tiles: the last row's neighbor below is the first row."""
    edges = ((0, 1), (0, 1), (0, 0))
    return lambda image: variation(jnp.pad(image, edges, mode="wrap"))


Differences = Float[Array, "_ _ 3"]


def neighbor_differences(image: PictureLike) -> tuple[Differences, Differences]:
    """To the neighbor below and to the one beside, without the last row and column."""
    image = jnp.asarray(with_neighbors(jnp.asarray(as_picture(image, "image", bounded=False))))
    here = image[:-1, :-1]
    return image[1:, :-1] - here, image[:-1, 1:] - here


def total_variation(image: PictureLike) -> Scalar:
    """Mean over pixels and channels of |vertical| + |horizontal| difference of neighbors.

    The anisotropic form of Rudin, Osher, Fatemi (1992).
    """
    vertical, horizontal = neighbor_differences(image)
    # The gradient of jnp.abs at 0 is 0 or 1, by version; this one's is 0: even areas stay even.
    magnitude = lambda x: x * jnp.sign(x)
    return jnp.mean(magnitude(vertical) + magnitude(horizontal))


def total_variation_power(image: PictureLike, exponent: float | Scalar = 1.25) -> Scalar:
    """Mean over pixels and channels of (vertical^2 + horizontal^2)^exponent.

    The form of the published DenseNet and VGG notebooks, which sum instead of taking the mean. With
    the exponent above 1, edges cost more than in `total_variation`, and grain costs less.
    """
    vertical, horizontal = neighbor_differences(image)
    squares = jnp.square(vertical) + jnp.square(horizontal)
    # The second derivative of an even area is 0; without the smallest number, infinity times 0.
    return jnp.mean(jnp.power(squares + jnp.finfo(squares.dtype).tiny, exponent))


def total_variation_power_sum(image: PictureLike) -> Scalar:
    """Sum over pixels and channels of (vertical^2 + horizontal^2)^1.25, of values in [0, 255]."""
    image = jnp.asarray(as_picture(image, "image", bounded=False))
    return with_neighbors(image)[1:, 1:].size * total_variation_power(255.0 * image)


def total_variation_squared_sum(image: PictureLike) -> Scalar:
    """Half the sum over pixels and channels of vertical^2 + horizontal^2, of values in [0, 255]."""
    image = as_picture(image, "image", bounded=False)
    vertical, horizontal = neighbor_differences(255.0 * image)
    return 0.5 * jnp.sum(jnp.square(vertical) + jnp.square(horizontal))
