"""Of a periodic map comes the middle of what comes of several of it side by side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylejax.networks.kernels.choice import network_kernels
from stylejax.networks.kernels.dense_block import dense_layer


def numbers(*shape):
    return jnp.asarray(np.random.default_rng(shape).normal(size=shape), jnp.float32)


LAYERS = tuple(
    dense_layer(
        (numbers(channels), numbers(channels)),
        numbers(channels, 6),
        (numbers(6), numbers(6)),
        numbers(3, 3, 6, 3),
    )
    for channels in (4, 7)
)
FUNCTIONS = {
    "3x3": lambda kernels, x: kernels.convolution(x, numbers(3, 3, 4, 5)),
    "5x5, step 2": lambda kernels, x: kernels.convolution(x, numbers(5, 5, 4, 5), step=2),
    "stem": lambda kernels, x: kernels.convolution(x, numbers(7, 7, 4, 5), step=2),
    "maximum of 3x3": lambda kernels, x: kernels.pool(x, 3, "max"),
    "mean of 3x3": lambda kernels, x: kernels.pool(x, 3, "average"),
    "mean of 2x2": lambda kernels, x: kernels.pool(x, 2, "average"),
    "transition": lambda kernels, x: kernels.transition(x, lambda x: x @ numbers(4, 3)),
    "dense block": lambda kernels, x: kernels.dense_block(x, LAYERS),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_map_goes_on_at_its_other_side(name):
    function, x = FUNCTIONS[name], numbers(1, 8, 6, 4)

    @jax.jit
    def both(x):
        # The one in the middle does not see where they end.
        many = function(network_kernels("plain"), jnp.tile(x, (1, 3, 3, 1)))
        return function(network_kernels("plain", True), x), many

    ours, many = both(x)
    rows, columns = ours.shape[1:3]
    np.testing.assert_allclose(
        ours, many[:, rows : 2 * rows, columns : 2 * columns], rtol=0, atol=1e-4
    )
