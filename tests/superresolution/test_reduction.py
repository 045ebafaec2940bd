"""Pictures made smaller and larger, held against other libraries."""

import numpy as np
import pytest
from PIL import Image
from problems import picture
from scipy import ndimage

from stylejax.superresolution.reduction import (
    REDUCTIONS,
    bicubic,
    enlargement_matrix,
    reduced,
    reduction_matrix,
)


@pytest.mark.parametrize("factor", [4, 8])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gray_stays_gray(factor, reduction):
    for matrix in (reduction_matrix(6 * factor, factor, reduction), enlargement_matrix(6, factor)):
        np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-12)
    # The same from both ends.
    matrix = reduction_matrix(6 * factor, factor, reduction)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-12)


def pillow(pixels, height, width):
    layers = [Image.fromarray(pixels[..., index]) for index in range(3)]
    made = [layer.resize((width, height), Image.Resampling.BICUBIC) for layer in layers]
    return np.stack([np.asarray(layer) for layer in made], axis=-1)


def test_antialiased_is_as_pillow_has_it_away_from_the_border():
    pixels = picture(96, 64)
    wanted = pillow(pixels, 24, 16)[2:-2, 2:-2]
    # Rounded to the 8 bits of a file.
    np.testing.assert_allclose(
        reduced(pixels, 4, "antialiased")[2:-2, 2:-2], wanted, atol=0.51 / 255
    )
    large = bicubic(pixels[:16, :12], 4)[8:-8, 8:-8]
    np.testing.assert_allclose(large, pillow(pixels[:16, :12], 64, 48)[8:-8, 8:-8], atol=1e-5)


def test_blurred_is_a_blur_and_then_cubic_samples():
    pixels = picture(48, 40)
    blurred = ndimage.gaussian_filter(pixels.astype(float), (1.0, 1.0, 0.0), mode="reflect")
    # Half way between two pixels: equation 15 of Keys (1981) at 1/2 and 3/2.
    weights = np.array([-1.0, 9.0, 9.0, -1.0]) / 16.0
    near = ndimage.correlate1d(ndimage.correlate1d(blurred, weights, 0), weights, 1)
    wanted = near[2::4, 2::4][1:-1, 1:-1]
    made = reduced(pixels, 4, "blurred")[1:-1, 1:-1]
    np.testing.assert_allclose(made, wanted, atol=0.51 / 255)
