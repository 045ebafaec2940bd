"""The map from unbounded numbers to pixel values, and back."""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from problems import picture, random_weights

from stylejax.images.scaling import resize
from stylejax.losses.objective import make_objective
from stylejax.options import Parameterization
from stylejax.solvers.solver import Solver
from stylejax.transfer.parameterization import (
    FREQUENCY_EXPONENT,
    SOFTNESS,
    bounded,
    frequency_scaled,
    image_from_latent,
    latent_from_image,
    unbounded,
    without_grid,
)
from stylejax.transfer.problem import latent_objective
from stylejax.weights.read import read_weights

HALF_A_LEVEL = 1.0 / 510.0


def naive(latent):
    """log(1 + e^(x/s)) - log(1 + e^((x-1)/s)), times s, in float64."""
    x = np.asarray(latent, np.float64)
    return SOFTNESS * (np.logaddexp(0, x / SOFTNESS) - np.logaddexp(0, (x - 1) / SOFTNESS))


def pixels(values):
    """A picture that holds the values in its first channel, and in the others too."""
    return np.repeat(np.asarray(values, np.float32).reshape(-1, 1, 1), 3, axis=2)


@given(arrays(np.float32, (4, 3, 3), elements=st.floats(width=32, allow_nan=False)))
@example(pixels([-1e30, -3e38, -1e6, 1e6, 1e7, 1e8, 1e30, 3e38, -np.inf, np.inf]))
def test_stays_within_0_and_1(latent):
    image = np.asarray(bounded(jnp.asarray(latent)))
    assert image.dtype == np.float32
    assert np.all((image >= 0.0) & (image <= 1.0))
    assert np.all(image[latent > 2.0] > 0.999) and np.all(image[latent < -1.0] < 0.001)


def test_is_the_difference_of_two_softplus_functions():
    latent = np.linspace(-1.5, 2.5, 4001, dtype=np.float32)
    image = np.asarray(bounded(jnp.asarray(pixels(latent))))[:, 0, 0]
    np.testing.assert_allclose(image, naive(latent), rtol=0, atol=2e-7)


def test_never_falls():
    far = np.geomspace(3, 3e38, 500)
    latent = np.concatenate([-far[::-1], np.linspace(-3, 3, 20001), far]).astype(np.float32)
    image = np.asarray(bounded(jnp.asarray(pixels(latent))))[:, 0, 0]
    # One unit in the last place of a number near 1.
    assert np.diff(image).min() >= -6e-8
    inside = np.diff(image[(latent > 0.0) & (latent < 1.0)])
    assert inside.min() > 0.0


def test_is_nearly_the_identity_inside():
    latent = pixels(np.linspace(0.1, 0.9, 1001))
    assert np.abs(bounded(jnp.asarray(latent)) - latent).max() < 2e-4


@given(arrays(np.float32, (4, 3, 3), elements=st.floats(0, 1, width=32)))
def test_unbounded_is_the_inverse(image):
    latent = unbounded(image)
    assert latent.dtype == np.float32
    back = np.asarray(bounded(jnp.asarray(latent)))
    inside = (image > HALF_A_LEVEL) & (image < 1.0 - HALF_A_LEVEL)
    np.testing.assert_allclose(back[inside], image[inside], rtol=0, atol=5e-7)
    # The ends come back as the same of 256 gray levels.
    assert np.abs(back - image).max() < HALF_A_LEVEL


def test_all_gray_levels_come_back():
    levels = pixels(np.arange(256) / 255.0)
    back = np.asarray(bounded(jnp.asarray(unbounded(levels))))
    assert np.array_equal(np.round(back * 255.0), np.round(levels * 255.0))


@pytest.mark.parametrize("level", [0.0, 0.25, 1.0])
def test_a_pixel_can_leave_the_ends(level):
    gradient = jax.grad(lambda latent: jnp.sum(bounded(latent)))(
        jnp.asarray(unbounded(pixels([level])))
    )
    assert np.all((gradient > 0.05) & (gradient <= 1.0))


@pytest.mark.parametrize("latent", [-1e30, -0.02, 0.0, 0.01, 0.5, 0.99, 1.0, 1.02, 1e30])
def test_gradient_is_the_difference_of_two_sigmoids(latent):
    gradient = jax.grad(lambda x: bounded(jnp.full((1, 1, 3), x))[0, 0, 0])(jnp.float32(latent))
    # d/dx s log(1 + e^(x/s)) = 1 / (1 + e^(-x/s)), here as a tanh.
    sigmoid = lambda x: 0.5 * (1.0 + np.tanh(0.5 * x / SOFTNESS))
    x = float(np.float32(latent))
    np.testing.assert_allclose(gradient, sigmoid(x) - sigmoid(x - 1.0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("cycles", [(0, 3), (2, 4), (4, 8), (0, 24)])
def test_a_wave_is_scaled_by_its_frequency(cycles):
    rows, columns = np.indices((32, 64))
    wave = np.cos(2 * np.pi * (cycles[0] * rows / 32 + cycles[1] * columns / 64))
    frequency = np.hypot(cycles[0] / 32, cycles[1] / 64)
    expected = wave * (4 * frequency) ** -FREQUENCY_EXPONENT
    latent = jnp.asarray(np.repeat(wave[..., None], 3, axis=2), jnp.float32)
    np.testing.assert_allclose(frequency_scaled(latent)[..., 1], expected, rtol=0, atol=0.015)


def test_the_mean_is_scaled_as_the_lowest_frequency():
    even = frequency_scaled(jnp.full((8, 20, 3), 0.5))
    np.testing.assert_allclose(even, 0.5 * (4 / 20) ** -FREQUENCY_EXPONENT, rtol=1e-6)


@pytest.mark.parametrize("parameterization", get_args(Parameterization))
@pytest.mark.parametrize("size", [(8, 8), (7, 10), (9, 31), (2, 3)])
def test_every_picture_comes_back_from_its_latent_numbers(size, parameterization):
    image = np.random.default_rng(0).random((*size, 3), np.float32)
    latent = latent_from_image(image, parameterization=parameterization)
    assert latent.dtype == np.float32 and latent.shape == image.shape
    back = np.asarray(image_from_latent(jnp.asarray(latent), parameterization=parameterization))
    assert np.abs(back - image).max() < HALF_A_LEVEL
    inside = (image > HALF_A_LEVEL) & (image < 1.0 - HALF_A_LEVEL)
    np.testing.assert_allclose(back[inside], image[inside], rtol=0, atol=2e-6)


def test_in_pixel_form_the_gradient_is_the_pictures_own():
    weights = read_weights(random_weights())
    objective = make_objective(weights, ["input"], ["input"])
    gray = np.full((16, 20, 3), 0.5, np.float32)
    content, style = picture(16, 20), jnp.asarray(picture(16, 16, seed=1))
    targets = objective.targets(weights.variables, jnp.asarray(content), [style])
    arguments = (weights.variables, targets, objective.weights())
    expected, _ = jax.grad(objective, has_aux=True)(jnp.asarray(gray), *arguments)
    gradient = {}
    for form in get_args(Parameterization):
        latent = jnp.asarray(latent_from_image(gray, parameterization=form))
        loss = latent_objective(objective, parameterization=form)
        gradient[form], _ = jax.grad(loss, has_aux=True)(latent, *arguments)
    size = np.abs(expected).max()
    assert size > 0 and np.abs(gradient["pixel"] - expected).max() < 1e-3 * size
    assert np.abs(gradient["fourier"] - expected).max() > 0.1 * size


def test_a_smooth_target_is_reached_in_fewer_iterations():
    """What the scaling is for: a loss that mostly sees differences of neighbors."""
    coarse = np.random.default_rng(1).random((4, 4, 3), np.float32)
    target = jnp.asarray(resize(coarse, 24, 24))

    def loss(image):
        rough = jnp.diff(image - target, axis=0)[:, :-1], jnp.diff(image - target, axis=1)[:-1]
        return jnp.sum(rough[0] ** 2 + rough[1] ** 2)

    ends = []
    for decode in (lambda latent: latent, frequency_scaled):
        solver = Solver(lambda latent, decode=decode: (loss(decode(latent)), ()))
        state, _ = solver.solve(jnp.full((24, 24, 3), 0.5), 15)
        ends.append(float(state.value))
    assert ends[1] < 0.7 * ends[0]


@pytest.mark.parametrize("size", [(64, 96), (50, 70)])
def test_the_grids_frequencies_are_held_back_and_no_others(size):
    rows, columns = np.indices(size)

    def scale(vertical, horizontal):
        """By what a wave of so many cycles a pixel is multiplied."""
        vertical, horizontal = round(vertical * size[0]), round(horizontal * size[1])
        wave = np.cos(2 * np.pi * (vertical * rows / size[0] + horizontal * columns / size[1]))
        latent = jnp.asarray(np.repeat(wave[..., None], 3, axis=2), jnp.float32)
        own = (4 * np.hypot(vertical / size[0], horizontal / size[1])) ** -FREQUENCY_EXPONENT
        return float(frequency_scaled(latent)[0, 0, 0]) / own

    for grid in ((0, 1 / 4), (1 / 4, 0), (1 / 2, 0), (0, 1 / 2), (1 / 4, 1 / 4), (1 / 2, 1 / 4)):
        assert scale(*grid) < 0.2
    for other in ((0, 0.03), (0.06, 0.06), (1 / 8, 0), (0.12, 0.12), (0, 0.37), (0.37, 0.12)):
        assert scale(*other) > 0.95


def test_noise_without_grid_keeps_the_rest():
    noise = np.random.default_rng(0).random((64, 64, 3), np.float32)
    found = np.abs(np.fft.fft2(without_grid(noise)[..., 0])) / np.abs(np.fft.fft2(noise[..., 0]))
    assert found[0, 16] < 0.1 and found[32, 0] < 0.1 and found[16, 32] < 0.1
    assert 0.9 < np.median(found[8, :4]) < 1.1
