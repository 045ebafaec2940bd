"""The pytree of weights: its fields, their former names, and what JAX makes of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylejax import LossWeights

WEIGHTS = LossWeights(
    content_weight=1.0,
    style_weight=2.0,
    tv_weight=3.0,
    content_layer_weights={"a": 4.0},
    style_layer_weights={"b": 5.0, "c": 6.0},
    style_blend=jnp.array([0.25, 0.75]),
    term_weights={"edges": 7.0},
)

FORMER = {
    "content": "content_weight",
    "style": "style_weight",
    "total_variation": "tv_weight",
    "content_layers": "content_layer_weights",
    "style_layers": "style_layer_weights",
}


def test_it_stays_a_tuple_of_its_own_kind_under_jax():
    doubled = jax.tree.map(lambda leaf: 2 * leaf, WEIGHTS)
    assert type(doubled) is LossWeights and doubled.style_layer_weights == {"b": 10.0, "c": 12.0}
    leaves, structure = jax.tree.flatten(WEIGHTS)
    assert len(leaves) == 8 and type(jax.tree.unflatten(structure, leaves)) is LossWeights
    assert type(jax.jit(lambda weights: weights)(WEIGHTS)) is LossWeights
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(WEIGHTS)]
    assert ".tv_weight" in paths and ".term_weights['edges']" in paths


@pytest.mark.parametrize("former", FORMER)
def test_former_names_read_and_replace(former):
    name = FORMER[former]
    assert getattr(WEIGHTS, former) is getattr(WEIGHTS, name)
    replaced = WEIGHTS._replace(**{former: 9.0})
    assert type(replaced) is LossWeights and getattr(replaced, name) == 9.0
    assert replaced._replace(**{name: getattr(WEIGHTS, name)})[:5] == WEIGHTS[:5]


@pytest.mark.parametrize("leaf", [None, 0, (2, 3), "a name", jax.ShapeDtypeStruct((2,), "float32")])
@pytest.mark.parametrize("former", FORMER)
def test_former_names_read_what_is_no_number(former, leaf):
    """Axes for `vmap`, shapes, the names of leaves: JAX puts all of them into the pytree."""
    put = jax.tree.map(lambda _: leaf, WEIGHTS)
    assert getattr(put, former) is getattr(put, FORMER[former])


def test_former_names_say_which_axis_vmap_maps():
    lanes = jax.tree.map(lambda _: None, WEIGHTS)._replace(style=0)
    assert lanes.style == 0 and set(lanes.style_layers.values()) == {None}
    doubled = jax.vmap(lambda weights: 2.0 * weights.style, in_axes=(lanes,))
    swept = WEIGHTS._replace(style=jnp.arange(3.0))
    np.testing.assert_array_equal(doubled(swept), [0.0, 2.0, 4.0])


def test_other_names_are_refused():
    with pytest.raises((TypeError, ValueError), match="styles"):
        WEIGHTS._replace(styles=1.0)


def test_vmap_over_one_weight_and_over_that_of_a_term():
    total = lambda weights: weights.style_weight * weights.term_weights["edges"]
    lanes = jax.tree.map(lambda leaf: None, WEIGHTS)
    for change in ({"style": 0}, {"term_weights": {"edges": 0}}):
        values = {"style": jnp.arange(3.0), "term_weights": {"edges": jnp.arange(3.0)}}
        swept = WEIGHTS._replace(**{name: values[name] for name in change})
        found = jax.vmap(total, in_axes=(lanes._replace(**change),))(swept)
        other = 7.0 if "style" in change else 2.0
        np.testing.assert_array_equal(found, other * np.arange(3.0))


def test_its_derivative_has_its_fields():
    slope = jax.grad(lambda weights: weights.style**2 + weights.style_layers["c"])(WEIGHTS)
    assert slope.style_weight == slope.style == 4.0 and slope.style_layers["c"] == 1.0
