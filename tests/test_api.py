import inspect

import jax.numpy as jnp
import numpy as np
import pytest
from problems import picture

import stylejax
from stylejax import api
from stylejax.options import LossOptions, Options, SolverOptions

PUBLIC = [getattr(stylejax, name) for name in stylejax.__all__]
FUNCTIONS = [thing for thing in PUBLIC if inspect.isfunction(thing)]
SHALLOW = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))


def test_public_names_are_sorted_and_whole():
    assert stylejax.__all__ == sorted(stylejax.__all__)
    imported = {name for name, value in vars(api).items() if not inspect.ismodule(value)}
    assert {name for name in imported if not name.startswith("_")} == set(stylejax.__all__)


@pytest.mark.parametrize("thing", PUBLIC)
def test_everything_public_is_documented(thing):
    assert inspect.getdoc(thing)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_public_functions_are_annotated_and_take_options_by_keyword(function):
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name
        if isinstance(parameter.default, (bool, str)):
            assert parameter.kind is parameter.KEYWORD_ONLY, parameter.name


def test_style_transfer_in_one_call():
    content, style = picture(40, 56), picture(64, 64, seed=3)[..., ::-1].copy()
    options = Options(loss=SHALLOW, solve=SolverOptions(iterations=5))
    result = stylejax.style_transfer(jnp.asarray(content), [style], options=options)
    assert result.image.shape == content.shape and not result.failed and not result.stopped
    assert 0.0 <= result.image.min() and result.image.max() <= 1.0
    assert list(result.history["iteration"]) == [0, 1, 2, 3, 4, 5]
    before, after = result.history["loss"][[0, -1]]
    assert after < 0.5 * before


def test_style_transfer_goes_from_coarse_to_fine():
    content, style = picture(70, 64), picture(64, 100, seed=3)
    solve = SolverOptions(iterations=4, levels=2)
    result = stylejax.style_transfer(content, [style], options=Options(loss=SHALLOW, solve=solve))
    assert result.image.shape == content.shape
    assert list(result.history["level"]) == [1, 1, 1, 2, 2]
    # Each level starts from where the last one ended, enlarged: far below the photograph's loss.
    assert result.history["style"][3] < 0.6 * result.history["style"][0]


def test_style_transfer_takes_its_start_as_a_picture():
    content, style = picture(40, 56), picture(64, 64, seed=3)
    options = Options(loss=SHALLOW, solve=SolverOptions(iterations=1))
    begins = [
        stylejax.style_transfer(content, [style, style], options=options, init=init).history
        for init in (np.full((80, 80, 3), 0.25, np.float32), np.full_like(content, 0.25), None)
    ]
    scaled, given, unasked = (history["loss"][0] for history in begins)
    assert scaled == given != unasked
    with pytest.raises(stylejax.InputError, match="pass the picture itself"):
        options = Options(stylejax.PictureOptions(init="somewhere.png"), SHALLOW)
        stylejax.style_transfer(content, [style], options=options)
