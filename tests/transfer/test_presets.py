"""Presets against the formulas of the published programs, written out in NumPy."""

from dataclasses import replace
from functools import cache
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import NARROW_VGG16, NARROW_VGG19, picture, write_vgg

from stylejax.errors import InputError
from stylejax.networks.features import feature_extractor
from stylejax.networks.layers import ARCHITECTURES, canonical_layers
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions, check_options
from stylejax.transfer.presets import PRESETS, PresetName, network_options, preset_options
from stylejax.transfer.problem import make_problem
from stylejax.transfer.start import start_picture
from stylejax.transfer.transfer import style_transfer
from stylejax.weights.read import read_weights

CONTENT, STYLE, IMAGE = picture(32, 48, 0), picture(32, 48, 1), picture(32, 48, 2)
# The pictures' range in which the programs work.
RANGE = 255.0


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A narrow random network of each kind, fed as the programs feed theirs: values up to 255."""
    folder, caffe = tmp_path_factory.mktemp("vgg"), {}
    caffe["mean"] = "[0.485, 0.458, 0.408]"
    caffe["standard_deviation"] = str([1 / RANGE] * 3)
    paths = {
        "vgg16": write_vgg(folder / "vgg16.safetensors", NARROW_VGG16, **caffe),
        "vgg19": write_vgg(folder / "vgg19.safetensors", NARROW_VGG19, **caffe),
    }
    return {name: read_weights(path) for name, path in paths.items()}


def loss_of(weights, options):
    """The solver's loss at IMAGE and its terms, by way of `make_problem`."""
    problem = make_problem(weights, CONTENT, [STYLE], options, IMAGE)
    (value, terms) = jax.jit(problem.solver.fun)(problem.start, *problem.arguments)
    return float(value), jax.device_get(terms)


def feature_maps(weights, options):
    """Of IMAGE, CONTENT and STYLE, channels first and positions flattened: C x (H W), float64."""
    loss = options.loss
    layers = tuple(dict.fromkeys((*loss.content_layers, *loss.style_layers)))
    extract = feature_extractor(
        layers, architecture=weights.architecture, pooling=options.loss.pooling
    )

    @cache
    def of(index):
        maps = jax.jit(extract)(weights.variables, jnp.asarray((IMAGE, CONTENT, STYLE)[index]))
        flat = lambda x: np.asarray(x, np.float64).reshape(-1, x.shape[-1]).T
        return {name: flat(feature_map) for name, feature_map in maps.items()}

    return of(0), of(1), of(2)


def differences(image):
    """To the pixel below and to the right, without the last row and column, up to 255."""
    wide = RANGE * image.astype(np.float64)
    return wide[1:, :-1] - wide[:-1, :-1], wide[:-1, 1:] - wide[:-1, :-1]


def gram(features):
    return features @ features.T


def solved_image():
    """IMAGE as the solver has it: moved off the very ends of the range."""
    return np.clip(IMAGE, 1 / 512, 1 - 1 / 512)


def neural_style(f, p, a, image):
    """neural_style.lua: MSE criteria, Gram matrices over their number of elements C H W."""
    content = 5.0 * np.mean((f["relu4_2"] - p["relu4_2"]) ** 2)
    style = 0.0
    for name in ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"):
        difference = gram(f[name]) / f[name].size - gram(a[name]) / a[name].size
        style += 100.0 * np.mean(difference**2)
    # Its gradient adds up x_diff and y_diff: that of half the sum of squares.
    down, right = differences(image)
    return content, style, 1e-3 * 0.5 * np.sum(down**2 + right**2)


def gatys(f, p, a, image):
    """NeuralStyleTransfer.ipynb: MSE criteria, Gram matrices over H W, weights 1e3 / N^2."""
    content = 1.0 * np.mean((f["relu4_2"] - p["relu4_2"]) ** 2)
    style = 0.0
    for name in ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"):
        channels, positions = f[name].shape
        difference = gram(f[name]) / positions - gram(a[name]) / positions
        style += 1e3 / channels**2 * np.mean(difference**2)
    return content, style, 0.0


def narayanan(f, p, a, image):
    """The post: sums; in the style term 3 channels and the size of the picture."""
    content = 0.025 * np.sum((f["relu2_2"] - p["relu2_2"]) ** 2)
    style, layers = 0.0, ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
    size = image.shape[0] * image.shape[1]
    for name in layers:
        squares = np.sum((gram(f[name]) - gram(a[name])) ** 2)
        style += 5.0 / len(layers) * squares / (4.0 * 3**2 * size**2)
    down, right = differences(image)
    return content, style, 1.0 * np.sum((down**2 + right**2) ** 1.25)


@pytest.mark.parametrize(
    ("name", "oracle"),
    [("neural-style", neural_style), ("gatys", gatys), ("narayanan", narayanan)],
)
def test_the_loss_is_that_of_the_published_program(weights, name, oracle):
    options = preset_options(name)
    held = weights[PRESETS[name].network]
    value, terms = loss_of(held, options)
    content, style, variation = oracle(*feature_maps(held, options), solved_image())
    np.testing.assert_allclose(terms.content, content, rtol=2e-3)
    np.testing.assert_allclose(terms.style, style, rtol=2e-3)
    np.testing.assert_allclose(terms.total_variation, variation, rtol=1e-3)
    np.testing.assert_allclose(value, content + style + variation, rtol=2e-3)
    assert content > 0 and style > 0


PUBLISHED = {
    # size, start, pooling, iterations, evaluations
    "notebook": (512, "uniform", "max", 80, 0),
    "gatys": (512, "content", "average", 500, 500),
    "narayanan": (512, "uniform", "max", 200, 200),
    "neural-style": (512, "mean", "max", 1000, 1000),
}


@pytest.mark.parametrize("name", get_args(PresetName))
def test_size_start_and_effort_are_those_of_the_published_program(name):
    options = preset_options(name)
    check_options(options, 1)
    solve = options.solve
    # Those programs move the pixels themselves; the first, of which little is known, finds no
    # content that way.
    assert solve.solver == "lbfgs"
    assert solve.parameterization == ("fourier" if name == "notebook" else "pixel")
    assert PUBLISHED[name] == (
        options.picture.size,
        options.picture.init,
        options.loss.pooling,
        solve.iterations,
        solve.evaluations,
    )
    assert PRESETS[name].source


@pytest.mark.parametrize("name", get_args(PresetName))
def test_layers_are_canonical_and_there(name):
    options, architecture = preset_options(name), ARCHITECTURES[PRESETS[name].network]
    for layers in (options.loss.content_layers, options.loss.style_layers):
        assert canonical_layers(layers, architecture) == layers


def test_the_notebook_is_content_gram_and_total_variation_on_densenet():
    options = preset_options("notebook")
    assert PRESETS["notebook"].network == "densenet121"
    loss = options.loss
    assert min(loss.content_weight, loss.style_weight, loss.tv_weight) > 0
    assert loss.tv_form == "power"


def test_defaults_follow_the_network():
    assert network_options("densenet121") == Options()
    for network in ("vgg16", "vgg19"):
        loss = network_options(network).loss
        assert loss.content_layers == ("relu4_2",) and loss.pooling == "average"
        assert loss.style_layers == ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
        assert loss.loss_form == "relative"


def test_a_preset_goes_over_what_it_names_only():
    base = Options(loss=LossOptions(precision="bfloat16", content_weight=7.0))
    options = preset_options("neural-style", base)
    assert options.loss.precision == "bfloat16" and options.loss.content_weight == 5.0


def test_starts():
    options = lambda init, seed=0: replace(
        Options(), picture=replace(Options().picture, init=init, seed=seed)
    )
    start = lambda *given: start_picture(options(*given), CONTENT, [STYLE])
    uniform = start("uniform")
    assert uniform.shape == CONTENT.shape and uniform.min() < 0.01 and uniform.max() > 0.99
    # A little narrower than even noise: the grid's frequencies are left out.
    np.testing.assert_allclose(
        np.quantile(uniform, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.05
    )
    mean = start("mean").astype(np.float64)
    np.testing.assert_allclose(mean.mean(axis=(0, 1)), (0.485, 0.456, 0.406), atol=1e-6)
    np.testing.assert_allclose(mean.std(axis=(0, 1)), 0.001 / 255, rtol=0.1)
    for init in ("uniform", "mean"):
        assert np.array_equal(start(init), start(init))
        assert not np.array_equal(start(init), start(init, 1))
    with pytest.raises(InputError, match="none of content, style, noise, uniform, mean"):
        start("other.png")


@pytest.mark.parametrize(("init", "half"), [("noise", 0.1), ("uniform", 0.5)])
def test_noise_is_even_in_pixel_form_and_without_grid_in_fourier_form(init, half):
    def deviation(form):
        solve = SolverOptions(parameterization=form)
        options = Options(picture=PictureOptions(init=init), solve=solve)
        return float(np.std(start_picture(options, CONTENT, [STYLE])))

    np.testing.assert_allclose(deviation("pixel"), half / np.sqrt(3), rtol=0.03)
    assert deviation("fourier") < 0.95 * deviation("pixel")


def test_style_transfer_takes_a_vgg_and_its_defaults(weights):
    options = network_options("vgg19")
    few = replace(options, solve=SolverOptions(iterations=3))
    result = style_transfer(CONTENT, [STYLE], weights=weights["vgg19"], options=few)
    assert "style:relu5_1" in result.history and "content:relu4_2" in result.history
    loss = result.history["loss"]
    assert result.image.shape == CONTENT.shape and loss[-1] < loss[0]


def test_a_limit_of_evaluations_ends_a_transfer(weights):
    options = preset_options("neural-style")
    options = replace(options, solve=replace(options.solve, evaluations=25, lbfgs_history=3))
    result = style_transfer(CONTENT, [STYLE], weights=weights["vgg19"], options=options)
    assert result.history["evaluations"].sum() <= 25 and not result.failed
    assert 1 < len(result.history["loss"]) <= 25
