import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import quadratic

from stylejax.options import Options
from stylejax.solvers.solver import Solver
from stylejax.sweep.lanes import LaneSolver, batch_size, lane_weights, program_bytes
from stylejax.transfer.pyramid import pyramid_levels

MATRIX = jnp.diag(jnp.arange(1.0, 7.0))
TARGETS = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)


def test_each_lane_is_solved_as_on_its_own():
    single = Solver(quadratic)
    lanes = LaneSolver(single, (False, True), (jax.devices()[0],))
    starts = np.zeros((3, 6), np.float32)
    programs = lanes.compile(starts, MATRIX, TARGETS)
    first, last = lanes.steps(starts, 4, MATRIX, TARGETS, programs=programs)
    assert first.evaluations.tolist() == [1, 1, 1] and first.taken.tolist() == [0, 0, 0]
    assert last.params().shape == (3, 6) and last.trace.value.shape == (3, 4)
    for lane in range(3):
        *_, alone = single.steps(starts[lane], 4, MATRIX, TARGETS[lane])
        np.testing.assert_allclose(last.params()[lane], alone.params(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(last.trace.value[lane], alone.trace.value, rtol=1e-4)
        assert last.evaluations[lane] == alone.evaluations


def test_lanes_end_one_by_one_and_the_last_one_ends_all():
    # The first lane starts at its minimum, the second has some way to go.
    starts, targets = np.zeros((2, 6), np.float32), np.stack([np.zeros(6), TARGETS[0]])
    lanes = LaneSolver(Solver(quadratic), (False, True), (jax.devices()[0],))
    steps = list(lanes.steps(starts, 5, MATRIX, targets.astype(np.float32), pace=lambda step: 2))
    assert [step.iteration.tolist() for step in steps] == [[0, 0], [0, 2], [0, 4], [0, 5]]
    assert [step.taken.tolist() for step in steps] == [[0, 0], [0, 2], [0, 2], [0, 1]]
    assert steps[-1].converged.tolist()[0] and not steps[-1].failed.any()
    assert [step.done for step in steps] == [False, False, False, True]


def test_weights_are_stacked_leaf_by_leaf():
    options = Options()
    level = pyramid_levels(options, 64, 64)[0]
    weights = lane_weights([options, options, options], level, 2)
    shapes = jax.tree.map(np.shape, weights)
    assert shapes.style_weight == shapes.style == (3,) and shapes.style_blend == (3, 2)
    assert set(shapes.style_layer_weights.values()) == {(3,)}
    assert set(shapes.style_layers.values()) == {(3,)}


def test_the_account_of_a_program_grows_with_its_arrays():
    double = jax.jit(lambda x: jnp.sort(x) * 2)
    small, large = (
        program_bytes(double.lower(np.zeros(size, np.float32)).compile())
        for size in (1000, 100_000)
    )
    assert small >= 8000 and 50 * small < large < 200 * small


@pytest.mark.parametrize(
    ("lanes", "at_once", "devices", "expected"),
    [
        (8, 100, 1, 8),
        (9, 4, 1, 3),  # Three even batches, where 4 + 4 + 1 would pad the last one.
        (7, 4, 1, 4),
        (1, 1, 8, 8),
        (20, 16, 8, 16),
        (5, 1, 2, 2),
        (1000, 7, 1, 7),
    ],
)
def test_batches_are_even_and_fit(lanes, at_once, devices, expected):
    size = batch_size(lanes, at_once, devices)
    assert size == expected
    assert size % devices == 0 and size <= max(at_once, devices)
