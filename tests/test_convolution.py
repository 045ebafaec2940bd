import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylejax.convolution import conv3x3, plain_conv3x3, plain_stem, stem


def test_gradient_of_the_3x3_convolution_is_the_plain_one():
    random = np.random.default_rng(3)
    x, kernel, weight = (
        jnp.asarray(random.normal(size=shape), jnp.float32)
        for shape in ((2, 7, 9, 5), (3, 3, 5, 4), (2, 7, 9, 4))
    )

    def gradients(convolution):
        loss = lambda x, kernel: jnp.vdot(weight, convolution(x, kernel))
        return jax.jit(jax.grad(loss, argnums=(0, 1)))(x, kernel)

    expected = gradients(plain_conv3x3)
    for got, want in zip(gradients(conv3x3), expected, strict=True):
        assert jnp.abs(want).max() > 1
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("shape", [(2, 12, 8, 3), (1, 9, 14, 2), (1, 7, 7, 3)])
def test_gradient_of_the_stem_is_the_plain_one(shape):
    random = np.random.default_rng(4)
    numbers = lambda *sides: jnp.asarray(random.normal(size=sides), jnp.float32)
    x, kernel = numbers(*shape), numbers(7, 7, shape[-1], 5)
    weight = numbers(*plain_stem(x, kernel).shape)

    def gradients(convolution):
        loss = lambda x, kernel: jnp.vdot(weight, convolution(x, kernel))
        return jax.jit(jax.grad(loss, argnums=(0, 1)))(x, kernel)

    for got, want in zip(gradients(stem), gradients(plain_stem), strict=True):
        assert jnp.abs(want).max() > 1
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)
