"""The content loss against plain loops in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feature_maps import maps, noise
from hypothesis import given
from jax.test_util import check_grads

from stylejax.losses import content

# Compiled once for each shape.
content_loss = jax.jit(content.content_loss)
content_spread = jax.jit(content.content_spread)

pytestmark = pytest.mark.usefixtures("strict")


@given(maps(2))
def test_content_loss_is_equation_1(pair):
    f, p = pair
    expected = 0.0
    for x, y in zip(f.astype(np.float64).flat, p.astype(np.float64).flat, strict=True):
        expected += 0.5 * (x - y) ** 2
    np.testing.assert_allclose(content_loss(f, p), expected, rtol=1e-5, atol=1e-30)
    assert content_loss(f, f) == 0.0


@given(maps(1))
def test_content_spread_is_half_the_variance_times_the_positions(pair):
    (target,) = pair
    height, width, channels = target.shape
    wide = target.astype(np.float64)
    expected = sum(0.5 * height * width * np.var(wide[..., c]) for c in range(channels))
    # The mean is rounded to float32 in between.
    slack = 1e-12 * np.sum(np.square(wide)) + 1e-30
    np.testing.assert_allclose(content_spread(target), expected, rtol=1e-4, atol=slack)


def test_the_spread_of_another_content_loss():
    target = jnp.asarray(noise((4, 5, 3)))
    absolute = lambda one, other: jnp.sum(jnp.abs(one - other))
    expected = jnp.abs(target - target.mean((0, 1), keepdims=True)).sum()
    np.testing.assert_allclose(content.content_spread(target, absolute), expected, rtol=1e-5)


@pytest.mark.parametrize("function, maps", [(content_loss, 2), (content_spread, 1)])
def test_gradients(function, maps):
    arguments = tuple(jnp.asarray(noise((3, 4, 2), seed)) for seed in range(maps))
    check_grads(function, arguments, order=1, modes=("fwd", "rev"), atol=2e-2, rtol=2e-2)
