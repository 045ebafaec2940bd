"""Units of a blend depend on its weights; still they are computed once for many iterations."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from own_networks import smooth_network
from problems import picture

from stylejax import Solver, latent_from_image, latent_objective, make_objective
from stylejax.sweep.lanes import LaneSolver

CONTENT, *STYLES = (picture(40, 36, seed) for seed in range(3))


def loops_inside_loops(program, around=0):
    """The most loops that one loop of a compiled program has in its body.

    Of loops that are inside of at least `around` others.
    """
    name, inside, outside = "", {}, {}
    for line in program.as_text().splitlines():
        if start := re.match(r"(?:ENTRY )?%?([\w.\-]+) .*\{$", line):
            name = start[1]
        body = re.search(r" while\(.*body=%?([\w.\-]+)", line)
        if body is not None:
            outside[body[1]] = name
            inside[name] = inside.get(name, 0) + 1
    depth = lambda body: 1 + depth(outside[body]) if outside[body] in outside else 0
    return max(inside.get(body, 0) for body in outside if depth(body) >= around)


@pytest.mark.parametrize("in_lanes", [False, True])
def test_a_blend_has_no_more_work_in_each_iteration_than_one_style(in_lanes):
    # Its matrix roots are loops, which can be counted; two of them make a unit.
    objective = make_objective(smooth_network(), ["two"], ["two"], style_loss="wasserstein")
    variables, start = smooth_network().variables, latent_from_image(CONTENT)
    solver, found = Solver(latent_objective(objective)), {}
    for count in (1, 2):
        targets = objective.targets(variables, CONTENT, STYLES[:count])
        weights, begin = objective.weights(styles=count), start
        programs = solver
        if in_lanes:
            weights = jax.tree.map(lambda leaf: np.stack([leaf] * 3), weights)
            begin = np.stack([start] * 3)
            programs = LaneSolver(solver, (False, False, True), tuple(jax.devices()[:1]))
        # A CPU goes through the lanes in a loop of its own.
        found[count] = loops_inside_loops(
            programs.compile(begin, variables, targets, weights).advance, around=int(in_lanes)
        )
    assert found[1] == found[2] > 0


def test_the_unit_of_a_blend_is_that_of_its_mixed_moments():
    objective = make_objective(smooth_network(), ["two"], ["one", "two"])
    variables = smooth_network().variables
    targets = objective.targets(variables, CONTENT, STYLES)
    blend = lambda share: jnp.stack([share, 1.0 - share])

    @jax.jit
    def style(share, image):
        weights = objective.weights(style_weight=1.0, styles=2, style_blend=blend(share))
        return objective(image, variables, targets, weights)[1].style

    shares = jnp.array([0.0, 0.3, 1.0])
    # The photograph scores 1 whatever the blend: the unit follows it, in lanes too.
    np.testing.assert_allclose(jax.vmap(style, (0, None))(shares, CONTENT), 1.0, rtol=1e-5)
    # And so does the slope of any other picture's score.
    step, at = 1e-2, jnp.float32(0.3)
    expected = (style(at + step, STYLES[0]) - style(at - step, STYLES[0])) / (2 * step)
    np.testing.assert_allclose(jax.grad(style)(at, STYLES[0]), expected, rtol=1e-2)
