"""Products whose differences matter are taken in full float32, whatever a device does by itself."""

import jax
import jax.numpy as jnp
import pytest

from stylejax.losses.gram import gram_matrix
from stylejax.losses.moments import feature_moments
from stylejax.losses.wasserstein import wasserstein_loss
from stylejax.networks.kernels.gram import fast_gram_matrix
from stylejax.universal.statistics import feature_statistics

FEATURES = jax.ShapeDtypeStruct((6, 5, 32), jnp.float32)
SHARES = jax.ShapeDtypeStruct((6, 5), jnp.float32)


def products(jaxpr):
    """The precision of every matrix product, inside of loops and other functions too."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            yield equation.params["precision"]
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=is_jaxpr):
            if is_jaxpr(value):
                yield from products(getattr(value, "jaxpr", value))


def is_jaxpr(value):
    return hasattr(value, "eqns")


def transport(features):
    moments = feature_moments(features, gram_matrix=gram_matrix)
    other = jax.tree.map(lambda leaf: leaf + 1.0, moments)
    return wasserstein_loss(moments, other)


total = lambda function: lambda *arguments: jnp.sum(function(*arguments))
FUNCTIONS = {
    "textbook": (total(gram_matrix), FEATURES),
    "textbook, of a region": (total(gram_matrix), FEATURES, SHARES),
    "fast": (total(fast_gram_matrix), FEATURES),
    "fast, of a region": (total(fast_gram_matrix), FEATURES, SHARES),
    "fast, few channels": (total(fast_gram_matrix), jax.ShapeDtypeStruct((6, 5, 3), jnp.float32)),
    "Newton-Schulz": (transport, FEATURES),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_products_and_their_gradients_are_exact(name):
    function, *arguments = FUNCTIONS[name]
    found = list(products(jax.make_jaxpr(jax.value_and_grad(function))(*arguments).jaxpr))
    exact = jax.lax.Precision.HIGHEST
    assert found and set(found) <= {exact, (exact, exact)}


def test_statistics_of_universal_style_transfer_are_exact():
    found = list(products(jax.make_jaxpr(feature_statistics)(FEATURES).jaxpr))
    exact = jax.lax.Precision.HIGHEST
    assert found and set(found) <= {exact, (exact, exact)}
