import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluation.measures import grid_energy
from remove_peaks import peak, rows_of


@pytest.mark.parametrize("period", [2, 8])
def test_a_peak_is_what_the_measure_finds(period):
    noise = np.random.default_rng(0).random((256, 256, 3)).astype(np.float32)
    wave = np.cos(2 * np.pi * np.arange(256) / period)[:, None, None].astype(np.float32)
    with_wave = 0.5 + 0.3 * (noise - 0.5) + 0.05 * wave
    without = float(peak(jnp.asarray(noise), period))
    assert without < 0.3
    assert float(peak(jnp.asarray(with_wave), period)) > 1 + without
    assert grid_energy(with_wave, (period,)) > 2 * grid_energy(noise, (period,))
    # The gradient takes the wave away.
    slope = jax.grad(peak)(jnp.asarray(with_wave), period)
    assert float(jnp.sum(slope * wave)) > 0


def test_only_the_rows_that_learn_change():
    parameters = {
        "conv": {"kernel": np.ones((3, 3))},
        "conv_scales": np.arange(6.0).reshape(3, 2),
        "conv_shifts": np.zeros((3, 2)),
    }
    learning, joined = rows_of(parameters, parameters, [2])
    np.testing.assert_array_equal(learning["conv_scales"], [[4.0, 5.0]])
    put = joined(jax.tree.map(lambda leaf: leaf + 1, learning))
    np.testing.assert_array_equal(put["conv_scales"], [[0, 1], [2, 3], [5, 6]])
    np.testing.assert_array_equal(put["conv_shifts"], [[0, 0], [0, 0], [1, 1]])
    assert put["conv"] is parameters["conv"]
