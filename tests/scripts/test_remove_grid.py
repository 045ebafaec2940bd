import numpy as np
import pytest
from remove_grid import grid_of, local_means


def test_local_means_are_over_what_there_is():
    maps = np.random.default_rng(0).random((7, 9, 2)).astype(np.float32)
    found = np.asarray(local_means(maps, 3))
    for row, column in ((0, 0), (3, 4), (6, 8), (6, 2)):
        part = maps[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        np.testing.assert_allclose(found[row, column], part.mean((0, 1)), rtol=1e-5)


@pytest.mark.parametrize("period", [2, 4])
def test_a_grid_is_found_and_nothing_else(period):
    cell = np.random.default_rng(1).random((period, period, 3)).astype(np.float32)
    cell -= cell.mean((0, 1))
    grid = np.tile(cell, (32 // period, 48 // period, 1))
    np.testing.assert_allclose(grid_of(0.4 + grid, period, 5), grid, atol=1e-6)
    # Even areas have none, and what changes from cell to cell at random has little.
    assert np.abs(grid_of(np.full((32, 48, 3), 0.7, np.float32), period, 5)).max() < 1e-6
    noise = np.random.default_rng(2).normal(size=(256, 256, 3)).astype(np.float32)
    assert np.asarray(grid_of(noise, period, 9)).std() < 0.2 * noise.std()
