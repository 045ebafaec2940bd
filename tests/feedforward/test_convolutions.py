from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest
from small_painters import PAINTER, make_parameters

from stylejax.feedforward import masked_mixture, paint, style_mixture
from stylejax.feedforward.convolutions import (
    convolution,
    doubled,
    enlarging_convolution,
    folded,
    folded_convolution,
    halving_convolution,
    unfolded,
)


def arrays(height, width, window=3, inputs=3, outputs=4):
    random = np.random.default_rng(height)
    shapes = (height, width, inputs), (window, window, inputs, outputs)
    x, kernel = (jnp.asarray(random.normal(size=shape), jnp.float32) for shape in shapes)
    return x, kernel


def test_folding_is_undone():
    x = jnp.arange(4 * 6 * 2.0).reshape(4, 6, 2)
    assert np.array_equal(folded(x)[1, 2], [*x[2, 4], *x[2, 5], *x[3, 4], *x[3, 5]])
    assert np.array_equal(unfolded(folded(x)), x)
    assert folded(x[:3, :5]).shape == (2, 3, 8) and not folded(x[:3, :5])[1, 2, 2:].any()


@pytest.mark.parametrize("window", [3, 9])
def test_a_folded_convolution_is_the_plain_one(window):
    x, kernel = arrays(14, 16, window)
    found = jax.jit(lambda x, k: unfolded(folded_convolution(folded(x), k)))(x, kernel)
    np.testing.assert_allclose(found, convolution(x, kernel), atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(13, 11), (12, 15)])
def test_a_halving_convolution_is_the_plain_one(height, width):
    x, kernel = arrays(height, width)
    wanted = convolution(x, kernel, 2)
    found = jax.jit(halving_convolution)(x, kernel)[: wanted.shape[0], : wanted.shape[1]]
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_an_enlarging_convolution_is_the_plain_one_of_the_enlarged_map():
    x, kernel = arrays(7, 5)
    found = jax.jit(lambda x, k: unfolded(enlarging_convolution(x, k)))(x, kernel)
    np.testing.assert_allclose(found, convolution(doubled(x), kernel), atol=1e-4)


def test_the_tuned_network_is_the_plain_one():
    picture, parameters = problems.picture(37, 50), make_parameters()
    mixture = masked_mixture(
        jnp.stack([style_mixture([1.0, 0.0]), style_mixture([0.0, 1.0])]),
        jnp.stack([jnp.linspace(0.0, 1.0, 37)[:, None].repeat(50, 1), jnp.full((37, 50), 0.3)]),
    )
    for mixed in (style_mixture([1.0, 2.0], 0.7), mixture):
        plain, fast = (
            jax.jit(partial(paint, PAINTER.clone(kernels=kernels)))(parameters, picture, mixed)
            for kernels in ("plain", "fast")
        )
        np.testing.assert_allclose(fast[0], plain[0], atol=1e-5)
        for name, statistics in plain[1].items():
            for ours, theirs in zip(fast[1][name], statistics, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
