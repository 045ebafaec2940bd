"""The solvers: what they reach and what it costs, how they end, and what is compiled."""

from functools import cache
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from jaxopt._src.lbfgs import inv_hessian_product
from problems import hills, quadratic, rosenbrock

from stylejax.solvers.jaxopt_lbfgs import lbfgs
from stylejax.solvers.optax_methods import adam, optax_lbfgs
from stylejax.solvers.solver import CHUNK, Solver
from stylejax.solvers.state import has_ended

METHODS = {"lbfgs": lbfgs, "optax-lbfgs": optax_lbfgs, "adam": adam}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
every_lbfgs = pytest.mark.parametrize("method", [lbfgs, optax_lbfgs])


def spectrum(condition, size=50):
    """A symmetric matrix with eigenvalues from 1 to `condition`, and a minimum."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(size, size)))[0]
    matrix = basis @ np.diag(np.geomspace(1.0, condition, size)) @ basis.T
    return matrix.astype(np.float32), rng.normal(size=size).astype(np.float32)


def floats(*values):
    return np.asarray(values, np.float32)


@cache
def compiled(fun, method, *settings):
    """One solver for all tests of a function and a method: each compiles for seconds."""
    return Solver(fun, method(*settings))


def run(solver, params, steps, *args, split=(CHUNK,)):
    """The state after a number of steps, split into `advance` calls of the sizes in turn."""
    state, taken, turn = solver.init(params, *args), 0, 0
    while taken < steps and not state.failed:
        chunk = min(split[turn % len(split)], steps - taken)
        state, _ = solver.advance(state, chunk, *args)
        taken, turn = taken + chunk, turn + 1
    return state


def scipy_lbfgs(fun, start, iterations):
    """Value and evaluations of SciPy's L-BFGS-B with the same history, in float64."""
    result = scipy.optimize.minimize(
        fun,
        start.astype(np.float64),
        jac=True,
        method="L-BFGS-B",
        options={"maxcor": 10, "maxiter": iterations, "ftol": 0.0, "gtol": 0.0},
    )
    return result.fun, result.nfev


def same(one, other):
    """Whether two pytrees agree to the bit."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


@pytest.mark.parametrize(
    "method, settings, steps",
    [(lbfgs, (), 60), (optax_lbfgs, (), 60), (adam, (0.05,), 400)],
    ids=METHODS,
)
def test_minimizes_a_quadratic(method, settings, steps):
    matrix, target = spectrum(10.0)
    state = run(
        compiled(quadratic, method, *settings), np.zeros(50, np.float32), steps, matrix, target
    )
    np.testing.assert_allclose(state.params, target, atol=2e-3)
    assert state.value < 1e-4
    # Everything in the state belongs to the same point.
    (value, aux), grad = jax.value_and_grad(quadratic, has_aux=True)(state.params, matrix, target)
    np.testing.assert_allclose(state.value, value, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(state.aux["residual"], aux["residual"], atol=1e-6)
    np.testing.assert_allclose(state.gradient_norm, jnp.linalg.norm(grad), rtol=1e-2, atol=1e-5)


def rosenbrock_starts(size):
    return [np.random.default_rng(seed).normal(size=size).astype(np.float32) for seed in range(4)]


@cache
def rosenbrock_by_scipy(size, iterations):
    """The values that SciPy reaches from the starts, and all its evaluations."""
    fun = lambda x: (scipy.optimize.rosen(x), scipy.optimize.rosen_der(x))
    found = [scipy_lbfgs(fun, start, iterations) for start in rosenbrock_starts(size)]
    return [value for value, _ in found], sum(evaluations for _, evaluations in found)


@pytest.mark.parametrize(
    "method, size, iterations",
    [
        (lbfgs, 2, 22),
        (lbfgs, 10, 50),
        (lbfgs, 100, 100),
        (lbfgs, 1000, 100),
        (optax_lbfgs, 2, 22),
        (optax_lbfgs, 1000, 100),
    ],
)
def test_minimizes_rosenbrock_like_scipy(method, size, iterations):
    solver = compiled(rosenbrock, method)
    ours, spent = [], 0
    for start in rosenbrock_starts(size):
        state = run(solver, start, iterations)
        assert state.iteration == iterations or state.value < 1e-9
        ours.append(float(state.value))
        spent += int(state.evaluations)
    theirs, nfev = rosenbrock_by_scipy(size, iterations)
    # The paths are chaotic, so single values are not comparable: the middle of their logarithms.
    middle = lambda values: np.median(np.log10(np.maximum(np.asarray(values), 1e-8)))
    assert middle(ours) <= middle(theirs) + (1.0 if size <= 10 else 0.02)
    if method is lbfgs:
        assert spent < 1.5 * len(ours) * iterations
        assert spent < 1.1 * nfev


def test_a_well_conditioned_quadratic_costs_little_more_than_an_evaluation_a_step():
    matrix, target = spectrum(10.0)
    state = run(compiled(quadratic, lbfgs), np.zeros(50, np.float32), 20, matrix, target)
    exact = matrix.astype(np.float64)
    value, evaluations = scipy_lbfgs(
        lambda x: (0.5 * (x - target) @ exact @ (x - target), exact @ (x - target)),
        np.zeros(50, np.float32),
        20,
    )
    assert state.iteration == 20 and state.evaluations <= 1.25 * 20
    assert state.evaluations <= evaluations + 2
    assert state.value <= 10.0 * value + 1e-6


@every_method
def test_an_evaluation_is_counted_where_one_is_made(method):
    calls = []

    def counted(x):
        jax.debug.callback(lambda _: calls.append(1), x[0])
        return rosenbrock(x)

    solver = Solver(counted, method())
    state = solver.init(np.tile(floats(-1.2, 1.0), 5))
    for steps, at_least in ((0, 0), (5, 1), (5, 6), (0, 11)):
        jax.block_until_ready(state)
        jax.effects_barrier()
        assert len(calls) == state.evaluations and len(calls) >= at_least
        state, _ = solver.advance(state, steps)
    assert len(calls) == state.evaluations


@every_method
def test_the_first_evaluation_is_at_the_start_and_ends_no_iteration(method):
    solver, start = compiled(hills, method), np.linspace(-4, 4, 30, dtype=np.float32)
    fresh = solver.init(start)
    assert fresh.iteration == fresh.evaluations == 0 and not fresh.failed and not fresh.converged
    assert np.isposinf(fresh.value) and np.isposinf(fresh.gradient_norm)
    assert np.array_equal(fresh.params, start) and not np.any(fresh.aux["x"])
    state, _ = solver.advance(fresh, 0)
    assert state.iteration == 0 and state.evaluations == 1
    assert not state.failed and not state.converged
    (value, aux), grad = jax.value_and_grad(hills, has_aux=True)(start)
    assert np.array_equal(state.params, start) and np.array_equal(state.aux["x"], aux["x"])
    np.testing.assert_allclose(state.value, value, rtol=1e-6)
    np.testing.assert_allclose(state.gradient_norm, jnp.linalg.norm(grad), rtol=1e-6)
    # Once is enough.
    before = jax.device_get(state)
    assert same(before, solver.advance(state, 0)[0])


@every_method
def test_how_steps_are_split_changes_no_bit(method):
    solver, start = compiled(hills, method), np.linspace(-4, 4, 30, dtype=np.float32)
    whole = run(solver, start, 35, split=(16,))
    assert whole.iteration == 35
    for split in [(1,), (0, 7), (2, 16, 3)]:
        assert same(whole, run(solver, start, 35, split=split))


@every_method
def test_programs_compiled_ahead_are_those_that_are_compiled_when_called(method):
    solver, start = compiled(hills, method), np.linspace(-4, 4, 30, dtype=np.float32)
    init, advance = solver.compile(start)
    assert same(advance(init(start), np.int32(5)), solver.advance(solver.init(start), 5))


@every_method
def test_traces_of_all_chunks_make_the_trace_of_the_whole(method):
    solver, start = compiled(hills, method), np.linspace(-4, 4, 30, dtype=np.float32)
    state, rows = solver.init(start), []
    for steps in (16, 3, 6):
        state, trace = solver.advance(state, steps)
        rows.append(jax.tree.map(lambda column, steps=steps: column[:steps], trace))
        assert same(
            jax.tree.map(lambda column, steps=steps: column[steps - 1], trace),
            (state.value, state.aux, state.gradient_norm, state.evaluations),
        )
    joined = jax.tree.map(lambda *columns: np.concatenate(columns), *rows)
    end, trace = jax.jit(lambda start: solver.solve(start, 25))(start)
    # Another program, so not to the bit, but it has the same steps.
    np.testing.assert_allclose(joined.value, trace.value, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(joined.evaluations, trace.evaluations)
    assert end.iteration == 25 and trace.aux["x"].shape == (25, 30)


@every_method
def test_each_lane_of_vmap_solves_what_it_solves_alone(method):
    solver = Solver(quadratic, method())
    matrix, _ = spectrum(10.0, size=5)
    start, targets = np.zeros(5, np.float32), floats([1] * 5, [0] * 5, [3, -2, 0, 0, 9])
    solve = lambda target: solver.solve(start, 8, matrix, target)
    lanes, traces = jax.jit(jax.vmap(solve))(targets)
    for lane, target in enumerate(targets):
        state, trace = jax.jit(solve)(target)
        np.testing.assert_allclose(lanes.params[lane], state.params, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(traces.value[lane], trace.value, rtol=1e-3, atol=1e-4)
        assert lanes.failed[lane] == state.failed and lanes.iteration[lane] == state.iteration
        assert lanes.evaluations[lane] == state.evaluations


def test_under_vmap_no_lane_waits_for_the_searches_of_others():
    calls = []

    def counted(x):
        jax.debug.callback(lambda _: calls.append(1), x[0])
        return rosenbrock(x)

    starts = 2.0 * np.random.default_rng(0).normal(size=(6, 10)).astype(np.float32)
    states, traces = jax.jit(jax.vmap(lambda x: Solver(counted, lbfgs()).solve(x, 12)))(starts)
    jax.block_until_ready(states)
    jax.effects_barrier()
    # The program runs as long as the lane with most evaluations, not as all longest searches.
    assert len(calls) == 6 * np.max(states.evaluations)
    searches = np.diff(np.asarray(traces.evaluations), axis=1, prepend=1)
    assert np.sum(np.max(searches, axis=0)) > np.max(states.evaluations)


@every_method
def test_new_values_compile_nothing_anew(method):
    traces = []

    def traced(x, matrix, target):
        traces.append(1)
        return quadratic(x, matrix, target)

    solver, (matrix, target) = Solver(traced, method()), spectrum(10.0, size=5)
    run(solver, np.zeros(5, np.float32), 3, matrix, target)
    before = len(traces)
    state = run(solver, np.ones(5, np.float32), 6, 2 * matrix, -target, split=(3, 1))
    assert len(traces) == before
    sizes = [program._cache_size() for program in (solver.init, solver.advance)]  # pyright: ignore
    assert sizes == [1, 1]
    # Neither does a state that was saved and read back.
    solver.advance(jax.device_get(state), 2, matrix, target)
    assert len(traces) == before


def test_another_learning_rate_is_a_value_in_the_state():
    solver = Solver(rosenbrock, adam(0.01))
    state = solver.init(np.zeros(4, np.float32))
    (moments, rate), grad = state.inner
    faster = state._replace(inner=((moments, 3.0 * rate), grad))
    before = np.asarray(state.params)
    # The first step of Adam is the learning rate in each coordinate.
    moved, _ = solver.advance(faster, 1)
    np.testing.assert_allclose(np.abs(moved.params - before)[:3], 0.03, rtol=1e-4)


@pytest.mark.parametrize("method, expected", [(lbfgs, 1), (adam, 1), (optax_lbfgs, 3)])
def test_copies_of_the_function_in_the_whole_program(method, expected):
    fun = lambda x: (jnp.sum(jnp.square(jax.lax.erf_inv(x))), {})
    programs = Solver(fun, method()).lower(np.full(3, 0.5, np.float32))
    copies = [lowered.as_text().count("chlo.erf_inv ") for lowered in programs]
    assert copies == [0, expected]


def lbfgs_states(fun, start, steps, history_size=10):
    """The states of a solve from the evaluated start on, one for each iteration."""
    solver, states = compiled(fun, lbfgs, history_size), []
    state, _ = solver.advance(solver.init(start), 0)
    for _ in range(steps):
        states.append(jax.device_get(state))
        state, _ = solver.advance(state, 1)
    return [*states, jax.device_get(state)]


def test_every_pair_in_use_has_positive_curvature():
    pairs = 0
    for seed in range(5):
        start = 4.0 * np.random.default_rng(seed).normal(size=30).astype(np.float32)
        for state in lbfgs_states(hills, start, 30)[1:]:
            inner = state.inner.jaxopt
            used = inner.rho_history != 0.0
            curvature = np.einsum("ij,ij->i", inner.s_history, inner.y_history, dtype=np.float64)
            assert np.all(curvature[used] > 0.0)
            np.testing.assert_allclose(inner.rho_history[used], 1 / curvature[used], rtol=1e-3)
            pairs += np.sum(used)
    assert pairs > 500


@pytest.mark.parametrize("steps", [1, 3, 4, 9])
def test_the_two_loop_product_is_the_dense_bfgs_recursion(steps):
    size, history_size = 6, 4
    states = lbfgs_states(rosenbrock, np.linspace(-1, 2, size, dtype=np.float32), steps, 4)
    inner = states[-1].inner.jaxopt
    # Nocedal and Wright, equation 6.17, over the last pairs, oldest first, from gamma I (7.20).
    grads = [state.inner.jaxopt.grad.astype(np.float64) for state in states]
    moves = [new.params.astype(np.float64) - old.params for old, new in pairwise(states)]
    turns = [new - old for old, new in pairwise(grads)]
    pairs = list(zip(moves, turns, strict=True))[-history_size:]
    s, y = pairs[-1]
    inverse = (s @ y) / (y @ y) * np.eye(size)
    for s, y in pairs:
        rho = 1.0 / (y @ s)
        left = np.eye(size) - rho * np.outer(s, y)
        inverse = left @ inverse @ left.T + rho * np.outer(s, s)
    vector = np.random.default_rng(0).normal(size=size).astype(np.float32)
    inner = jax.tree.map(jnp.asarray, inner)
    product = inv_hessian_product(
        vector,
        inner.s_history,
        inner.y_history,
        inner.rho_history,
        inner.gamma,
        inner.iter_num % history_size,
    )
    expected = inverse @ vector
    np.testing.assert_allclose(product, expected, atol=2e-3 * np.abs(expected).max())


@every_lbfgs
def test_backs_off_from_a_region_that_is_not_finite(method):
    weights, seen = floats(1.0, 3.0, 9.0), []

    def fenced(x):
        """A slope up to a fence: -w x - log(1 - x) / 10, not a number from 1 on."""
        value = -jnp.sum(weights * x + 0.1 * jnp.log(1.0 - x))
        jax.debug.callback(lambda value: seen.append(float(value)), value)
        return value, {"x": x}

    solver = Solver(fenced, method())
    state, values = solver.init(np.full(3, 0.5, np.float32)), []
    for _ in range(15):
        state, _ = solver.advance(state, 1)
        values.append(float(state.value))
        assert np.all(np.isfinite(state.params)) and np.isfinite(state.gradient_norm)
    jax.effects_barrier()
    assert not np.all(np.isfinite(np.asarray(seen)))
    assert all(new <= old + 1e-5 for old, new in pairwise(values))
    # The derivative is 0 where 1 - x = 0.1 / w.
    np.testing.assert_allclose(state.params, 1.0 - 0.1 / weights, atol=1e-3)


def root(x):
    return jnp.sum(jnp.sqrt(x)), {"x": x}


def test_adam_ends_at_the_last_good_point():
    solver, start = Solver(root, adam(0.4)), floats(1.0, 2.0)
    state, trace = solver.advance(solver.init(start), 16)
    # 1, 0.6, 0.2, and then a number below 0.
    assert state.failed and state.iteration == 2 and state.evaluations == 4
    np.testing.assert_allclose(state.params, [0.2, 1.2], atol=0.02)
    np.testing.assert_allclose(state.value, np.sum(np.sqrt(state.params)), rtol=1e-6)
    assert np.array_equal(state.aux["x"], state.params)
    assert state.value == trace.value[1]


@every_method
@pytest.mark.parametrize("start", [-1.0, np.nan, np.inf])
def test_a_start_that_is_not_finite_takes_no_step(method, start):
    solver = compiled(root, method)
    params = floats(4.0, start)
    state = solver.init(params)
    for steps in (0, 5):
        state, _ = solver.advance(state, steps)
        assert state.failed and state.iteration == 0 and state.evaluations == 1
        assert not state.converged and np.isposinf(state.value)
        assert np.array_equal(state.params, params, equal_nan=True)


@every_method
def test_a_start_at_the_minimum_ends_there(method):
    start = np.ones(10, np.float32)
    state = run(compiled(rosenbrock, method), start, 5)
    assert state.converged and not state.failed
    assert state.iteration == 0 and state.evaluations == 1 and state.value == 0.0
    assert np.array_equal(state.params, start)


def test_a_step_to_where_nothing_slopes_ends_the_solve():
    fun = lambda x: (jnp.sum(jnp.square(jax.nn.relu(x))), {"x": x})
    state = run(Solver(fun, lbfgs()), floats(0.3, 0.2), 5)
    assert state.converged and state.iteration == 1 and state.evaluations == 2
    assert state.value == state.gradient_norm == 0.0


def first_trial(scale, **settings):
    """The first trial on a quadratic, at `scale` times (3, 4): at 1 the value is half of 5^2."""
    solver = Solver(quadratic, lbfgs(**settings))
    arguments = (np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    state, _ = solver.advance(solver.init(scale * floats(3, 4), *arguments), 0, *arguments)
    return float(state.inner.jaxopt.stepsize)


@pytest.mark.parametrize(
    "lower_bound, step",
    # Where the tangent meets the bound; a length of 1 where that is not ahead, or has no end.
    [(0.0, 0.5), (10.0, 0.1), (-12.5, 1.0), (12.5, 0.2), (20.0, 0.2), (-np.inf, 0.2)],
)
def test_the_first_trial_goes_to_the_lower_bound(lower_bound, step):
    np.testing.assert_allclose(first_trial(1.0, lower_bound=lower_bound), step, rtol=1e-6)


def test_the_first_trial_is_finite_whatever_the_scale():
    np.testing.assert_allclose(first_trial(1.0), 0.2, rtol=1e-6)
    # A million over the square of 5e-18 is more than float32 holds.
    np.testing.assert_allclose(first_trial(1e-18, lower_bound=-1e6), 2e17, rtol=1e-5)


def test_a_bound_far_below_costs_a_few_evaluations():
    matrix, target = spectrum(10.0)
    solver, start = Solver(quadratic, lbfgs(lower_bound=-1e6)), np.zeros(50, np.float32)
    state = run(solver, start, 1, matrix, target)
    assert state.iteration == 1 and 3 <= state.evaluations <= 10
    assert state.value < quadratic(start, matrix, target)[0]


def test_where_there_is_no_minimum_the_best_point_is_kept_and_the_pair_is_not():
    # The further out, the steeper: 20 trials fall, none is flat enough, and s.y < 0.
    solver = Solver(lambda x: (-jnp.sum(jnp.power(x, 1.1)), {"x": x}), lbfgs())
    state, _ = solver.advance(solver.init(floats(1.0, 2.0)), 1)
    assert state.iteration == 1 and state.evaluations == 21
    assert not state.failed and not state.converged
    assert np.all(np.isfinite(state.params)) and state.value < -1e10
    assert np.array_equal(state.aux["x"], state.params)
    inner = state.inner.jaxopt
    assert inner.gamma == 1.0 and np.array_equal(inner.rho_history, np.zeros(10))
    # The next direction is the gradient's, and its first trial is of length 1.
    np.testing.assert_allclose(inner.stepsize * state.gradient_norm, 1.0, rtol=1e-5)


@jax.custom_vjp
def misleading(x):
    return jnp.sum(jnp.array([1.0, 20.0]) * jnp.square(x))


# Where it is below 1, the gradient points the wrong way.
misleading.defvjp(
    lambda x: (misleading(x), x),
    lambda x, g: (jnp.where(misleading(x) < 1.0, -2.0, 2.0) * g * jnp.array([1.0, 20.0]) * x,),
)


@pytest.mark.parametrize("lower_bound", [-np.inf, 0.0])
def test_a_search_that_fails_restarts_and_then_gives_up(lower_bound):
    solver = Solver(lambda x: (misleading(x), {"x": x}), lbfgs(lower_bound=lower_bound))
    state, _ = solver.advance(solver.init(floats(3.0, 4.0)), 0)
    values, pairs = [float(state.value)], [0]
    while not state.converged and state.iteration < 40:
        state, _ = solver.advance(state, 1)
        values.append(float(state.value))
        pairs.append(int(np.sum(state.inner.jaxopt.rho_history != 0.0)))
    assert state.converged and not state.failed and state.iteration == len(values) - 1 < 16
    assert values == sorted(values, reverse=True) and 0.0 < values[-1] < 1.0
    # Going on from a history came to a halt, and so did, thereafter, steepest descent.
    assert max(pairs) > 0 and pairs[-2:] == [0, 0] and values.count(values[-1]) == 3
    assert state.inner.jaxopt.gamma == 1.0
    # All is still that of the best point.
    assert np.array_equal(state.aux["x"], state.params)
    np.testing.assert_allclose(misleading(state.params), values[-1], rtol=1e-6)
    # The first trial after a restart is that of the start.
    length = 1.0 if lower_bound < 0.0 else state.value / state.gradient_norm
    np.testing.assert_allclose(state.inner.jaxopt.stepsize * state.gradient_norm, length, rtol=1e-5)


@pytest.mark.parametrize("method", [lbfgs, adam])
def test_no_step_is_begun_once_the_budget_is_spent(method):
    start = floats(-1.2, 1.0)
    free, limited = Solver(rosenbrock, method()), Solver(rosenbrock, method(), budget=9)
    state, trace = limited.advance(limited.init(start), 16)
    assert state.evaluations == 9 and has_ended(state) and not state.failed and not state.converged
    whole, expected = free.advance(free.init(start), int(state.iteration))
    assert not has_ended(whole)
    rows = slice(int(state.iteration))
    np.testing.assert_array_equal(trace.value[rows], expected.value[rows])
    np.testing.assert_array_equal(state.params, whole.params)
    # Nothing more happens.
    again, _ = limited.advance(state, 16)
    assert again.evaluations == 9


def test_another_budget_leaves_the_compiled_loop_as_it_is():
    texts = {
        Solver(rosenbrock, lbfgs(), budget).lower(floats(-1.2, 1.0))[1].as_text()
        for budget in (5, 500)
    }
    assert len(texts) == 1
