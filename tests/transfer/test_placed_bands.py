"""Placement on several devices, made of the CPU, in a process of its own."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

CODE = """
    import json, sys

    sys.path.insert(0, "tests")
    import jax, jax.numpy as jnp
    from own_networks import smooth_network
    from problems import picture
    from stylejax.devices.mesh import ROWS_A_DEVICE
    from stylejax.losses.objective import make_objective
    from stylejax.solvers.solver import Solver
    from stylejax.transfer.parameterization import latent_from_image
    from stylejax.transfer.problem import Problem, latent_objective
    from stylejax.transfer.sharding import over_rows

    network = smooth_network()
    objective = make_objective(network, ("two",), ("one", "two"))
    height = 2 * ROWS_A_DEVICE
    content, style, start = (picture(height, 32, seed) for seed in range(3))
    pictures = jnp.asarray(content), [jnp.asarray(style)]
    targets = objective.targets(network.variables, *pictures, placement=True)
    weights = objective.weights(placement_weight=3.0)
    arguments = (network.variables, targets, jax.tree.map(jnp.float32, weights))
    solver = Solver(latent_objective(objective))
    plain = Problem(objective, solver, latent_from_image(start), arguments, height)
    bands = over_rows(plain, jax.devices())
    features = bands.arguments[1].placement.features
    losses = [float(jax.jit(p.solver.fun)(p.start, *p.arguments)[0]) for p in (plain, bands)]
    spread = [str(leaf.sharding.spec) for leaf in features.values()]
    print(json.dumps({"losses": losses, "spread": spread}))
"""


def test_matches_lie_in_bands_and_the_loss_is_that_of_the_whole():
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CODE)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["losses"][1] == pytest.approx(found["losses"][0], rel=1e-5)
    assert len(found["spread"]) == 2 and all("rows" in spec for spec in found["spread"])
