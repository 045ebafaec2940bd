"""The line search: the strong Wolfe conditions, its limits, and what it costs."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import quadratic, rosenbrock

from stylejax.solvers.compile_options import known_options
from stylejax.solvers.line_search import strong_wolfe

C1, C2 = 1e-4, 0.9
STEPS = [1e-6, 1e-3, 0.1, 1.0, 30.0, 1e3, 1e6]
SIZES = [2, 10, 100, 1000]


@pytest.fixture
def float64():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@cache
def searcher(fun):
    """`search(x, d, step, *args)`: `strong_wolfe` for a function, compiled once for each shape."""

    # The older emitters compute a point anew for what is returned beside it, rounded otherwise.
    @partial(jax.jit, compiler_options=known_options({"xla_cpu_use_fusion_emitters": True}))
    def search(x, direction, step, *args):
        value_and_grad = jax.value_and_grad(lambda x: fun(x, *args), has_aux=True)
        (value, aux), grad = value_and_grad(x)
        return strong_wolfe(value_and_grad, x, direction, value, aux, grad, step)

    return search


def diagonal(x, eigenvalues):
    return 0.5 * jnp.sum(eigenvalues * jnp.square(x)), {}


def exact_diagonal(x, eigenvalues):
    """Value and gradient in NumPy."""
    return 0.5 * np.sum(eigenvalues * x**2), eigenvalues * x


def exact_rosenbrock(x):
    """Value and gradient in SciPy."""
    return scipy.optimize.rosen(x), scipy.optimize.rosen_der(x)


def random_start(exact, size, seed, *args):
    """A start, and a direction of descent of length 1 that is not the gradient's."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=size)
    d = -exact(x, *args)[1] * rng.uniform(0.1, 2.0, size)
    return x, d / np.linalg.norm(d)


def assert_strong_wolfe(exact, x, d, found, precision):
    """Equations 3.7 of Nocedal and Wright, in float64 and without JAX."""
    x, d, t = (np.asarray(a, np.float64) for a in (x, d, found.step))
    (value, grad), (new_value, new_grad) = exact(x), exact(x + t * d)
    slope, new_slope = grad @ d, new_grad @ d
    assert not found.failed and t > 0 and slope < 0 and found.evaluations <= 20
    # What rounding the value and x + t d can make of it.
    slack = precision * (abs(value) + np.sum(np.abs(new_grad * (x + t * d))))
    assert new_value <= value + C1 * t * slope + slack
    assert abs(new_slope) <= C2 * abs(slope) + precision * np.sum(np.abs(new_grad * d))
    np.testing.assert_allclose(found.params, x + t * d, rtol=precision, atol=precision)
    np.testing.assert_allclose(found.value, new_value, rtol=precision, atol=slack)


def check_quadratic(size, step, seed, condition, dtype):
    eigenvalues = np.geomspace(1.0, condition, size).astype(dtype)
    x, d = (a.astype(dtype) for a in random_start(exact_diagonal, size, seed, eigenvalues))
    found = searcher(diagonal)(x, d, step, eigenvalues)
    exact = lambda x: exact_diagonal(x, eigenvalues.astype(np.float64))
    assert_strong_wolfe(exact, x, d, found, 100 * float(np.finfo(dtype).eps))


def check_rosenbrock(size, step, seed, dtype):
    x, d = (a.astype(dtype) for a in random_start(exact_rosenbrock, size, seed))
    found = searcher(rosenbrock)(x, d, step)
    assert_strong_wolfe(exact_rosenbrock, x, d, found, 100 * float(np.finfo(dtype).eps))


SEEDS = st.integers(0, 2**31)
CONDITIONS = st.sampled_from([1.0, 10.0, 1e3])


@pytest.mark.usefixtures("float64")
@settings(max_examples=50)
@given(st.sampled_from(SIZES), st.sampled_from(STEPS), SEEDS, CONDITIONS)
def test_strong_wolfe_on_quadratics(size, step, seed, condition):
    check_quadratic(size, step, seed, condition, np.float64)


@pytest.mark.usefixtures("float64")
@settings(max_examples=100)
@given(st.sampled_from(SIZES), st.sampled_from(STEPS), SEEDS)
def test_strong_wolfe_on_rosenbrock(size, step, seed):
    check_rosenbrock(size, step, seed, np.float64)


# What a shorter first step changes, float32 may not see.
STEPS_FLOAT32 = [1e-3, 0.1, 1.0, 30.0, 1e3, 1e6]


@settings(max_examples=50)
@given(st.sampled_from(SIZES), st.sampled_from(STEPS_FLOAT32), SEEDS, CONDITIONS)
def test_strong_wolfe_on_quadratics_in_float32(size, step, seed, condition):
    check_quadratic(size, step, seed, condition, np.float32)


@settings(max_examples=100)
@given(st.sampled_from(SIZES), st.sampled_from(STEPS_FLOAT32), SEEDS)
def test_strong_wolfe_on_rosenbrock_in_float32(size, step, seed):
    check_rosenbrock(size, step, seed, np.float32)


def test_a_step_below_the_precision_does_no_harm():
    x, d = (a.astype(np.float32) for a in random_start(exact_rosenbrock, 1000, 0))
    found = searcher(rosenbrock)(x, d, 1e-9)
    assert found.failed and found.evaluations <= 20
    assert found.value <= rosenbrock(x)[0] * (1 + 1e-6)
    assert np.array_equal(found.params, x + found.step * d)


@pytest.mark.parametrize("step", STEPS)
def test_finds_the_minimum_from_any_first_step(step):
    # phi(t) = (1 - t)^2 / 2: |phi'| <= 0.9 from 0.1 to 1.9.
    x = jnp.array([0.6, 0.8])
    found = searcher(quadratic)(x, -x, step, jnp.eye(2), jnp.zeros(2))
    assert not found.failed and 0.099 < found.step < 1.901
    # At most a factor of 10 each.
    assert found.evaluations <= 2 + abs(np.log10(step))


def barrier(x):
    """-log(1 - x) - 2x, at its least where x = 1/2: infinite at 1, not a number above."""
    return jnp.sum(-jnp.log(1.0 - x) - 2.0 * x), x


def root(x):
    """The square root of a number that is negative beyond 2; its slope is infinite there."""
    return jnp.sum(jnp.sqrt(2.0 - x) + jnp.square(x - 1.0)), x


def overflowing(x):
    return jnp.sum(jnp.exp(jnp.square(x)) - 4.0 * x), x


@pytest.mark.parametrize("fun", [barrier, root, overflowing])
@pytest.mark.parametrize("step", [1.0, 2.0, 10.0, 1e3])
def test_backs_off_from_what_is_not_finite(fun, step):
    x, d = jnp.array([0.0]), jnp.array([1.0])
    assert not np.isfinite(fun(x + max(step, 10.0) * d)[0])
    found = searcher(fun)(x, d, step)
    assert not found.failed and 0.0 < found.step < min(step, 2.0) + 1e-6
    value, slope = jax.value_and_grad(lambda t: fun(x + t * d)[0])(found.step)
    start, start_slope = jax.value_and_grad(lambda t: fun(x + t * d)[0])(0.0)
    assert value <= start + C1 * found.step * start_slope
    assert abs(slope) <= C2 * abs(start_slope)


def along(phi):
    """`search(step, most)` on a function of the step length alone; aux is the step."""
    value_and_grad = jax.value_and_grad(lambda t: (phi(t), t), has_aux=True)
    zero, one = jnp.float32(0.0), jnp.float32(1.0)
    (value, aux), grad = value_and_grad(zero)

    def search(step, most=20):
        step = jnp.float32(step)
        return strong_wolfe(value_and_grad, zero, one, value, aux, grad, step, max_evaluations=most)

    return search


def test_a_flat_point_that_is_hardly_lower_is_not_enough():
    # phi'(0) = -1, phi(1) = -c1 / 2, phi'(1) = 0.
    phi = lambda t: -t + (2.0 - 1.5 * C1) * t**2 - (1.0 - C1) * t**3
    assert -C1 < phi(1.0) < 0.0 and abs(jax.grad(phi)(1.0)) < 1e-3
    found = along(phi)(1.0)
    assert not found.failed and 0.0 < found.step < 0.9
    assert found.value <= -C1 * found.step


def test_trials_may_fall_beyond_the_minimum_again_and_again():
    # Down by 10 near 0.1, then up as steeply as it began to fall: far ahead all seems alike.
    phi = lambda t: (
        t - 2.0 * t * jnp.exp(-((t / 0.05) ** 2)) - 10.0 * jax.nn.sigmoid(200.0 * (t - 0.1))
    )
    found = along(phi)(8.0)
    assert not found.failed and 0.05 < found.step < 0.2
    assert found.evaluations >= 3 and found.value < -9.0


def test_where_it_gives_up_everything_belongs_to_the_best_point():
    # Lower at 1, but as steep as at the start; the second trial, further back, is higher.
    phi = lambda t: -t + 0.02 * jnp.exp(100.0 * (t - 1.0))
    found = along(phi)(1.0, most=2)
    assert found.failed and found.evaluations == 2
    assert found.step == found.params == found.aux == 1.0
    np.testing.assert_allclose(found.value, -0.98, rtol=1e-5)
    np.testing.assert_allclose(found.grad, 1.0, rtol=1e-5)


@pytest.mark.parametrize("direction", [[1.0, 1.0], [0.0, 0.0], [1.0, -1.0]])
def test_a_direction_that_does_not_fall_costs_nothing(direction):
    x, d = jnp.array([3.0, 3.0]), jnp.array(direction)
    found = searcher(quadratic)(x, d, 1.0, jnp.eye(2), jnp.zeros(2))
    assert found.failed and found.step == 0.0 and found.evaluations == 0
    assert np.array_equal(found.params, x) and found.value == 9.0
    assert np.array_equal(found.grad, [3.0, 3.0])
    assert np.array_equal(found.aux["residual"], [3.0, 3.0])


@pytest.mark.parametrize("worst", [np.nan, np.inf, -np.inf])
def test_a_direction_that_overflowed_leaves_the_start(worst):
    x = jnp.array([3.0, 3.0])
    found = searcher(rosenbrock)(x, jnp.array([-1.0, worst]), 1.0)
    assert found.failed and found.step == 0.0
    assert np.array_equal(found.params, x)
    assert found.value == rosenbrock(x)[0]


def test_a_function_without_a_minimum_ends_at_the_best_point():
    x, d = jnp.array([1.0, -2.0]), jnp.array([-1.0, 0.0])
    found = searcher(lambda x: (jnp.sum(x), x))(x, d, 1.0)
    # No step makes the slope smaller: the 20 evaluations of the default go by, each further out.
    assert found.failed and found.evaluations == 20
    np.testing.assert_allclose(found.step, 1e19, rtol=1e-5)
    assert found.value <= -1.0 - C1 * found.step
    np.testing.assert_allclose(found.value, -found.step, rtol=1e-5)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_evaluations_are_limited(most):
    found = along(lambda t: jnp.square(1.0 - t))(1e10, most)
    assert found.failed and found.evaluations == most and found.step == 0.0


def test_without_enough_evaluations_the_best_decrease_is_kept():
    found = along(lambda t: jnp.square(1.0 - t))(1e-6, most=3)
    # Twice at most ten times as far.
    assert found.failed and 1e-6 < found.step <= 1.01e-4
    assert found.value < 1.0


def with_aux(x):
    return rosenbrock(x)[0], {"twice": 2.0 * x}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("step", [1e-4, 1.0, 1e4])
def test_value_aux_and_grad_belong_to_the_params(size, step):
    x, d = random_start(exact_rosenbrock, size, seed=size)
    found = searcher(with_aux)(x, d, step)
    (value, aux), grad = jax.jit(jax.value_and_grad(with_aux, has_aux=True))(found.params)
    assert found.step > 0
    np.testing.assert_allclose(found.value, value, rtol=1e-5)
    np.testing.assert_allclose(found.grad, grad, rtol=1e-4, atol=1e-4 * np.abs(grad).max())
    np.testing.assert_allclose(found.aux["twice"], aux["twice"], rtol=1e-6)


def test_params_may_be_any_pytree():
    both = lambda tree: jnp.concatenate([tree["a"].ravel(), tree["b"]])
    x, d = (jnp.asarray(a, jnp.float32) for a in random_start(exact_rosenbrock, 10, seed=0))
    split = lambda flat: {"a": flat[:6].reshape(2, 3), "b": flat[6:]}
    found = searcher(lambda tree: rosenbrock(both(tree)))(split(x), split(d), 1.0)
    flat = searcher(rosenbrock)(x, d, 1.0)
    np.testing.assert_allclose(found.step, flat.step, rtol=1e-5)
    np.testing.assert_allclose(both(found.params), flat.params, rtol=1e-5)


def test_each_lane_of_vmap_finds_what_it_finds_alone():
    starts = [random_start(exact_rosenbrock, 10, seed) for seed in range(8)]
    x, d = (jnp.asarray(column, jnp.float32) for column in zip(*starts, strict=True))
    steps = jnp.geomspace(1e-5, 1e5, 8)
    search = searcher(rosenbrock)
    lanes = jax.vmap(search)(x, d, steps)
    assert len(set(lanes.evaluations.tolist())) > 3
    for lane in range(8):
        alone = search(x[lane], d[lane], steps[lane])
        found = jax.tree.map(lambda leaf, lane=lane: leaf[lane], lanes)
        assert found.evaluations == alone.evaluations and found.failed == alone.failed
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_evaluates_no_more_than_scipy():
    ours, theirs = [], []
    for seed in range(40):
        x, d = random_start(exact_rosenbrock, 10, seed)
        # SciPy's search starts at 1; lengths of the direction from 1e-4 to 1e2 stand for others.
        d = d * 10.0 ** (-4 + 6 * seed / 39)
        ours.append(int(searcher(rosenbrock)(x, d, 1.0).evaluations))
        step, evaluations, *_ = scipy.optimize.line_search(
            scipy.optimize.rosen, scipy.optimize.rosen_der, x, d, c1=C1, c2=C2, maxiter=50
        )
        assert step is not None
        theirs.append(evaluations - 1)  # It evaluates the start again.
    assert np.mean(ours) <= np.mean(theirs), (np.mean(ours), np.mean(theirs))


def test_holds_a_single_copy_of_the_function():
    fun = lambda x: (jnp.sum(jnp.square(jax.lax.erf_inv(x))), {})
    value_and_grad = jax.value_and_grad(fun, has_aux=True)
    x = jnp.full(3, 0.5)
    assert str(jax.make_jaxpr(value_and_grad)(x)).count("erf_inv") == 1

    def search(x, value, grad):
        return strong_wolfe(value_and_grad, x, -grad, value, {}, grad, jnp.float32(1.0))

    jaxpr = str(jax.make_jaxpr(search)(x, jnp.float32(1.0), x))
    assert jaxpr.count("erf_inv") == jaxpr.count("while[") == 1
