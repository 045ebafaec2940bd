"""One picture spread over several devices along its height, by JAX's SPMD partitioner.

The latent picture and everything of its shape (L-BFGS's history above all) lie on the devices in
bands of rows. The partitioner splits the network likewise: bands exchange a few rows of each
feature map with their neighbors (a halo) at each convolution, and Gram matrices are summed
over the devices. The functions stay as they are; only where their arguments lie is said here.
"""

from collections.abc import Sequence
from dataclasses import replace

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree

from stylejax.devices.memory import Device
from stylejax.devices.mesh import ROWS_A_DEVICE, placed, places_on
from stylejax.losses.weights import LossTerms
from stylejax.transfer.parameterization import Latent, image_from_latent
from stylejax.transfer.problem import Problem
from stylejax.types import Scalar, Variables

_ROWS = "rows"


def spread_variables(variables: Variables, devices: Sequence[Device]) -> Variables:
    """The network's numbers on all devices, for the problems of all levels (`over_rows`)."""
    return placed(variables, places_on(devices, _ROWS)[0])


def over_rows(
    problem: Problem, devices: Sequence[Device], variables: Variables | None = None
) -> Problem:
    """The same problem with its picture in bands of rows over the devices.

    A picture too small for that is solved on the first device, or where there are several processes
    by all of them alike. The latent picture gets rows below it until every device has as many;
    they take no part in the loss. `variables` are the network's, where `spread_variables` has put
    them on the devices already.
    """
    height, count = problem.start.shape[0], len(devices)
    split = height >= count * ROWS_A_DEVICE
    if not split and jax.process_count() == 1:
        return problem
    everywhere, bands = places_on(devices, _ROWS)
    # Bands must be equal.
    below = -height % count if split else 0
    start = np.pad(problem.start, ((0, below), (0, 0), (0, 0)))

    def loss(latent: Latent, *arguments: PyTree) -> tuple[Scalar, LossTerms]:
        # The Fourier transform sees the whole picture, there and back; the network its bands.
        at = jax.lax.with_sharding_constraint
        latent = at(latent[:height], everywhere)
        image = image_from_latent(latent, parameterization=problem.parameterization)
        image = at(image, everywhere)
        return problem.objective(at(image, bands) if split else image, *arguments)

    def of_state(leaf: jax.ShapeDtypeStruct) -> NamedSharding:
        if not split or leaf.shape[-3:] != start.shape:
            return everywhere
        return NamedSharding(bands.mesh, PartitionSpec(*[None] * (leaf.ndim - 3), _ROWS))

    def of_content(leaf: Array) -> NamedSharding:
        return bands if split and leaf.shape[0] % count == 0 else everywhere

    def of_matches(leaf: Array) -> NamedSharding:
        # With a leading axis of paintings.
        return NamedSharding(bands.mesh, PartitionSpec(None, *of_content(leaf[0]).spec))

    network, targets, weights = problem.arguments
    places = jax.tree.map(lambda leaf: everywhere, targets)
    places = places._replace(content=jax.tree.map(of_content, targets.content))
    if targets.placement is not None:
        features = jax.tree.map(of_matches, targets.placement.features)
        places = places._replace(placement=places.placement._replace(features=features))
    arguments = (
        placed(network if variables is None else variables, everywhere),
        placed(targets, places),
        placed(weights, everywhere),
    )
    solver = replace(problem.solver, fun=loss)
    state = jax.eval_shape(solver.init, start, *arguments)
    solver = replace(solver, placement=(jax.tree.map(of_state, state), everywhere))
    start = placed(start, bands if split else everywhere)
    return problem._replace(solver=solver, start=start, arguments=arguments)
