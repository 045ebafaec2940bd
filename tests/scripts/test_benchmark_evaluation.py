"""What is compared with PyTorch computes the same; its figures are for docs/speed.md."""

import jax
import numpy as np
import pytest
from problems import picture

from stylejax.options import LossOptions, Options, SolverOptions
from stylejax.transfer.parameterization import latent_from_image
from stylejax.transfer.problem import make_problem
from stylejax.weights.read import read_weights


@pytest.mark.parametrize("parameterization", ["fourier", "pixel"])
def test_the_torch_program_has_our_loss_and_gradient(parameterization):
    torch = pytest.importorskip("torch")
    from benchmarks import torch_transfer

    content, style, start = picture(45, 64), picture(64, 56, seed=3), picture(45, 64, seed=7)
    solve = SolverOptions(parameterization=parameterization)
    options = Options(loss=LossOptions(placement=0.0), solve=solve)
    problem = make_problem(read_weights(), content, [style], options, start)
    evaluate = jax.jit(jax.value_and_grad(problem.solver.fun, has_aux=True))
    (want, _), expected = evaluate(problem.start, *problem.arguments)

    kernels = torch_transfer.read_kernels(None)
    loss = torch_transfer.make_loss(kernels, content, style, parameterization)
    latent = latent_from_image(start, parameterization=parameterization)
    got, gradient = torch_transfer.value_and_gradient(loss, latent)
    assert torch.is_tensor(kernels["conv0.weight"])
    np.testing.assert_allclose(got, want, rtol=1e-4)
    assert np.linalg.norm(gradient - expected) < 1e-2 * np.linalg.norm(expected)

    _, losses = torch_transfer.solve(loss, latent, 4)
    assert losses[0] == pytest.approx(got, rel=1e-5)
    assert losses[-1] < losses[0]
