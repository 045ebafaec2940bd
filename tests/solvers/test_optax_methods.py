"""Optimizers of optax as methods; what all methods share is tested with the solver."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from problems import hills, quadratic

from stylejax.solvers.optax_methods import adam, optax_method
from stylejax.solvers.solver import Solver

START = np.linspace(-4, 4, 30, dtype=np.float32)


def values(method, iterations=12):
    """The value at the start and after each iteration, as one evaluation each."""
    found = []
    for step in Solver(hills, method).steps(START, iterations, pace=lambda step: 1):
        found.append(float(step.value))
        assert step.evaluations == 1 + step.iteration
    return found


def test_an_optimizer_of_optax_moves_as_in_optax():
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adabelief(0.05))
    params, own = jnp.asarray(START), optimizer.init(START)
    expected = []
    for _ in range(5):
        expected.append(float(hills(params)[0]))
        gradient = 0.1 * params - 3 * jnp.sin(3 * params) * jnp.sin(jnp.roll(params, 1))
        # The neighbor on the other side sees this one through its sine.
        gradient += jnp.cos(params) * jnp.cos(3 * jnp.roll(params, -1))
        updates, own = optimizer.update(gradient, own, params)
        params = jnp.asarray(optax.apply_updates(params, updates))
    np.testing.assert_allclose(values(optax_method(optimizer), 4), expected, rtol=1e-4)


def test_our_adam_is_that_of_optax():
    theirs = optax_method(optax.adam(0.05, b1=0.9, b2=0.99))
    np.testing.assert_allclose(values(adam(0.05)), values(theirs), rtol=1e-5)


@pytest.mark.parametrize("rate, expected", [(0.0, 0.0), (0.5, 0.5)])
def test_a_rate_in_the_optimizers_own_state_is_a_value(rate, expected):
    solver = Solver(quadratic, optax_method(optax.inject_hyperparams(optax.sgd)(0.1)))
    arguments = (np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    state = solver.init(np.ones(2, np.float32), *arguments)
    own, gradient = state.inner
    own = own._replace(hyperparams=own.hyperparams | {"learning_rate": jnp.float32(rate)})
    *_, last = solver.steps(state._replace(inner=(own, gradient)), 1, *arguments)
    np.testing.assert_allclose(1.0 - last.params(), expected, atol=1e-6)
