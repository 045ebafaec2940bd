"""The networks that enlarge a picture: one function for whichever body.

A picture is height x width x 3 in [0, 1]. It is reflected into a frame as wide as the network
looks, so that nothing is made up at its border.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from stylejax.feedforward.geometry import reflected
from stylejax.superresolution.form import Enlarger
from stylejax.superresolution.johnson import enlarge_batch, init_johnson
from stylejax.superresolution.residual import (
    cubic_interior,
    init_residual,
    residual_details,
    unfolded_pixels,
)
from stylejax.types import OtherImage, Scalar

Parameters = PyTree
"""Of an enlarger: nested dictionaries of kernels and biases."""
Crops = Float[Array, "batch small small 3"]


def init_parameters(enlarger: Enlarger, key: PRNGKeyArray) -> Parameters:
    """Parameters to begin training with."""
    return (init_residual if enlarger.body == "residual" else init_johnson)(enlarger, key)


def _without_frame(
    enlarger: Enlarger,
    parameters: Parameters,
    framed: OtherImage,
    sharpness: Scalar | float,
    frame: int,
) -> OtherImage:
    """What the residual body makes of a framed picture, without the frame."""
    details = residual_details(enlarger, parameters, framed, sharpness)
    details = unfolded_pixels(details[frame:-frame, frame:-frame], enlarger.factor)
    return cubic_interior(framed, enlarger.factor, frame) + details


def enlarge_framed(
    enlarger: Enlarger, parameters: Parameters, framed: OtherImage, sharpness: Scalar | float
) -> OtherImage:
    """Enlarge a picture without its frame of `enlarger.frame` pixels, which is only looked at."""
    if enlarger.body == "residual":
        return _without_frame(enlarger, parameters, framed, sharpness, enlarger.frame)
    batch = jnp.asarray(framed)[None]
    whole, _ = enlarge_batch(enlarger, parameters, batch, training=False)
    edge = enlarger.factor * enlarger.frame
    return whole[0, edge:-edge, edge:-edge]


def enlarge_crops(
    enlarger: Enlarger, parameters: Parameters, crops: Crops, sharpness: Scalar, margin: int
) -> tuple[Float[Array, "batch large large 3"], Parameters]:
    """Enlarge crops to train with, of which `margin` pixels at each border are only looked at.

    That is less than the network looks, and beyond it there are zeros: near the border the result
    is not that of a larger picture.

    Returns:
        The crops without the margin, and the parameters as normalization leaves them: of Johnson's
        body with the moments of this batch.
    """
    if enlarger.body == "residual":

        def one(crop: Float[Array, "small small 3"]) -> Array:
            return jnp.asarray(_without_frame(enlarger, parameters, crop, sharpness, margin))

        return jax.vmap(one)(crops), parameters
    large, moments = enlarge_batch(enlarger, parameters, crops, training=True)
    edge = enlarger.factor * margin
    return large[:, edge:-edge, edge:-edge], {**parameters, "moments": moments}


def enlarge(
    enlarger: Enlarger, parameters: Parameters, picture: OtherImage, sharpness: Scalar | float
) -> OtherImage:
    """Enlarge a picture; a pure function that can be compiled, differentiated and mapped.

    Args:
        enlarger: the network's form.
        parameters: its numbers, of `init_parameters` or of a weight file.
        picture: height x width x 3 in [0, 1], of any size from one pixel up.
        sharpness: from 0, the smallest error of pixels, to 1, that of features; of Johnson's body
            without effect.

    Returns:
        The enlarged picture, which may leave [0, 1] a little as interpolation does.
    """
    rows, columns = (
        reflected(jnp.arange(-enlarger.frame, length + enlarger.frame), length)
        for length in picture.shape[:2]
    )
    return enlarge_framed(enlarger, parameters, picture[rows][:, columns], sharpness)
