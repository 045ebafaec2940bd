"""Placement in the objective: the term by hand, and all that it has to go together with."""

from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from own_networks import smooth_network
from problems import picture, write_vgg

from stylejax.images.masks import Masks
from stylejax.losses.energy import energy_distance, placed_energy
from stylejax.losses.matching import nearest_positions, position_keys
from stylejax.losses.objective import make_objective
from stylejax.losses.placement import matched_layers
from stylejax.losses.weights import LossWeights
from stylejax.networks.layers import Layer
from stylejax.options import LossOptions
from stylejax.transfer.presets import network_options
from stylejax.weights.read import read_weights

LAYERS = (("two",), ("one", "two"))
# Of one size, so that little is compiled.
CONTENT, STYLE, OTHER = (jnp.asarray(picture(40, 28, seed)) for seed in range(3))
IMAGE = jnp.asarray(picture(40, 28, 3))
PLACED: dict[str, Any] = {"placement_weight": 3.0, "energy_weight": 2.0}


@cache
def objective(strip_rows=0):
    return make_objective(network(), *LAYERS, strip_rows=strip_rows)


@cache
def network():
    return smooth_network()


@cache
def loss(strip_rows=0):
    return jax.jit(jax.value_and_grad(objective(strip_rows), has_aux=True))


def targets(*styles, masks=None, strip_rows=0, placement=True, keep=None):
    variables = network().variables
    return objective(strip_rows).targets(
        variables, CONTENT, styles, masks, placement=placement, keep=keep
    )


def placed(targets):
    assert targets.placement is not None
    return targets.placement


def evaluated(targets, blend=(1.0,), strip_rows=0, /, **weights):
    given = objective().weights(styles=len(blend), style_blend=jnp.float32(blend), **weights)
    return loss(strip_rows)(IMAGE, network().variables, targets, given)


def assert_same(one, other):
    for got, want in zip(*map(jax.tree.leaves, (one, other)), strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5)


@cache
def extract():
    return jax.jit(objective().reader.extract)


def features(image):
    return extract()(network().variables, image)


def test_the_term_is_1_less_the_cosine_with_each_positions_match():
    maps = [features(each) for each in (CONTENT, STYLE, IMAGE)]
    keys = [position_keys([each["one"], each["two"]]) for each in maps[:2]]
    match = nearest_positions(*(each.reshape(-1, each.shape[-1]) for each in keys)).nearest
    theirs, ours = (np.asarray(maps[n]["one"]).reshape(-1, 5) for n in (1, 2))
    mean = theirs.mean(axis=0)
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)
    cosines = np.sum(unit(theirs[match] - mean) * unit(ours - mean), axis=-1)
    found = targets(STYLE)
    np.testing.assert_allclose(
        placed(found).features["one"][0].reshape(-1, 5), theirs[match], rtol=1e-5
    )
    # The coarser layer's half of the term is taken out by asking for the finer one alone.
    alone = placed(found)._replace(features={"one": placed(found).features["one"]})
    (_, terms), _ = evaluated(found._replace(placement=alone), placement_weight=2.0)
    np.testing.assert_allclose(terms.terms["matched"], 2.0 * np.mean(1 - cosines), rtol=1e-3)


def test_local_energies_are_to_be_the_paintings_in_the_photographs_order():
    found = targets(STYLE)
    _, height, width = placed(found).energy.shape
    grid = (height, width)
    asked, floor = placed_energy(CONTENT, STYLE, grid, grid)
    np.testing.assert_allclose(placed(found).energy[0], asked, rtol=1e-4)
    (_, terms), _ = evaluated(found, energy_weight=2.0)
    expected = 2.0 * energy_distance(IMAGE, asked, floor, jnp.ones(grid))
    np.testing.assert_allclose(terms.terms["local_energy"], expected, rtol=1e-4)
    assert "matched" not in terms.terms


def test_of_two_paintings_each_position_is_as_busy_as_that_of_its_match_asks():
    found = targets(STYLE, OTHER)
    best = np.argmax(placed(found).similarity["one"], axis=0)
    asked = np.take_along_axis(np.asarray(placed(found).energy), best[None], axis=0)[0]
    assert 0.1 < best.mean() < 0.9
    (_, terms), _ = evaluated(found, (0.5, 0.5), energy_weight=2.0)
    floor = jnp.mean(placed(found).floor)
    expected = 2.0 * energy_distance(IMAGE, jnp.asarray(asked), floor, jnp.ones(asked.shape))
    np.testing.assert_allclose(terms.terms["local_energy"], expected, rtol=1e-4)


@pytest.mark.parametrize("weights", [{}, dict.fromkeys(PLACED, 0.0)], ids=["none", "zero"])
def test_without_weights_it_is_the_method_without(weights):
    (value, _), gradient = evaluated(targets(STYLE), **weights)
    (without, terms), slope = evaluated(targets(STYLE, placement=False))
    assert not terms.terms
    assert_same((value, gradient), (without, slope))


def test_strips_are_exact():
    left, keep = np.zeros((2, 40, 28), np.float32)
    left[:, :14] = 1.0
    keep[:20] = 1.0
    blend, masks = (0.5, 0.5), Masks((left, 1.0 - left), ())
    cut, whole = (targets(STYLE, OTHER, masks=masks, keep=keep, strip_rows=rows) for rows in (8, 0))
    assert objective(8).reader.strips.count(40) > 2
    assert_same(cut, whole)
    results = [
        evaluated(each, blend, rows, keep_weight=5.0, **PLACED)
        for each, rows in ((cut, 8), (whole, 0))
    ]
    assert_same(*results)


def test_a_blend_of_one_painting_is_that_painting():
    both = targets(STYLE, OTHER)
    for blend, style in (((1.0, 0.0), STYLE), ((0.0, 1.0), OTHER)):
        (value, _), gradient = evaluated(both, blend, **PLACED)
        (alone, _), slope = evaluated(targets(style), **PLACED)
        assert_same((value, gradient), (alone, slope))


def test_each_region_has_matches_of_its_own_painting():
    left = np.zeros((40, 28), np.float32)
    left[:, :14] = 1.0
    black = np.zeros((40, 28), np.float32)
    black[:20] = 1.0
    masks = Masks((left, 1.0 - left), (black, np.ones((40, 28), np.float32)))
    found = placed(targets(STYLE, OTHER, masks=masks))
    # The first painting's lower half is not to be matched.
    lower = np.asarray(features(STYLE)["one"])[11:].reshape(-1, 5)
    matched = np.asarray(found.features["one"][0]).reshape(-1, 5)
    assert np.abs(matched[:, None] - lower[None]).max(axis=-1).min() > 1e-4
    (value, terms), gradient = evaluated(
        targets(STYLE, OTHER, masks=masks), (0.5, 0.5), placement_weight=1.0, energy_weight=1.0
    )
    assert 0.0 < terms.terms["matched"] < 2.0 and np.isfinite(gradient).all()
    # Positions of the right half are not the first painting's.
    changed = found._replace(energy=found.energy.at[0, :, 8:].set(9.0))
    both = targets(STYLE, OTHER, masks=masks)
    (_, same), _ = evaluated(
        both._replace(placement=changed), (0.5, 0.5), placement_weight=1.0, energy_weight=1.0
    )
    np.testing.assert_allclose(same.terms["local_energy"], terms.terms["local_energy"], rtol=1e-5)


def test_all_weights_are_lanes():
    found, plain = targets(STYLE), objective().weights(**PLACED)
    lanes = {name: jnp.float32([0.0, 0.3, 1.0]) for name in PLACED}
    axes = jax.tree.map(lambda _: None, plain)._replace(**dict.fromkeys(PLACED, 0))
    of = lambda weights: objective()(IMAGE, network().variables, found, weights)[0]
    values = jax.jit(jax.vmap(of, in_axes=(axes,)))(plain._replace(**lanes))
    for lane, value in enumerate(values):
        alone = evaluated(found, **{name: each[lane] for name, each in lanes.items()})
        np.testing.assert_allclose(value, alone[0][0], rtol=1e-4)


def test_what_is_kept_counts_more_there_and_nowhere_else():
    keep = np.zeros((40, 28), np.float32)
    keep[:16] = 1.0
    squares = np.square(np.asarray(features(IMAGE)["two"] - features(CONTENT)["two"])).sum(axis=-1)
    found = targets(STYLE, placement=False, keep=keep)
    assert found.keep is not None
    mask = np.asarray(found.keep["two"])[..., 0]
    assert mask.min() == 0.0 and mask.max() == 1.0
    (_, plain), _ = evaluated(targets(STYLE, placement=False))
    (_, kept), _ = evaluated(found, keep_weight=5.0)
    more = np.sum((1.0 + 4.0 * mask) * squares) / np.sum(squares)
    np.testing.assert_allclose(kept.content / plain.content, more, rtol=1e-3)
    (_, alike), _ = evaluated(found, keep_weight=1.0)
    np.testing.assert_allclose(alike.content, plain.content, rtol=1e-5)


@pytest.mark.parametrize(
    ("strides", "matched"),
    [
        ({"input": 1, "a": 2, "b": 4, "c": 8}, ("b", "c")),
        ({"a": 1, "b": 2, "c": 4, "d": 8, "e": 16}, ("c", "d")),
        ({"input": 1, "a": 2}, ("a",)),
        ({"input": 1}, ("input",)),
        ({"d": 16, "e": 32}, ("d", "e")),
    ],
)
def test_which_layers_are_matched(strides, matched):
    table = {name: Layer(3, stride, 2 * stride) for name, stride in strides.items()}
    assert matched_layers(table) == matched


def test_a_vgg_is_matched_at_the_first_layers_of_its_third_and_fourth_block(tmp_path):
    vgg = read_weights(write_vgg(tmp_path / "vgg.safetensors"))
    layers = network_options("vgg19").loss
    made = make_objective(vgg, layers.content_layers, layers.style_layers)
    pictures = picture(64, 48), [picture(64, 64, 1)]
    found = placed(made.targets(vgg.variables, *pictures, placement=True))
    sizes = {name: each.shape[:3] for name, each in found.features.items()}
    assert sizes == {"relu3_1": (1, 16, 12), "relu4_1": (1, 8, 6)}
    for each in found.similarity.values():
        assert -1.0 <= np.min(each) < np.max(each) <= 1.0 + 1e-5


def test_weights_follow_the_option_and_without_content_there_are_no_places():
    plain = LossOptions(placement=0.0)
    placed_half, texture = replace(plain, placement=0.5), replace(plain, content_weight=0.0)
    of = lambda options: LossWeights.from_options(options, 1)
    names = ("style_weight", "placement_weight", "energy_weight")
    numbers = lambda weights: [float(getattr(weights, name)) for name in names]
    assert numbers(of(plain)) == numbers(of(texture)) == [20.0, 0.0, 0.0]
    assert numbers(of(placed_half)) == pytest.approx([15.0, 3.0, 0.4])
    assert numbers(of(replace(texture, placement=0.5))) == [20.0, 0.0, 0.0]
