"""One picture's distribution of colors given to another, measured along other directions."""

import numpy as np
import pytest
from problems import picture

from stylejax.images.color import match_colors
from stylejax.images.color_histogram import match_histogram, transported

CONTENT = picture(40, 52, seed=1) ** 2
STYLE = picture(32, 44, seed=2)
LEVEL = 1.0 / 255.0


def distance(ours, theirs):
    """Mean difference of quantiles along random directions (a sliced Wasserstein distance)."""
    directions = np.random.default_rng(7).standard_normal((3, 40))
    directions /= np.linalg.norm(directions, axis=0)
    at = (np.arange(500) + 0.5) / 500
    first, second = (
        np.quantile(each.reshape(-1, 3) @ directions, at, axis=0) for each in (ours, theirs)
    )
    return np.abs(first - second).mean()


def test_numbers_are_moved_from_quantile_to_quantile():
    random = np.random.default_rng(0)
    # Apart by more than is resolved; what is closer together stays together.
    ours, theirs = random.permutation(500) / 500, random.beta(0.5, 0.3, 500)
    expected = np.sort(theirs)[np.argsort(np.argsort(ours))]
    np.testing.assert_allclose(transported(ours, theirs), expected, atol=LEVEL / 4)
    # Half as many take the means of two each.
    expected = np.sort(theirs).reshape(-1, 2).mean(1)[np.argsort(np.argsort(ours[:250]))]
    np.testing.assert_allclose(transported(ours[:250], theirs), expected, atol=LEVEL / 4)


def test_equal_numbers_stay_equal_and_take_the_mean_of_what_they_stand_for():
    theirs = np.linspace(0.0, 1.0, 1001)
    ours = np.repeat([0.2, 0.5, 0.9], [1, 8, 1])
    moved = transported(ours, theirs)
    np.testing.assert_allclose(moved, np.repeat([0.05, 0.5, 0.95], [1, 8, 1]), atol=1e-3)
    assert len(set(moved)) == 3
    # What differs by rounding alone is not torn apart.
    nearly = transported(ours + np.random.default_rng(0).uniform(0, 1e-9, 10), theirs)
    np.testing.assert_allclose(nearly, moved, atol=1e-3)


def test_the_distribution_becomes_the_contents():
    matched = match_histogram(STYLE, CONTENT)
    assert matched.shape == STYLE.shape and matched.dtype == np.float32
    # Mean and covariance alone leave it far away.
    assert distance(match_colors(STYLE, CONTENT), CONTENT) > 4 * LEVEL
    assert distance(matched, CONTENT) < LEVEL
    at = np.linspace(0.01, 0.99, 99)
    for channel in range(3):
        ours, theirs = (np.quantile(each[..., channel], at) for each in (matched, CONTENT))
        np.testing.assert_allclose(ours, theirs, atol=LEVEL)


def test_equal_pixels_stay_equal():
    flat = STYLE.copy()
    flat[:, :20] = (0.3, 0.6, 0.2)
    matched = match_histogram(flat, CONTENT)
    np.testing.assert_array_equal(matched[:, :20], np.broadcast_to(matched[0, 0], (32, 20, 3)))


@pytest.mark.parametrize("color", [(0.0, 0.0, 0.0), (1.0, 0.2, 0.4)])
def test_a_single_color_becomes_the_mean_and_gives_itself(color):
    one = np.broadcast_to(np.asarray(color, np.float32), STYLE.shape)
    mean = CONTENT.mean((0, 1), dtype=np.float64)
    np.testing.assert_allclose(match_histogram(one, CONTENT), mean + 0 * one, atol=LEVEL / 4)
    np.testing.assert_allclose(match_histogram(STYLE, one), one, atol=LEVEL / 4)


def test_a_gray_content_makes_it_gray():
    gray = np.repeat(CONTENT[..., :1], 3, axis=-1)
    matched = match_histogram(STYLE, gray)
    assert np.ptp(matched, axis=-1).mean() < 2 * LEVEL and distance(matched, gray) < LEVEL
