import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylejax.networks.densenet import DenseNet
from stylejax.networks.features import feature_extractor
from stylejax.networks.kernels.convolution import plain_convolution
from stylejax.networks.layers import DENSENET121, VGG19
from stylejax.networks.vgg import Vgg
from stylejax.solvers.solver import Solver

FAST = "__ynn_fusion"


def shape(*sides):
    return jax.ShapeDtypeStruct(sides, jnp.float32)


def slow_convolutions(text):
    """Convolutions in compiled text that stand outside the fusions of the fast kernel library."""
    computations = re.split(r"\n(?=(?:ENTRY )?%\S+ \()", text)
    fused = set(re.findall(rf"calls=(%[^, ]+),.*{FAST}", text))
    slow = 0
    for computation in computations:
        name = computation.removeprefix("ENTRY ").split(" ", 1)[0]
        slow += 0 if name in fused else computation.count(" convolution(")
    return slow


@pytest.fixture(scope="module")
def kernel_library():
    """Skips where this XLA has no fast kernel for even the plainest of convolutions, alone."""
    if jax.default_backend() != "cpu":
        pytest.skip("counts XLA's CPU kernels")
    x, kernel = shape(1, 64, 64, 64), shape(3, 3, 64, 64)
    text = jax.jit(plain_convolution).lower(x, kernel).compile().as_text()
    assert text is not None and text.count(" convolution(") == 1
    if slow_convolutions(text):
        pytest.skip("this XLA has no such kernel library")


@pytest.mark.usefixtures("kernel_library")
@pytest.mark.parametrize(
    ("architecture", "network", "convolutions"),
    # The stem and six dense layers; two convolutions a block.
    [(DENSENET121, DenseNet(("pool2_relu",)), 1 + 6), (VGG19, Vgg(("relu2_2",)), 4)],
    ids=["densenet121", "vgg19"],
)
def test_in_the_solvers_loop_all_convolutions_but_the_stems_gradient_are_fast(
    architecture, network, convolutions
):
    # Full width: the library takes no convolution of the test weights' few channels.
    (layer,) = network.layers
    extract = feature_extractor(architecture, [layer])
    variables = jax.eval_shape(network.init, jax.random.key(0), shape(1, 32, 32, 3))
    variables["preprocessing"] = {"mean": shape(3), "standard_deviation": shape(3)}

    def loss(image, variables):
        return jnp.sum(jnp.square(extract(variables, image)[layer])), None

    solver = Solver(loss)
    state = jax.eval_shape(solver.init, shape(64, 64, 3), variables)
    # All that the solver holds of the network is one copy, in the loop.
    assert "convolution" not in solver.init.lower(shape(64, 64, 3), variables).as_text()
    text = solver.advance.lower(state, np.int32(1), variables).compile().as_text() or ""
    assert text.count(" convolution(") == 2 * convolutions
    assert slow_convolutions(text) <= 1
