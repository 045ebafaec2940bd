import jax
import numpy as np
import pytest
from problems import picture, random_weights

from stylejax import LossOptions, Options, SolverOptions, read_weights
from stylejax.solvers import compile_options as compiling
from stylejax.solvers.compile_options import compiler_options, known_options, picture_positions
from stylejax.transfer.problem import make_problem


@pytest.fixture(autouse=True)
def as_users_have_it():
    """Most tests have their programs compiled without optimizations."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
def test_effort_grows_with_what_a_program_will_do(platform):
    few, *_, many = (compiler_options(platform, 2**power) for power in range(10, 40))
    assert few and many == {}


def test_of_a_device_that_nothing_is_known_of_nothing_is_asked():
    assert compiler_options("tpu", 1) == {}


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
def test_every_option_is_one_that_this_version_knows(platform):
    version = tuple(map(int, jax.__version__.split(".")[:2]))
    for effort in compiling._EFFORTS[platform]:
        known = known_options(effort.options)
        assert known is not None
        # jaxlib 0.7 has another kernel library, and from 0.12 on there are no older emitters.
        missing = effort.options.keys() - known.keys()
        assert missing <= {"xla_cpu_experimental_ynn_fusion_type", "xla_cpu_use_fusion_emitters"}
        assert not (missing and version == (0, 10))


def test_an_option_that_is_unknown_is_left_out():
    options = {"xla_of_another_version": True, "xla_backend_optimization_level": "1"}
    assert known_options(options) == {"xla_backend_optimization_level": "1"}
    assert known_options({"xla_of_another_version": True}) is None
    jax.config.update("jax_disable_most_optimizations", True)
    assert known_options(options) is None


def test_positions_are_those_of_the_largest_picture():
    leaf = lambda *shape: np.zeros(shape, np.float32)
    assert picture_positions({"a": leaf(4, 5, 3), "b": [leaf(7, 2, 3), leaf(9, 9, 8)]}) == 20
    assert picture_positions((leaf(9), leaf(9, 3))) == 0


def test_a_quickly_compiled_solve_has_the_same_loss_and_gradient():
    loss = LossOptions(content_layers=("pool2_relu",))
    options = Options(loss=loss, solve=SolverOptions(levels=1))
    image = picture(48, 40)
    problem = make_problem(read_weights(random_weights()), image, [picture(40, 44)], options, image)
    assert problem.solver.compiler_options
    init, quick = problem.solver.compile(problem.start, *problem.arguments)
    state = lambda: init(problem.start, *problem.arguments)
    slow = problem.solver.advance.lower(state(), np.int32(0), *problem.arguments)
    options = {"xla_cpu_use_fusion_emitters": True, "xla_backend_optimization_level": "3"}
    slow = slow.compile(known_options(options))
    fast_state, slow_state = (
        jax.device_get(program(state(), np.int32(0), *problem.arguments)[0])
        for program in (quick, slow)
    )
    np.testing.assert_allclose(fast_state.value, slow_state.value, rtol=1e-5)
    np.testing.assert_allclose(fast_state.gradient_norm, slow_state.gradient_norm, rtol=1e-3)
