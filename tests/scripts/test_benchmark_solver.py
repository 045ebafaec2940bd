"""The solvers that are compared are given the same task; their figures are for docs/solver.md."""

import jax.numpy as jnp
import numpy as np
import pytest
from benchmarks import solver as benchmark_solver

from stylejax.images.samples import sample_picture
from stylejax.solvers.jaxopt_lbfgs import lbfgs
from stylejax.solvers.solver import Solver
from stylejax.transfer.parameterization import image_from_latent, latent_from_image
from stylejax.transfer.problem import Problem

TARGET = np.random.default_rng(0).uniform(0.2, 0.8, (8, 8, 3)).astype(np.float32)


@pytest.fixture
def problem() -> Problem:
    def loss(image):
        errors = (image - TARGET) ** 2
        return jnp.sum(errors), {"loss": jnp.sum(errors)}

    solver = Solver(lambda latent: loss(image_from_latent(jnp.asarray(latent))), lbfgs())
    return Problem(loss, solver, latent_from_image(np.full_like(TARGET, 0.5)), (), 8)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("rival", ["ours", "scipy_lbfgsb", "jaxopt_zoom", "scipy_our_variables"])
def test_each_solver_reports_its_loss_after_every_evaluation(problem, rival):
    losses = benchmark_solver.RIVALS[rival](problem, 8)
    assert len(losses) >= 8
    np.testing.assert_allclose(losses[0], np.sum((0.5 - TARGET) ** 2), rtol=1e-5)
    assert benchmark_solver.lowest(losses)["20"] < losses[0]


def test_the_pairs_are_sample_pictures():
    assert sample_picture("astronaut.jpg") in {
        content for content, _ in benchmark_solver.sample_pairs()
    }
