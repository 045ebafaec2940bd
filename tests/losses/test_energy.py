"""Local energy: ranks and quantiles against naive forms, and what a painting's order asks for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import picture
from scipy.stats import rankdata

from stylejax.losses import energy

IMAGE = jnp.asarray(picture(32, 48))


def half_calm(left, right, seed=0):
    """Grain of one strength on the left, of another on the right."""
    grain = np.random.default_rng(seed).normal(0.0, 1.0, (32, 48, 1)).astype(np.float32)
    grain[:, :24] *= left
    grain[:, 24:] *= right
    return jnp.asarray(np.repeat(0.5 + grain, 3, axis=-1))


def test_ranks_are_shares_of_what_is_below_and_equal_values_have_equal_ones():
    plane = np.asarray([[3.0, 1.0, 1.0], [7.0, 3.0, 3.0]], np.float32)
    expected = (rankdata(plane) - 0.5).reshape(plane.shape) / plane.size
    np.testing.assert_allclose(energy.ranks(jnp.asarray(plane)), expected, rtol=1e-6)


def test_values_of_weight_2_count_as_two_in_ranks_and_quantiles():
    plane = np.asarray([[3.0, 1.0, 2.0], [7.0, 3.0, 0.5]], np.float32)
    counts = np.asarray([[1, 2, 0], [3, 1, 1]])
    many = jnp.asarray(np.repeat(plane, counts.ravel()))[None]
    ranks = energy.ranks(jnp.asarray(plane), jnp.asarray(counts, jnp.float32))
    np.testing.assert_allclose(
        np.repeat(ranks, counts.ravel()), energy.ranks(many).ravel(), rtol=1e-6
    )
    # In the middle of what a value stands for both say that value.
    middles = jnp.asarray([0.0625, 0.25, 0.8125])
    found = energy.quantiles(jnp.asarray(plane), middles, jnp.asarray(counts, jnp.float32))
    np.testing.assert_allclose(found, [0.5, 1.0, 7.0])


def test_quantiles_undo_ranks():
    plane = jnp.asarray(np.random.default_rng(1).permutation(60).reshape(6, 10), jnp.float32)
    np.testing.assert_allclose(energy.quantiles(plane, energy.ranks(plane)), plane, rtol=1e-4)


def test_a_painting_gives_all_its_energies_in_the_photographs_order():
    photograph, painting = half_calm(0.01, 0.1), half_calm(0.3, 0.05, seed=1)
    asked, _ = energy.placed_energy(photograph, painting, (8, 12), (8, 12))
    theirs = energy.local_energy(painting, (8, 12))
    # Every cell of one half is calmer than every one of the other, in both.
    assert asked[:, :5].max() < asked[:, 7:].min()
    assert theirs[:, :5].min() > theirs[:, 7:].max()
    np.testing.assert_allclose(np.sort(asked.ravel()), np.sort(theirs.ravel()), rtol=0.2)


def test_of_a_region_the_order_is_its_own_and_of_a_painting_what_is_allowed():
    photograph, painting = half_calm(0.01, 0.1), half_calm(0.3, 0.05, seed=1)
    inside = jnp.zeros((8, 12)).at[:, :5].set(1.0)
    find = lambda *inside: np.asarray(
        energy.placed_energy(photograph, painting, (8, 12), (8, 12), inside)[0]
    )
    # The calm half alone takes the busiest, too.
    assert find(inside, None)[:, :5].max() > 2.0 * find(None, None)[:, :5].max()
    busy_only = find(None, inside)
    assert busy_only.min() > find(None, None)[:, 2].max()


def test_an_even_photograph_asks_for_the_paintings_median_everywhere():
    asked, _ = energy.placed_energy(jnp.full((32, 48, 3), 0.5), IMAGE, (8, 12), (8, 12))
    np.testing.assert_allclose(asked, np.median(energy.local_energy(IMAGE, (8, 12))), rtol=1e-3)


def test_what_is_much_calmer_than_painting_and_photograph_is_all_equally_calm():
    grids, even = ((8, 12), (8, 12)), jnp.full((32, 48, 3), 0.5)
    mean = jnp.mean(energy.local_energy(IMAGE, (8, 12)))
    least = (0.25 / 255) ** 2
    asked, floor = energy.placed_energy(even, IMAGE, *grids)
    np.testing.assert_allclose(floor, 0.01 * jnp.mean(asked) + least, rtol=1e-5)
    asked, floor = energy.placed_energy(IMAGE, even, *grids)
    np.testing.assert_allclose(floor, 0.0025 * mean + least, rtol=1e-5)
    np.testing.assert_allclose(energy.placed_energy(even, even, *grids)[1], least, rtol=1e-5)


def naive(image, asked, floor):
    plane = np.asarray(image, np.float64) @ [0.299, 0.587, 0.114]
    squares = np.sum(np.square(np.gradient(plane)), axis=0)
    total = 0.0
    for row in range(8):
        for column in range(12):
            near = [
                np.maximum(1.0 - np.abs((np.arange(size) + 0.5) / 4 - at - 0.5), 0.0)
                for size, at in ((32, row), (48, column))
            ]
            weights = np.outer(*near)
            ours = np.sum(weights * squares) / np.sum(weights)
            total += np.log(np.sqrt((ours + floor) / (asked[row, column] + floor))) ** 2
    return total / 96


def test_the_distance_is_the_mean_square_of_logarithms():
    asked = np.random.default_rng(2).uniform(0.0, 0.02, (8, 12)).astype(np.float32)
    ones, floor = jnp.ones((8, 12)), jnp.float32(1e-4)
    found = energy.energy_distance(IMAGE, jnp.asarray(asked), floor, ones)
    np.testing.assert_allclose(found, naive(IMAGE, asked, 1e-4), rtol=1e-4)
    own = energy.energy_distance(IMAGE, energy.local_energy(IMAGE, (8, 12)), floor, ones)
    np.testing.assert_allclose(own, 0.0, atol=1e-10)
    none = energy.energy_distance(IMAGE, jnp.asarray(asked), floor, 0.0 * ones)
    assert none == 0.0


@pytest.mark.parametrize("asked", [0.0, 0.01], ids=["calm", "busy"])
def test_its_slope_is_finite_where_a_picture_is_even(asked):
    grid, floor = (8, 12), jnp.float32(1e-6)
    of = lambda image: energy.energy_distance(image, jnp.full(grid, asked), floor, jnp.ones(grid))
    value, slope = jax.value_and_grad(of)(jnp.full((32, 48, 3), 0.5))
    assert np.isfinite(value) and np.isfinite(slope).all()
