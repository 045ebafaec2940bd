"""Steps of training, with pixels in place of an encoder's features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import picture
from small_enlargers import SMALL, make_parameters

from stylejax.feedforward.training import state_from
from stylejax.superresolution import Enlarger, Judges, enlarge, init_parameters, training_step
from stylejax.superresolution.form import MARGIN
from stylejax.superresolution.start import fitted_tail
from stylejax.superresolution.training import exact_crops, reduced_crops

KEY = jax.random.key(0)
TILES = jnp.asarray(
    np.stack([np.rint(255 * picture(96, 96, seed)).astype(np.uint8) for seed in range(3)])
)


def pixels_as_features(variables, image):
    return {"pixels": image}


def steps_of(enlarger, exact, count):
    judges = Judges({}, {"pixels": jnp.ones(())}, jnp.float32(1.0), jnp.float32(0.5))
    pure = training_step(pixels_as_features, enlarger, batch=2, small=14, exact=exact)
    state, reports = state_from(init_parameters(enlarger, KEY)), []
    step = jax.jit(pure)
    for _ in range(count):
        state, report = step(state, judges, TILES, KEY, jnp.float32(3e-3))
        reports.append(report)
    return state, reports


def test_sharpness_is_learned_where_it_is_any():
    state, reports = steps_of(SMALL, False, 12)
    sharpness = np.array([report.sharpness for report in reports])
    assert 0.0 < sharpness.min() < 0.7 and sharpness.max() == 1.0
    for report in reports:
        s, (loss, pixels, features) = float(report.sharpness), report.errors
        np.testing.assert_allclose(loss, (1.0 - 0.5 * s) * pixels + s * features, rtol=1e-5)
    assert np.abs(state.parameters["tail"]["sharp_kernel"]).max() > 0.0

    state, reports = steps_of(SMALL, True, 3)
    assert {float(report.sharpness) for report in reports} == {0.0}
    assert np.abs(state.parameters["tail"]["sharp_kernel"]).max() == 0.0
    assert np.abs(state.parameters["tail"]["kernel"]).max() > 0.0


def test_johnsons_body_keeps_the_moments_that_it_has_seen():
    enlarger = Enlarger(4, channels=4, blocks=4, body="johnson")
    state, _ = steps_of(enlarger, False, 6)
    seen = state.parameters["moments"]["first"]["variance"]
    kept = state.average["moments"]["first"]["variance"]
    assert np.ptp(seen) > 0.0 and np.all(np.isfinite(kept))
    # On the way from 1, which the average began with, to what has been seen.
    assert np.all(np.abs(kept - seen) < np.abs(1.0 - seen) + 0.2 * seen)


@pytest.mark.parametrize("factor", [4, 8])
def test_the_last_convolution_is_fitted_to_a_body(factor):
    enlarger = SMALL._replace(factor=factor)
    crops = exact_crops(KEY, TILES, 6, 12 * factor)
    small = reduced_crops(KEY, crops, factor)
    body = make_parameters(enlarger)
    fitted = fitted_tail(enlarger, body, small, crops)
    begun = init_parameters(enlarger, KEY)

    def error(parameters):
        inside = slice(factor * MARGIN, -factor * MARGIN)
        made = jax.vmap(lambda crop: enlarge(enlarger, parameters, crop, 0.0))(small)
        return float(jnp.mean(jnp.square(made - crops)[:, inside, inside]))

    assert error(fitted) < 0.9 * error(begun)
    np.testing.assert_array_equal(fitted["block1"]["kernel_a"], body["block1"]["kernel_a"])
