"""Every tuned form beside its plain one: the same value, and the same gradient."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylejax.losses._named import FAST, PLAIN
from stylejax.networks.kernels.choice import network_kernels
from stylejax.networks.kernels.convolution import fast_convolution, plain_convolution
from stylejax.networks.kernels.dense_block import dense_layer, fast_dense_block, plain_dense_block
from stylejax.networks.kernels.pooling import (
    fast_pool,
    fast_transition,
    plain_pool,
    plain_transition,
)


class Pair(NamedTuple):
    """Two forms of a function, what they are called with, and what they are differentiated by.

    `tolerance` is relative to the largest number of what is compared.
    """

    fast: Callable[..., Any]
    plain: Callable[..., Any]
    arguments: tuple[Any, ...]
    differentiated: tuple[int, ...] = (0,)
    tolerance: float = 1e-5


def numbers(*shape, seed=0, scale=1.0):
    random = np.random.default_rng((seed, *shape))
    return jnp.asarray(scale * random.normal(size=shape), jnp.float32)


def convolution(size, inputs, outputs, taps=3, step=1, by=(0, 1)):
    x, kernel = numbers(2, *size, inputs), numbers(taps, taps, inputs, outputs)
    fast, plain = (partial(form, step=step) for form in (fast_convolution, plain_convolution))
    return Pair(fast, plain, (x, kernel), by)


def block(by):
    # Scales of both signs: neither ReLU lets all through.
    layers = tuple(
        dense_layer(
            (numbers(c, seed=1), numbers(c, seed=2)),
            numbers(c, 6),
            (numbers(6, seed=c), numbers(6, seed=c + 1)),
            numbers(3, 3, 6, 3, seed=c),
        )
        for c in (5, 8, 11)
    )
    return Pair(fast_dense_block, plain_dense_block, (numbers(2, 7, 6, 5), layers), by)


def pool(size, window, pooling, levels=None):
    x = numbers(*size)
    if levels is not None:
        # Nearly all windows meet their maximum more than once.
        x = jnp.asarray(np.random.default_rng(1).integers(0, levels, size), jnp.float32)
    fast, plain = (
        partial(form, window=window, pooling=pooling) for form in (fast_pool, plain_pool)
    )
    return Pair(fast, plain, (x,))


def seamless(kernel, pair):
    """The same of a map that goes on at its other side."""
    fast, plain = (getattr(network_kernels(form, True), kernel) for form in ("fast", "plain"))
    if kernel != "dense_block":
        fast, plain = (partial(form, **pair.plain.keywords) for form in (fast, plain))
    return pair._replace(fast=fast, plain=plain)


def transition(size):
    kernel = numbers(5, 4)
    pointwise = lambda x: x @ kernel
    fast, plain = (
        partial(form, pointwise=pointwise) for form in (fast_transition, plain_transition)
    )
    return Pair(fast, plain, (numbers(*size, 5),))


def gram(*size, weighted=False):
    weights = jnp.abs(numbers(*size[:2], seed=5)) / (size[0] * size[1])
    features = numbers(*size, scale=2.0)
    arguments = (features, weights) if weighted else (features,)
    return Pair(FAST.gram_matrix, PLAIN.gram_matrix, arguments, tuple(range(len(arguments))))


def variation(name):
    fast, plain = (losses.total_variations[name] for losses in (FAST, PLAIN))
    # A mean over pixels: each of them counts for little.
    many = lambda form: lambda image: 100.0 * form(image)
    return Pair(many(fast), many(plain), (numbers(9, 12, 3),))


PAIRS = {
    **{f"3x3 of {size}": convolution(size, 4, 3) for size in [(1, 1), (1, 9), (5, 1), (7, 10)]},
    # More multiplications a row than go through it as a single row.
    "3x3 of wide rows": convolution((4, 70), 128, 128),
    "3x3 of a frozen kernel": convolution((14, 6), 4, 3, by=(0,)),
    **{
        f"stem of {size}": convolution(size, 3, 5, taps=7, step=2)
        for size in [(12, 8), (9, 14), (7, 7), (1, 2)]
    },
    "stem of wide rows": convolution((6, 900), 3, 64, taps=7, step=2, by=(0,)),
    "another convolution": convolution((6, 9), 4, 3, taps=5, step=2),
    "dense block": block(by=(0, 1)),
    "frozen dense block": block(by=(0,)),
    **{
        f"maximum of 3x3 in {size}": pool(size, 3, "max", levels=2)
        for size in [(2, 8, 12, 3), (1, 7, 9, 2), (1, 8, 5, 1), (1, 1, 2, 1)]
    },
    "maximum of 3x3, all different": pool((2, 9, 12, 3), 3, "max"),
    "mean of 3x3": pool((2, 9, 12, 3), 3, "average"),
    "maximum of 2x2": pool((2, 9, 12, 3), 2, "max"),
    "mean of 2x2": pool((2, 9, 12, 3), 2, "average"),
    "transition": transition((2, 9, 12)),
    # Few, odd and many channels; rows that are and that are no multiple of the padding.
    **{
        f"Gram matrix of {size}": gram(*size)
        for size in [(9, 7, 3), (8, 5, 16), (9, 7, 17), (16, 4, 40)]
    },
    "weighted Gram matrix": gram(9, 7, 20, weighted=True),
    "weighted Gram matrix of few channels": gram(9, 7, 3, weighted=True),
    **{f"total variation: {name}": variation(name) for name in PLAIN.total_variations},
    "seamless 3x3": seamless("convolution", convolution((7, 10), 4, 3)),
    "seamless stem": seamless("convolution", convolution((12, 8), 3, 5, taps=7, step=2)),
    "seamless dense block": seamless("dense_block", block(by=(0, 1))),
    "seamless frozen dense block": seamless("dense_block", block(by=(0,))),
    "seamless maximum of 3x3": seamless("pool", pool((2, 8, 12, 3), 3, "max", levels=2)),
    "seamless mean of 3x3": seamless("pool", pool((2, 8, 12, 3), 3, "average")),
}
"""What else has two forms belongs here."""


def value_and_gradient(form, pair):
    """The value, and the gradient of its product with random numbers."""

    @jax.jit
    def both(*arguments):
        def of(*differentiated):
            given = dict(zip(pair.differentiated, differentiated, strict=True))
            return form(*(given.get(n, argument) for n, argument in enumerate(arguments)))

        value, pull_back = jax.vjp(of, *(arguments[n] for n in pair.differentiated))
        return value, pull_back(numbers(*value.shape, seed=9))

    return jax.device_get(both(*pair.arguments))


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_value_and_gradient_are_those_of_the_plain_form(pair):
    fast, plain = (value_and_gradient(form, pair) for form in (pair.fast, pair.plain))
    assert jax.tree.structure(fast) == jax.tree.structure(plain)
    assert np.abs(plain[0]).max() > 0.1
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(plain[1])) > 0.1
    for got, want in zip(jax.tree.leaves(fast), jax.tree.leaves(plain), strict=True):
        scale = max(np.abs(want).max(), 1e-3)
        np.testing.assert_allclose(got, want, rtol=0, atol=pair.tolerance * scale)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_the_plain_form_can_be_differentiated_forwards(pair):
    tangents = tuple(jax.tree.map(lambda leaf: numbers(*leaf.shape, seed=3), pair.arguments))

    @jax.jit
    def forwards_and_backwards(arguments, tangents):
        value, tangent = jax.jvp(pair.plain, arguments, tangents)
        weight = numbers(*value.shape, seed=4)
        products = jax.tree.map(jnp.vdot, jax.vjp(pair.plain, *arguments)[1](weight), tangents)
        size = jnp.linalg.norm(weight) * jnp.linalg.norm(tangent)
        return jnp.vdot(weight, tangent), sum(jax.tree.leaves(products)), size

    forwards, backwards, size = forwards_and_backwards(pair.arguments, tangents)
    assert size > 1e-3
    np.testing.assert_allclose(forwards, backwards, rtol=0, atol=1e-5 * float(size))


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("form", [fast_pool, plain_pool])
def test_pooling_does_not_see_its_padding(form, pooling):
    pooled = form(jnp.full((1, 9, 12, 2), -0.7), 3, pooling)
    np.testing.assert_allclose(pooled, -0.7, rtol=1e-6)


@pytest.mark.parametrize("name", ["3x3 of wide rows", "3x3 of (7, 10)", "frozen dense block"])
def test_bfloat16_in_bfloat16_out_near_the_plain_form_in_float32(name):
    pair = PAIRS[name]
    got = jax.jit(pair.fast)(pair.arguments[0].astype(jnp.bfloat16), *in_half(name, pair))
    assert got.dtype == jnp.bfloat16
    want = jax.jit(pair.plain)(*pair.arguments)
    assert jnp.linalg.norm(got.astype(jnp.float32) - want) < 0.02 * jnp.linalg.norm(want)


def in_half(name, pair):
    """The other arguments: a block rounds its own numbers."""
    others = pair.arguments[1:]
    return others if "block" in name else jax.tree.map(lambda x: x.astype(jnp.bfloat16), others)


@pytest.mark.parametrize("name", ["3x3 of (7, 10)", "frozen dense block", "maximum of 2x2"])
def test_lanes_of_vmap_get_what_they_get_alone(name):
    pair = PAIRS[name]
    x, *others = pair.arguments
    energy = lambda x: jnp.sum(jnp.square(pair.fast(x, *others)))
    lanes = jnp.stack([x, 0.5 * x])
    together = jax.jit(jax.vmap(jax.grad(energy)))(lanes)
    gradient = jax.jit(jax.grad(energy))
    for lane, got in zip(lanes, together, strict=True):
        alone = gradient(lane)
        scale = float(jnp.abs(alone).max())
        np.testing.assert_allclose(got, alone, rtol=0, atol=1e-4 * scale)
