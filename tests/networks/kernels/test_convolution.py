import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylejax.networks.kernels.convolution import (
    _single_row_convolution,
    conv3x3,
    plain_conv3x3,
    plain_stem_convolution,
    stem_convolution,
)


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
    weight = numbers(*plain_stem_convolution(x, kernel).shape)

    def gradients(convolution):
        loss = lambda x, kernel: jnp.vdot(weight, convolution(x, kernel))
        return jax.jit(jax.grad(loss, argnums=(0, 1)))(x, kernel)

    for got, want in zip(
        gradients(stem_convolution), gradients(plain_stem_convolution), strict=True
    ):
        assert jnp.abs(want).max() > 1
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 1), (7, 10), (14, 6)])
@pytest.mark.parametrize(("taps", "padding"), [(3, (1, 1)), (4, (1, 2))])
def test_rows_laid_end_to_end_are_convolved_as_they_lie(size, taps, padding):
    random = np.random.default_rng(5)
    x = jnp.asarray(random.normal(size=(2, *size, 4)), jnp.float32)
    kernel = jnp.asarray(random.normal(size=(taps, taps, 4, 3)), jnp.float32)
    paddings = (padding, padding)
    want = jax.lax.conv_general_dilated(
        x, kernel, (1, 1), paddings, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(_single_row_convolution(x, kernel, paddings), want, atol=1e-4)


@pytest.mark.parametrize("width", [9, 200])
def test_forms_of_the_3x3_convolution_agree_in_bfloat16_and_under_vmap(width):
    random = np.random.default_rng(7)
    x = jnp.asarray(random.normal(size=(3, 1, 6, width, 128)), jnp.bfloat16)
    kernel = jnp.asarray(0.1 * random.normal(size=(3, 3, 128, 32)), jnp.bfloat16)
    got = jax.vmap(conv3x3, (0, None))(x, kernel)
    want = jax.vmap(plain_conv3x3, (0, None))(*(each.astype(jnp.float32) for each in (x, kernel)))
    assert got.dtype == jnp.bfloat16
    assert jnp.linalg.norm(got.astype(jnp.float32) - want) < 0.01 * jnp.linalg.norm(want)
