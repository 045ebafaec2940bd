"""Pictures without texture, of one line, or styled by themselves: every loss stays a number."""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from own_networks import smooth_network
from problems import picture

from stylejax.images.masks import Masks
from stylejax.losses._named import FAST, FORMS, PLAIN
from stylejax.losses.objective import make_objective
from stylejax.options import StyleLoss

NETWORK = smooth_network()
TEXTURE = picture(16, 16)
BLACK, RED = np.zeros_like(TEXTURE), np.full((16, 16, 3), (0.78, 0.12, 0.12), np.float32)
PAIRS = {
    "one color as content": (RED, TEXTURE),
    "one color as style": (TEXTURE, RED),
    "one color each": (BLACK, RED),
    "identical": (TEXTURE, TEXTURE),
    "identical, one color": (RED, RED),
    "identical, black": (BLACK, BLACK),
}


def make(style_loss, form="relative", strip_rows=0):
    layers = ["two"], ["one", "two"]
    return make_objective(
        NETWORK, *layers, style_loss=style_loss, loss_form=form, strip_rows=strip_rows
    )


def evaluated(objective, compiled, content, style, masks=None):
    """Value and gradient at the content picture, all finite; returns the terms."""
    content, style = jnp.asarray(content), jnp.asarray(style)
    targets = objective.targets(NETWORK.variables, content, [style], masks)
    (loss, terms), gradient = compiled(content, NETWORK.variables, targets, objective.weights())
    assert np.isfinite(loss) and np.all(np.isfinite(gradient))
    return terms


def compile_gradient(objective):
    return jax.jit(jax.value_and_grad(objective, has_aux=True))


@pytest.mark.parametrize("style_loss", get_args(StyleLoss))
def test_every_style_loss_of_pictures_without_texture(style_loss):
    objective = make(style_loss)
    compiled = compile_gradient(objective)
    for name, pair in PAIRS.items():
        terms = evaluated(objective, compiled, *pair)
        if name.startswith("identical"):
            assert abs(terms.style) < 1e-4, name
        else:
            assert terms.style > 0.1, name
    # White within one line only: all other positions have a weight of 0.
    mask = np.zeros((16, 16), np.float32)
    mask[7] = 1.0
    masks = Masks((mask,), (mask,))
    compiled = compile_gradient(objective)
    for pair in ((TEXTURE, RED), (RED, TEXTURE)):
        evaluated(objective, compiled, *pair, masks)


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"relative"}))
def test_every_form_of_pictures_without_texture(form):
    objective = make("covariance", form)
    compiled = compile_gradient(objective)
    for pair in PAIRS.values():
        evaluated(objective, compiled, *pair)


def test_wasserstein_in_strips_of_pictures_without_texture():
    objective = make("wasserstein", strip_rows=4)
    assert objective.reader.strips.count(48) > 1
    compiled = compile_gradient(objective)
    tall = lambda pixels: np.tile(pixels, (3, 1, 1))
    for name in ("one color as content", "one color as style", "identical, one color"):
        evaluated(objective, compiled, *map(tall, PAIRS[name]))


@pytest.mark.parametrize("size", [(1, 16), (16, 1)])
def test_one_row_and_one_column(size):
    objective = make("wasserstein")
    compiled = compile_gradient(objective)
    for pair in ((picture(*size), TEXTURE), (picture(*size), picture(*size))):
        evaluated(objective, compiled, *pair)


@pytest.mark.parametrize("size", [(1, 7), (7, 1), (1, 1)])
@pytest.mark.parametrize("name", sorted(PLAIN.total_variations))
def test_total_variation_of_one_line_is_that_of_two_alike(name, size):
    line = jnp.asarray(picture(*size))
    doubled = jnp.repeat(jnp.repeat(line, 3 - min(size[0], 2), 0), 3 - min(size[1], 2), 1)
    expected = float(PLAIN.total_variations[name](doubled))
    for forms in (PLAIN, FAST):
        value, gradient = jax.jit(jax.value_and_grad(forms.total_variations[name]))(line)
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-12)
        assert np.all(np.isfinite(gradient)) and np.any(gradient) == (max(size) > 1)
