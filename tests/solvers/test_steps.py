"""The one loop: what its steps say, how it ends, and that looking at it changes nothing."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import hills, quadratic, rosenbrock

from stylejax.solvers.jaxopt_lbfgs import lbfgs
from stylejax.solvers.optax_methods import adam, optax_lbfgs
from stylejax.solvers.solver import Solver
from stylejax.solvers.state import CHUNK
from stylejax.solvers.steps import chunks_of_about

METHODS = {"lbfgs": lbfgs, "optax-lbfgs": optax_lbfgs, "adam": adam}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
START = np.linspace(-4, 4, 30, dtype=np.float32)


@cache
def compiled(method):
    return Solver(hills, method())


def same(one, other):
    """Whether two pytrees agree to the bit."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def last(steps):
    *_, step = steps
    return jax.device_get(step.state)


@every_method
def test_the_first_step_is_the_evaluated_start_and_the_last_one_the_end(method):
    steps = list(compiled(method).steps(START, 35))
    assert [int(step.iteration) for step in steps] == [0, 16, 32, 35]
    assert [int(step.taken) for step in steps] == [0, 16, 16, 3]
    assert [step.done for step in steps] == [False, False, False, True]
    first = steps[0]
    assert first.evaluations == 1 and first.trace.value.shape == (0,)
    np.testing.assert_allclose(first.value, hills(START)[0], rtol=1e-6)
    assert not first.failed and not first.converged
    for step in steps[1:]:
        trace = step.trace
        assert len(trace.value) == len(trace.aux["x"]) == step.taken
        assert trace.value[-1] == step.value and trace.evaluations[-1] == step.evaluations
        assert step.seconds > 0


@every_method
def test_how_a_solve_is_split_into_chunks_does_not_change_a_bit(method):
    solver = compiled(method)
    whole = last(solver.steps(START, 35))
    assert whole.iteration == 35
    sizes = iter([1, 7, 2, 16, 100, 0, 3] + [1] * 100)
    assert same(whole, last(solver.steps(START, 35, pace=lambda step: next(sizes))))
    assert same(whole, last(solver.steps(START, 35, programs=solver.compile(START))))


@every_method
def test_a_solve_goes_on_from_a_saved_state_to_the_same_bits(method):
    solver, saved = compiled(method), None
    for step in solver.steps(START, 30, pace=lambda step: 5):
        if step.iteration == 10:
            saved = jax.device_get(step.state)
            break
    steps = list(solver.steps(saved, 30))
    # The first step is the state as it was saved; the count goes on.
    assert [int(step.iteration) for step in steps] == [10, 26, 30]
    assert [int(step.taken) for step in steps] == [0, 16, 4]
    assert same(jax.device_get(steps[-1].state), last(solver.steps(START, 30)))
    # There is nothing left to do.
    (only,) = solver.steps(jax.device_get(steps[-1].state), 30)
    assert only.done and only.iteration == 30 and only.taken == 0


def test_params_and_trace_are_those_of_the_step():
    matrix, target = np.eye(3, dtype=np.float32), np.arange(3, dtype=np.float32)
    seen = []
    for step in Solver(quadratic, adam(0.1)).steps(np.zeros(3, np.float32), 3, matrix, target):
        seen.append((step.params(), step.trace))
    (start, _), (end, trace) = seen
    assert np.array_equal(start, np.zeros(3)) and trace.aux["residual"].shape == (3, 3)
    np.testing.assert_allclose(end - target, trace.aux["residual"][-1], rtol=1e-6)
    # Adam's first step is its rate in each coordinate that slopes.
    np.testing.assert_allclose(trace.aux["residual"][0] + target, [0, 0.1, 0.1], atol=1e-6)


def test_a_solve_ends_where_it_fails_converges_or_has_spent_its_budget():
    root = lambda x: (jnp.sum(jnp.sqrt(x)), {"x": x})
    *_, step = Solver(root, adam(0.4)).steps(np.asarray([1.0, 2.0], np.float32), 50)
    assert step.failed and step.done and step.iteration == 2 and len(step.trace.value) == 2
    (step,) = Solver(rosenbrock).steps(np.ones(3, np.float32), 50)
    assert step.converged and step.done and not step.failed and step.evaluations == 1
    (step,) = Solver(root).steps(np.full(2, -1, np.float32), 50)
    assert step.failed and step.done and np.isposinf(step.value)
    *_, step = Solver(hills, budget=9).steps(START, 50)
    assert step.done and step.evaluations == 9 and not step.failed and not step.converged


def test_no_iterations_evaluate_the_start():
    (step,) = compiled(lbfgs).steps(START, 0)
    assert step.done and step.evaluations == 1 and np.array_equal(step.params(), START)


def test_chunks_follow_the_clock():
    *_, step = compiled(adam).steps(START, 1)
    took = lambda taken, seconds: replace(step, taken=np.asarray(taken), seconds=seconds)
    pace = chunks_of_about(0.5)
    assert pace(took(4, 1.0)) == 2 and pace(took(1, 0.01)) == 50
    # After the start alone nothing is known: the loop makes one iteration of it, and at most 16.
    assert pace(took(0, 1.0)) == 0
    for seconds, chunks in ((0.0, [0, 1, 1, 1]), (1e6, [0, 1, CHUNK, CHUNK])):
        steps = compiled(adam).steps(START, 40, pace=chunks_of_about(seconds))
        assert [int(step.taken) for step, _ in zip(steps, range(4), strict=False)] == chunks


def test_new_values_compile_nothing_anew():
    traces = []

    def traced(x, target):
        traces.append(1)
        return jnp.sum(jnp.square(x - target)), {}

    solver = Solver(traced)
    state = last(solver.steps(np.zeros(4, np.float32), 3, np.ones(4, np.float32)))
    before = len(traces)
    last(solver.steps(np.ones(4, np.float32), 5, np.zeros(4, np.float32), pace=lambda step: 1))
    last(solver.steps(state, 6, np.zeros(4, np.float32)))
    assert len(traces) == before
