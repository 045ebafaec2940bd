from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylejax.networks.kernels.pooling import max_pool


def plain_max_pool(x):
    padding: Any = ((1, 1), (1, 1))
    return nn.max_pool(x, (3, 3), strides=(2, 2), padding=padding)


@pytest.mark.parametrize("shape", [(2, 8, 12, 3), (1, 7, 9, 2), (1, 8, 5, 1), (1, 1, 2, 1)])
@pytest.mark.parametrize("levels", [2, 1000])
def test_pooling_and_gradient_are_those_of_reduce_window(shape, levels):
    # Of two levels only nearly all windows meet their maximum more than once.
    random = np.random.default_rng(1)
    x = jnp.asarray(random.integers(0, levels, shape), jnp.float32)
    pooled = plain_max_pool(x)
    weight = jnp.asarray(random.normal(size=pooled.shape), jnp.float32)
    np.testing.assert_array_equal(max_pool(x), pooled)

    gradients = [
        jax.jit(jax.grad(lambda x: jnp.vdot(weight, form(x))))(x)  # noqa: B023
        for form in (max_pool, plain_max_pool)
    ]
    assert jnp.abs(gradients[1]).max() > 0.1
    np.testing.assert_allclose(*gradients, rtol=1e-6, atol=1e-6)
