"""Losses, terms and networks of one's own in the objective, and names at its border."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from own_networks import smooth_network
from problems import picture

from stylejax import Form, InputError, LossWeights, Term, make_objective
from stylejax.losses._reader import Reader
from stylejax.losses.content import content_loss
from stylejax.losses.moments import gram_loss
from stylejax.losses.variation import total_variation
from stylejax.options import LossOptions

LAYERS = (("two",), ("one", "two"))
CONTENT, STYLE, OTHER = (jnp.asarray(picture(40, 36, seed)) for seed in range(3))
IMAGE = jnp.asarray(picture(40, 36, 3))


@cache
def network():
    return smooth_network()


def evaluated(styles=(STYLE,), weights=None, image=IMAGE, **options):
    """The loss of an objective of the small network, its terms, and the gradient."""
    objective = make_objective(network(), *LAYERS, **options)
    targets = objective.targets(network().variables, CONTENT, styles)
    weights = objective.weights(styles=len(styles), **(weights or {}))
    evaluate = jax.jit(jax.value_and_grad(objective, has_aux=True))
    (value, terms), gradient = evaluate(image, network().variables, targets, weights)
    return value, terms, gradient


@cache
def extract():
    return jax.jit(make_objective(network(), *LAYERS).reader.extract)


def features(image):
    return extract()(network().variables, image)


@pytest.mark.parametrize(
    "given, named",
    [
        ({"style_loss": gram_loss}, {"style_loss": "gram"}),
        ({"style_loss": lambda *pair: (gram_loss(*pair),)}, {"style_loss": "gram"}),
        ({"tv_form": total_variation}, {"tv_form": "plain"}),
        ({"content_loss": lambda *pair: content_loss(*pair)}, {}),
    ],
)
def test_a_function_is_as_good_as_its_name(given, named):
    assert_same(evaluated(**given, kernels="plain"), evaluated(**named, kernels="plain"))


def assert_same(found, expected, rtol=1e-6):
    for got, want in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-6)


def test_a_style_loss_of_ones_own_in_units_of_the_content_s():
    means = lambda moments, target: jnp.sum(jnp.abs(moments.mean - target.mean))
    _, terms, _ = evaluated(style_loss=means, weights={"style_weight": 4.0})
    ours, content, style = (
        {name: np.asarray(x, np.float64).mean((0, 1)) for name, x in features(image).items()}
        for image in (IMAGE, CONTENT, STYLE)
    )
    for name in LAYERS[1]:
        share = np.abs(ours[name] - style[name]).sum() / np.abs(content[name] - style[name]).sum()
        np.testing.assert_allclose(terms.style_layers[name], 4.0 / 2 * share, rtol=1e-4)


def test_a_content_loss_of_ones_own_in_units_of_its_spread():
    absolute = lambda ours, target: jnp.sum(jnp.abs(ours - target))
    _, terms, _ = evaluated(content_loss=absolute)
    ours, target = (np.asarray(features(image)["two"]) for image in (IMAGE, CONTENT))
    share = np.abs(ours - target).sum() / np.abs(target.mean((0, 1)) - target).sum()
    np.testing.assert_allclose(terms.content, share, rtol=1e-4)


def test_a_form_of_ones_own():
    form = Form(lambda loss, target, sizes: 2.0, lambda *_: jnp.array([4.0, 8.0]))
    twice = lambda moments, target: (gram_loss(moments, target),) * 2
    _, terms, _ = evaluated(loss_form=form, style_loss=twice)
    _, paper, _ = evaluated(loss_form="paper", style_loss=gram_loss)
    np.testing.assert_allclose(terms.content, paper.content / 2.0, rtol=1e-5)
    np.testing.assert_allclose(terms.style, paper.style / 4.0 + paper.style / 8.0, rtol=1e-5)


def test_pictures_of_one_size_are_traced_once_for_targets():
    seen = []

    def apply(variables, batch, layers):
        seen.append(batch.shape)
        return network().apply(variables, batch, layers)

    objective = make_objective(network()._replace(apply=apply), *LAYERS)
    for content in (CONTENT, OTHER):
        objective.targets(network().variables, content, [STYLE])
    assert len(seen) == 1


def distance_to_mean(picture_, target):
    return jnp.mean(jnp.square(picture_.features["one"] - target))


def mean_of_styles(content, styles):
    assert content.image.shape == CONTENT.shape and set(content.features) == {"one"}
    return sum(jnp.mean(style.features["one"], axis=(0, 1)) for style in styles) / len(styles)


TERM = Term(distance_to_mean, mean_of_styles, ("one",))
TERMS = {"colors": TERM, "energy": lambda image: jnp.mean(jnp.square(image))}


@pytest.mark.parametrize("strip_rows", [0, 4])
def test_further_terms_are_added_with_weights_of_their_own(strip_rows):
    options = {"terms": TERMS, "strip_rows": strip_rows, "styles": (STYLE, OTHER)}
    weights = {"term_weights": {"colors": 3.0}}
    value, terms, gradient = evaluated(**options, weights=weights)
    bare, _, bare_gradient = evaluated(styles=(STYLE, OTHER))
    mean = sum(np.asarray(features(style)["one"]).mean((0, 1)) for style in (STYLE, OTHER)) / 2
    energy = lambda image: jnp.mean(jnp.square(image))
    further = lambda image: 3.0 * jnp.mean(jnp.square(features(image)["one"] - mean))
    np.testing.assert_allclose(terms.terms["colors"], further(IMAGE), rtol=1e-4)
    np.testing.assert_allclose(terms.terms["energy"], energy(IMAGE), rtol=1e-5)
    np.testing.assert_allclose(value, bare + sum(terms.terms.values()), rtol=1e-4)
    both = jax.jit(jax.grad(lambda image: further(image) + energy(image)))
    expected = bare_gradient + both(IMAGE)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4 * abs(expected).max())


def test_the_weight_of_a_term_is_swept_and_differentiated():
    objective = make_objective(network(), *LAYERS, terms=TERMS)
    targets = objective.targets(network().variables, CONTENT, [STYLE])
    loss = lambda weights: objective(IMAGE, network().variables, targets, weights)[0]
    weights = objective.weights()
    lanes = jax.tree.map(lambda leaf: None, weights)
    lanes = lanes._replace(term_weights={"colors": 0, "energy": None})
    several = {"colors": jnp.array([0.0, 1.0, 5.0]), "energy": 1.0}
    sweep = jax.jit(jax.vmap(loss, in_axes=(lanes,)))
    values = sweep(weights._replace(term_weights=several))
    slope = jax.jit(jax.grad(loss))(weights).term_weights["colors"]
    np.testing.assert_allclose(values - values[0], slope * several["colors"], rtol=1e-3)
    assert slope > 0


def test_a_target_of_a_term_is_an_argument():
    objective = make_objective(network(), *LAYERS, terms={"colors": TERM})
    traced = []

    @jax.jit
    def loss(targets):
        traced.append(1)
        return objective(IMAGE, network().variables, targets, objective.weights())[1].terms[
            "colors"
        ]

    one, other = (
        loss(objective.targets(network().variables, CONTENT, [style])) for style in (STYLE, OTHER)
    )
    assert one != other and len(traced) == 1


def mean(ours, target):
    return jnp.mean(jnp.square(ours - target))


def from_above(ours, target):
    """Each row counts for more than the one above it."""
    return jnp.sum(jnp.arange(len(ours))[:, None, None] * jnp.abs(ours - target))


def of_40_rows(ours, target):
    return jnp.sum(jnp.ones((40, 1, 1)) * jnp.abs(ours - target))


def test_strips_add_up_a_content_loss_of_ones_own():
    absolute = lambda ours, target: jnp.sum(jnp.abs(ours - target))
    *whole, slope = evaluated(content_loss=absolute)
    *found, gradient = evaluated(content_loss=absolute, strip_rows=4)
    assert_same(found, whole, rtol=1e-4)
    assert np.linalg.norm(gradient - slope) < 1e-4 * np.linalg.norm(slope)


def test_an_objective_for_strips_can_be_made_inside_of_a_traced_function():
    nothing = lambda ours, target: 0.0 * jnp.sum(ours - target)

    @jax.jit
    def rows(x):
        objective = make_objective(network(), *LAYERS, content_loss=nothing, strip_rows=4)
        return x + objective.reader.strips.rows

    assert rows(1) == 5


@pytest.mark.parametrize(
    "layers, options, message",
    [
        (LAYERS, {"style_loss": "Gram"}, "style_loss is 'Gram': give one of gram, covariance"),
        (LAYERS, {"tv_form": "none"}, "tv_form is 'none': give one of power, plain"),
        (LAYERS, {"loss_form": "sums"}, "loss_form is 'sums': give one of relative, paper"),
        (("two", ["one"]), {}, r"content layers are 'two': give a list of names, \['two'\]"),
        ((["two"], "one"), {}, r"style layers are 'one': give a list of names, \['one'\]"),
        ((["two"], ["three"]), {}, "unknown layer 'three'"),
        (
            LAYERS,
            {"content_loss": mean, "strip_rows": 4},
            "not a sum over positions: two strips add",
        ),
        (LAYERS, {"content_loss": from_above, "strip_rows": 4}, "is not a sum over positions"),
        (LAYERS, {"content_loss": of_40_rows, "strip_rows": 4}, "tried on maps of 32 x 16 x 6"),
        (LAYERS, {"terms": {"far": Term(distance_to_mean, layers=("far",))}}, "layer 'far'"),
    ],
)
def test_what_cannot_be_is_one_line(layers, options, message):
    with pytest.raises(InputError, match=message) as error:
        make_objective(network(), *layers, **options)
    assert "\n" not in str(error.value)


def test_defaults_are_the_command_line_s():
    options = LossOptions(placement=0.0)
    found = make_objective(network(), *LAYERS)
    named = {name: getattr(options, name) for name in ("style_loss", "loss_form", "tv_form")}
    asked = make_objective(network(), *LAYERS, **named)
    assert isinstance(found.reader, Reader) and found.reader.strips.rows == options.strip_rows
    assert {name for name in vars(found) if vars(found)[name] != vars(asked)[name]} == {"reader"}
    weights, expected = found.weights(), LossWeights.from_options(options, 1)
    for name in ("content_weight", "style_weight", "tv_weight", "style_blend"):
        assert getattr(weights, name) == getattr(expected, name)
