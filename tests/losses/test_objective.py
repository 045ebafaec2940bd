"""The objective: its terms by hand from the network's features, its units, its arguments."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import picture, random_weights, write_densenet

import stylejax
from stylejax import InputError, LossWeights, make_objective
from stylejax.networks.layers import Architecture
from stylejax.options import LossForm, Options, TotalVariationForm

CONTENT_LAYERS = ("conv2_block1_0_relu", "pool1")
STYLE_LAYERS = ("input", "conv1_relu", "pool1")
CONTENT, STYLE, OTHER = picture(32, 40, 0), picture(36, 32, 1), picture(32, 32, 2)
IMAGE = picture(32, 40, 3)


@cache
def weights():
    return stylejax.read_weights(random_weights())


@cache
def variables():
    return jax.tree.map(jnp.asarray, weights().variables)


@cache
def objective(form: LossForm = "relative", variation: TotalVariationForm = "power"):
    return make_objective(
        weights(),
        CONTENT_LAYERS,
        STYLE_LAYERS,
        style_loss="gram",
        loss_form=form,
        tv_form=variation,
    )


@cache
def loss(form: LossForm = "relative", variation: TotalVariationForm = "power"):
    return jax.jit(objective(form, variation))


@cache
def gradient():
    return jax.jit(jax.grad(objective(), has_aux=True))


def targets_of(content, styles, form: LossForm = "relative"):
    pictures = [jnp.asarray(style) for style in styles]
    return objective(form).targets(variables(), jnp.asarray(content), pictures)


@cache
def targets(form: LossForm = "relative"):
    return targets_of(CONTENT, (STYLE,), form)


def loss_weights(**changes):
    """Weights of which no two are alike; float32 arrays, as `jax.grad` wants them."""
    given = LossWeights(
        content_weight=2.0,
        style_weight=30.0,
        tv_weight=5.0,
        content_layer_weights={"conv2_block1_0_relu": 0.7, "pool1": 0.3},
        style_layer_weights={"input": 0.5, "conv1_relu": 0.2, "pool1": 0.3},
        style_blend=jnp.ones(1),
    )
    return jax.tree.map(jnp.float32, given._replace(**changes))


def features(image):
    """The network's feature maps in float64."""
    found = jax.jit(objective().reader.extract)(variables(), jnp.asarray(image))
    return {name: np.asarray(feature_map, np.float64) for name, feature_map in found.items()}


def gram(feature_map):
    flat = feature_map.reshape(-1, feature_map.shape[-1])
    return flat.T @ flat


def by_hand(image, content, style, form):
    """Each layer's term without weights: equations 1, 3 and 4, in the notation of the paper."""
    f, p, a = features(image), features(content), features(style)

    def content_term(name, form):
        value = 0.5 * np.sum((f[name] - p[name]) ** 2)
        mean = p[name].mean(axis=(0, 1))
        return value / (0.5 * np.sum((mean - p[name]) ** 2)) if form == "relative" else value

    def distance(one, other):
        """Equation 4, but each Gram matrix over its own M: the pictures are of different sizes."""
        n = one.shape[-1]
        grams = [gram(x) / (x.shape[0] * x.shape[1]) for x in (one, other)]
        return np.sum((grams[0] - grams[1]) ** 2) / (4 * n**2)

    def style_term(name, form):
        value = distance(f[name], a[name])
        return value / distance(p[name], a[name]) if form == "relative" else value

    return (
        {name: content_term(name, form) for name in CONTENT_LAYERS},
        {name: style_term(name, form) for name in STYLE_LAYERS},
    )


def assert_terms(terms, expected, weights):
    content, style = expected
    for name, term in content.items():
        weight = float(weights.content * weights.content_layers[name])
        np.testing.assert_allclose(terms.content_layers[name], weight * term, rtol=1e-3)
    for name, term in style.items():
        weight = float(weights.style * weights.style_layers[name])
        np.testing.assert_allclose(terms.style_layers[name], weight * term, rtol=1e-3)


@pytest.mark.parametrize("form", ["relative", "paper"])
def test_terms_are_the_equations(form):
    value, terms = loss(form)(IMAGE, variables(), targets(form), loss_weights())
    assert_terms(terms, by_hand(IMAGE, CONTENT, STYLE, form), loss_weights())
    np.testing.assert_allclose(sum(terms.content_layers.values()), terms.content, rtol=1e-5)
    np.testing.assert_allclose(sum(terms.style_layers.values()), terms.style, rtol=1e-5)
    np.testing.assert_allclose(
        terms.content + terms.style + terms.total_variation, value, rtol=1e-6
    )
    assert all(leaf > 0 for leaf in jax.tree.leaves(terms))


def test_paper_form_is_equation_4_for_pictures_of_one_size():
    style = picture(32, 40, 1)
    with_style = targets_of(CONTENT, (style,), "paper")
    _, terms = loss("paper")(IMAGE, variables(), with_style, loss_weights())
    f, a = features(IMAGE), features(style)
    for name in STYLE_LAYERS:
        height, width, n = f[name].shape
        m = height * width
        e = np.sum((gram(f[name]) - gram(a[name])) ** 2) / (4 * n**2 * m**2)
        expected = 30.0 * float(loss_weights().style_layers[name]) * e
        np.testing.assert_allclose(terms.style_layers[name], expected, rtol=1e-3)


@pytest.mark.parametrize("form, exponent", [("power", 1.25), ("plain", None)])
def test_total_variation_is_that_of_the_picture(form, exponent):
    _, terms = loss("relative", form)(IMAGE, variables(), targets(), loss_weights())
    wide = IMAGE.astype(np.float64)
    down, right = wide[1:, :-1] - wide[:-1, :-1], wide[:-1, 1:] - wide[:-1, :-1]
    cost = (down**2 + right**2) ** exponent if exponent else abs(down) + abs(right)
    np.testing.assert_allclose(terms.total_variation, 5.0 * np.mean(cost), rtol=1e-5)


@pytest.mark.default_emitters
def test_relative_form_at_the_content_picture():
    value, terms = loss()(CONTENT, variables(), targets(), loss_weights())
    assert terms.content == 0.0
    # Each layer stands at 1 times its weights, whatever the pictures.
    np.testing.assert_allclose(terms.style, 30.0, rtol=1e-5)
    for name, weight in loss_weights().style_layers.items():
        np.testing.assert_allclose(terms.style_layers[name], 30.0 * weight, rtol=1e-5)
    assert value > 30.0


@pytest.mark.parametrize("name", ["content", "style", "total_variation"])
def test_twice_the_weight_is_twice_the_term(name):
    _, before = loss()(IMAGE, variables(), targets(), loss_weights())
    doubled = loss_weights(**{name: 2.0 * getattr(loss_weights(), name)})
    _, after = loss()(IMAGE, variables(), targets(), doubled)
    for term in ("content", "style", "total_variation"):
        factor = 2.0 if term == name else 1.0
        np.testing.assert_allclose(getattr(after, term), factor * getattr(before, term), rtol=1e-6)


def test_a_layer_of_weight_0_takes_no_part():
    layers = {"input": 0.0, "conv1_relu": 0.0, "pool1": 1.0}
    _, before = loss()(IMAGE, variables(), targets(), loss_weights())
    _, after = loss()(IMAGE, variables(), targets(), loss_weights(style_layers=layers))
    assert after.style_layers["input"] == after.style_layers["conv1_relu"] == 0.0
    np.testing.assert_allclose(after.style, before.style_layers["pool1"] / 0.3, rtol=1e-5)


MEAN = np.full((32, 40, 3), (0.485, 0.456, 0.406), np.float32)


@pytest.mark.parametrize(
    "content, style, image",
    [
        (CONTENT, CONTENT, CONTENT),
        (CONTENT, CONTENT, IMAGE),
        (np.full((32, 40, 3), 0.3, np.float32), STYLE, IMAGE),
        (CONTENT, np.full((32, 32, 3), 0.3, np.float32), IMAGE),
        (np.zeros((32, 40, 3), np.float32), np.zeros((32, 40, 3), np.float32), IMAGE),
        (np.ones((32, 40, 3), np.float32), np.ones((32, 40, 3), np.float32), None),
        # 0 throughout after normalization.
        (MEAN, MEAN, None),
        (MEAN, MEAN, IMAGE),
    ],
    ids="same same-other blank-content blank-style black white 0 0-other".split(),
)
def test_degenerate_pictures_give_numbers(content, style, image):
    start = content if image is None else image
    value, terms = loss()(start, variables(), targets_of(content, (style,)), loss_weights())
    slope, _ = gradient()(start, variables(), targets_of(content, (style,)), loss_weights())
    assert all(np.isfinite(leaf) for leaf in jax.tree.leaves((value, terms)))
    assert np.all(np.isfinite(slope))
    if start is content:
        # Of weights 2 and 30; the programs for target and loss round differently.
        np.testing.assert_allclose([terms.content, terms.style], 0.0, atol=1e-3)
    else:
        assert value > 0 and np.any(slope != 0)


def test_pictures_nearly_alike_do_not_blow_up_the_loss():
    # Nearly blank content; nearly the content as style: units of their own energy, times 1e-4.
    rng = np.random.default_rng(0)
    content = (0.3 + 1e-4 * rng.random((32, 40, 3))).astype(np.float32)
    style = (content + 1e-4 * rng.random((32, 40, 3))).astype(np.float32)
    _, terms = loss()(IMAGE, variables(), targets_of(content, (style,)), loss_weights())
    f, p, a = features(IMAGE), features(content), features(style)
    name = "pool1"
    expected = np.sum((f[name] - p[name]) ** 2) / (1e-4 * np.sum(p[name] ** 2))
    np.testing.assert_allclose(terms.content_layers[name], 2.0 * 0.3 * expected, rtol=1e-3)
    expected = np.sum((gram(f[name]) - gram(a[name])) ** 2) / (1e-4 * np.sum(gram(a[name]) ** 2))
    np.testing.assert_allclose(terms.style_layers[name], 30.0 * 0.3 * expected, rtol=1e-3)


def test_features_that_are_0_throughout_give_numbers():
    # The only content layer is the normalized picture itself, which vanishes.
    only = make_objective(weights(), ("input",), ("input",))
    blank = only.targets(variables(), jnp.asarray(MEAN), [jnp.asarray(MEAN)])
    assert not np.any(blank.content["input"])
    (value, terms), slope = jax.value_and_grad(only, has_aux=True)(
        jnp.asarray(IMAGE), variables(), blank, only.weights()
    )
    assert np.isfinite(value) and terms.content > 0 and np.all(np.isfinite(slope))


def test_one_style_s_unit_is_computed_with_the_targets():
    expected = loss()(IMAGE, variables(), targets(), loss_weights())
    unread = jax.tree.map(lambda x: jnp.nan * x, targets().content_moments)
    found = loss()(IMAGE, variables(), targets()._replace(content_moments=unread), loss_weights())
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_the_unit_of_a_blend_is_that_of_the_blend():
    both = targets_of(CONTENT, (STYLE, OTHER))
    for blend in ([0.5, 0.5], [0.1, 0.9]):
        given = loss_weights(style_blend=jnp.array(blend))
        _, terms = loss()(CONTENT, variables(), both, given)
        np.testing.assert_allclose(terms.style, 30.0, rtol=1e-4)


def test_a_blend_of_1_and_0_is_the_first_style_alone():
    both = targets_of(CONTENT, (STYLE, OTHER))
    one = loss()(IMAGE, variables(), targets(), loss_weights())
    blend = loss()(IMAGE, variables(), both, loss_weights(style_blend=jnp.array([1.0, 0.0])))
    for blended, alone in zip(jax.tree.leaves(blend), jax.tree.leaves(one), strict=True):
        np.testing.assert_allclose(blended, alone, rtol=1e-5)


def test_an_even_blend_aims_at_the_mean_gram_matrix():
    both = targets_of(CONTENT, (STYLE, OTHER))
    _, terms = loss("paper")(
        IMAGE, variables(), both, loss_weights(style_blend=jnp.array([0.5, 0.5]))
    )
    f, a, b = features(IMAGE), features(STYLE), features(OTHER)
    mean = lambda x: gram(x) / (x.shape[0] * x.shape[1])
    for name, weight in loss_weights().style_layers.items():
        target = 0.5 * (mean(a[name]) + mean(b[name]))
        e = np.sum((mean(f[name]) - target) ** 2) / (4 * f[name].shape[-1] ** 2)
        np.testing.assert_allclose(terms.style_layers[name], 30.0 * weight * e, rtol=1e-3)


def test_new_weights_and_targets_compile_nothing_anew():
    traces = []

    def traced(*args):
        traces.append(1)
        return objective()(*args)

    counted = jax.jit(traced)
    first, _ = counted(IMAGE, variables(), targets(), loss_weights())
    changed = loss_weights(style=1.0, style_layers={"input": 0.0, "conv1_relu": 1.0, "pool1": 0.0})
    other = targets_of(picture(32, 40, 7), (OTHER,))
    second, _ = counted(CONTENT, variables(), other, changed)
    assert len(traces) == 1 and first != second


def test_vmap_over_style_weights_gives_what_each_gives_alone():
    axes = LossWeights(None, 0, None, None, None, None)  # pyright: ignore[reportArgumentType]
    lanes = jax.jit(jax.vmap(objective(), in_axes=(None, None, None, axes)))
    styles = jnp.array([3.0, 300.0])
    values, terms = lanes(IMAGE, variables(), targets(), loss_weights()._replace(style=styles))
    for lane, style in enumerate(styles):
        alone, its = loss()(IMAGE, variables(), targets(), loss_weights(style=style))
        np.testing.assert_allclose(values[lane], alone, rtol=1e-5)
        np.testing.assert_allclose(terms.style[lane], its.style, rtol=1e-5)
        np.testing.assert_allclose(terms.style_layers["pool1"][lane], its.style_layers["pool1"])


def test_derivatives_with_respect_to_the_weights():
    by_weights = jax.jit(jax.grad(objective(), argnums=3, has_aux=True))
    slopes, terms = by_weights(IMAGE, variables(), targets(), loss_weights())
    # The loss is linear in the weights: each derivative is the term over its weight.
    np.testing.assert_allclose(slopes.content, terms.content / 2.0, rtol=1e-5)
    np.testing.assert_allclose(slopes.style, terms.style / 30.0, rtol=1e-5)
    np.testing.assert_allclose(slopes.total_variation, terms.total_variation / 5.0, rtol=1e-5)
    for name, weight in loss_weights().style_layers.items():
        expected = terms.style_layers[name] / weight
        np.testing.assert_allclose(slopes.style_layers[name], expected, rtol=1e-5)
    for name, weight in loss_weights().content_layers.items():
        expected = terms.content_layers[name] / weight
        np.testing.assert_allclose(slopes.content_layers[name], expected, rtol=1e-5)


def test_gradient_with_respect_to_the_picture():
    rng = np.random.default_rng(0)
    direction = rng.normal(size=IMAGE.shape).astype(np.float32)
    direction /= np.linalg.norm(direction)
    slope, _ = gradient()(IMAGE, variables(), targets(), loss_weights())
    step = 0.03
    ahead, _ = loss()(IMAGE + step * direction, variables(), targets(), loss_weights())
    behind, _ = loss()(IMAGE - step * direction, variables(), targets(), loss_weights())
    # Central differences in float32, across the kinks of ReLU and maxima.
    difference = (float(ahead) - float(behind)) / (2 * step)
    np.testing.assert_allclose(np.vdot(slope, direction), difference, rtol=0.05, atol=0.02)
    assert abs(difference) > 0.1


def test_default_weights_share_evenly():
    given = objective().weights(content=3.0, styles=4)
    assert given.content == 3.0 and given.style == 20.0
    assert given.content_layers.keys() == set(CONTENT_LAYERS)
    assert given.style_layers.keys() == set(STYLE_LAYERS)
    assert all(share == np.float32(1 / 2) for share in given.content_layers.values())
    assert all(share == np.float32(1 / 3) for share in given.style_layers.values())
    assert np.array_equal(given.style_blend, [0.25] * 4)


@pytest.mark.parametrize(
    "content, style, message",
    [
        ((), ("pool1",), "no content layer"),
        (("pool1",), (), "no style layer"),
        (("pool9",), ("pool1",), "unknown layer 'pool9'"),
        (("pool1",), ("conv1_rel",), "conv1_relu"),
        (("pool1", "features.pool0"), ("input",), "named twice"),
    ],
)
def test_layers_that_cannot_be(content, style, message):
    with pytest.raises(InputError, match=message):
        make_objective(weights(), content, style)


def test_one_layer_for_content_and_style_under_two_names():
    one = make_objective(weights(), ["pool1"], ["pool1"])
    two = make_objective(weights(), ["pool1"], ["features.pool0"])
    losses = []
    for both in (one, two):
        given = both.targets(variables(), jnp.asarray(CONTENT), [jnp.asarray(STYLE)])
        value, terms = jax.jit(both)(IMAGE, variables(), given, both.weights())
        losses.append(float(value))
    assert losses[0] == losses[1] and set(terms.style_layers) == {"features.pool0"}


def test_no_style_picture_is_refused():
    with pytest.raises(InputError, match="no style picture"):
        targets_of(CONTENT, ())


def test_fast_kernels_have_the_loss_and_gradient_of_plain_ones(tmp_path, monkeypatch):
    content, style = (jnp.asarray(picture(96, height, seed)) for height, seed in ((96, 4), (80, 5)))
    # Dense blocks of more than one layer, and as wide as DenseNet-121's: few to compile.
    architecture = Architecture(64, 32, (2, 3, 1, 1))
    path = write_densenet(tmp_path / "densenet.safetensors", monkeypatch, architecture)
    network, layers = stylejax.read_weights(path), Options().loss
    make = partial(make_objective, network, layers.content_layers, layers.style_layers)
    given = make().targets(network.variables, content, [style])
    found = []
    for kernels in ("fast", "plain"):
        evaluate = jax.jit(jax.value_and_grad(make(kernels=kernels), has_aux=True))
        arguments = network.variables, given, make().weights()
        (value, _), gradient = evaluate(0.9 * content, *arguments)
        found.append((float(value), np.asarray(gradient)))
    (value, gradient), (plain_value, plain_gradient) = found
    assert value == pytest.approx(plain_value, rel=1e-4)
    error = np.linalg.norm(gradient - plain_gradient)
    assert 0 < error < 1e-3 * np.linalg.norm(plain_gradient)
