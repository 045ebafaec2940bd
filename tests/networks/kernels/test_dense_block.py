import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylejax.networks.kernels.dense_block import dense_block, dense_layer, plain_dense_block


@pytest.fixture
def block():
    """A map and three layers with scales of both signs."""
    random = np.random.default_rng(0)
    numbers = lambda *shape: jnp.asarray(random.normal(size=shape), jnp.float32)
    layers = [
        dense_layer(
            numbers(c), numbers(c), numbers(c, 6), (numbers(6), numbers(6)), numbers(3, 3, 6, 3)
        )
        for c in (5, 8, 11)
    ]
    return numbers(2, 7, 6, 5), tuple(layers), numbers(2, 7, 6, 14)


def test_it_is_the_plain_block_with_the_plain_gradient(block):
    x, layers, weight = block

    def both(form):
        return jax.jit(jax.value_and_grad(lambda x: jnp.vdot(weight, form(x, layers))))(x)

    (got, gradient), (want, expected) = both(dense_block), both(plain_dense_block)
    np.testing.assert_allclose(got, want, rtol=1e-4)
    assert jnp.abs(expected).max() > 1
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-3)


def test_the_gradient_of_the_kernels_is_there_when_asked_for(block):
    x, layers, weight = block
    gradients = [
        jax.jit(jax.grad(lambda layers: jnp.vdot(weight, form(x, layers))))(layers)  # noqa: B023
        for form in (dense_block, plain_dense_block)
    ]
    # Those two are for the gradient with respect to `x` alone.
    unused = {"pointwise_gradient": None, "spatial_gradient": None}
    gradients = [[layer._replace(**unused) for layer in each] for each in gradients]
    for got, want in zip(*map(jax.tree.leaves, gradients), strict=True):
        assert jnp.abs(want).max() > 0.1
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-3)


def test_lanes_of_vmap_get_what_they_get_alone(block):
    x, layers, weight = block
    gradient = jax.grad(lambda x: jnp.vdot(weight, dense_block(x, layers)))
    lanes = jnp.stack([x, 0.5 * x])
    together = jax.jit(jax.vmap(gradient))(lanes)
    for lane, alone in zip(lanes, together, strict=True):
        np.testing.assert_allclose(gradient(lane), alone, rtol=1e-4, atol=1e-3)


def test_bfloat16_in_bfloat16_out_near_the_float32_form(block):
    x, layers, _ = block
    got = dense_block(x.astype(jnp.bfloat16), layers)
    assert got.dtype == jnp.bfloat16
    want = plain_dense_block(x, layers)
    error = jnp.linalg.norm(got.astype(jnp.float32) - want) / jnp.linalg.norm(want)
    assert error < 0.02
