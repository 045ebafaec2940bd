"""Arrays and options at the library's border: each public function takes them, or says one line."""

import jax.numpy as jnp
import numpy as np
import pytest
from problems import picture, random_weights

import stylejax
from stylejax.feedforward import Painter, paint, paint_in_strips, paint_photograph
from stylejax.images import draw_contact_sheet
from stylejax.options import LossOptions, Options, check_options
from stylejax.transfer.pictures import given_pictures
from stylejax.universal import (
    Decoders,
    UniversalOptions,
    style_statistics,
    synthesize_texture,
    universal_transfer,
)
from stylejax.universal.options import check_universal_options

CONTENT, STYLE = picture(40, 56), picture(64, 48, seed=3)
BYTES = np.rint(255 * CONTENT).astype(np.uint8)
MASKS = stylejax.Masks((np.ones((40, 56), np.float32),))
OPTIONS = Options(loss=LossOptions(content_layers=("pool1",), style_layers=("conv1_relu",)))
NETWORK = stylejax.read_weights(str(random_weights()))
OBJECTIVE = stylejax.make_objective(NETWORK, ["pool1"], ["conv1_relu"])
UNIVERSAL = {"weights": NETWORK, "decoders": Decoders({}, {}, NETWORK.sha256, 1)}
PAINTING = (Painter(styles=2, width=0.125), {}, jnp.zeros(3))

# Each with a picture that is none.
CALLS = {
    "style_transfer: content": lambda bad: stylejax.style_transfer(bad, [STYLE], weights=NETWORK),
    "style_transfer: styles": lambda bad: stylejax.style_transfer(
        CONTENT, [STYLE, bad], weights=NETWORK
    ),
    "style_transfer: init": lambda bad: stylejax.style_transfer(
        CONTENT, STYLE, weights=NETWORK, options=OPTIONS, init=bad
    ),
    "style_sweep: content": lambda bad: stylejax.style_sweep(
        bad, [STYLE], [OPTIONS], weights=NETWORK
    ),
    "style_sweep: styles": lambda bad: stylejax.style_sweep(
        CONTENT, bad, [OPTIONS], weights=NETWORK
    ),
    "make_problem: content": lambda bad: stylejax.make_problem(
        NETWORK, bad, [STYLE], OPTIONS, CONTENT
    ),
    "make_problem: start": lambda bad: stylejax.make_problem(
        NETWORK, CONTENT, [STYLE], OPTIONS, bad
    ),
    "reconstruct: picture": lambda bad: stylejax.reconstruct(
        bad, ["pool1"], NETWORK, kind="style", iterations=1
    ),
    "latent_from_image: pixels": stylejax.latent_from_image,
    "targets: content": lambda bad: OBJECTIVE.targets(NETWORK.variables, bad, [STYLE]),
    "targets: styles": lambda bad: OBJECTIVE.targets(NETWORK.variables, CONTENT, [bad]),
    "universal_transfer: content": lambda bad: universal_transfer(bad, [STYLE], **UNIVERSAL),
    "universal_transfer: styles": lambda bad: universal_transfer(CONTENT, [bad], **UNIVERSAL),
    "style_statistics: picture": lambda bad: style_statistics(bad, weights=NETWORK),
    "synthesize_texture: styles": lambda bad: synthesize_texture(
        bad, height=64, width=64, **UNIVERSAL
    ),
    "paint_photograph: photograph": lambda bad: paint_photograph(bad, *PAINTING),
    "paint_in_strips: photograph": lambda bad: paint_in_strips(bad, *PAINTING, rows=64),
    "draw_contact_sheet: picture": lambda bad: draw_contact_sheet([[bad]], ["a"], ["b"]),
}
# Functions that a solver calls: of a picture they see the shape alone.
FUNCTIONS = {
    "total_variation": stylejax.total_variation,
    "total_variation_power": stylejax.total_variation_power,
    "feature_extractor": lambda bad: stylejax.feature_extractor(NETWORK, ["conv1_relu"])(
        NETWORK.variables, bad
    ),
    "paint": lambda bad: paint(PAINTING[0], {}, bad, PAINTING[2]),
}


@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_picture_is_refused_by_every_function(call):
    argument = call.split(": ")[1]
    for bad in (255 * CONTENT, CONTENT.transpose(2, 0, 1), CONTENT[..., 0], CONTENT * np.nan):
        with pytest.raises(
            stylejax.InputError, match=rf"{argument}.*\(\d+, \d+(, \d+)?\)"
        ) as caught:
            CALLS[call](bad)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_of_a_picture_see_its_shape(function):
    for bad in (CONTENT.transpose(2, 0, 1), CONTENT[..., 0], CONTENT[None]):
        with pytest.raises(stylejax.InputError, match=r"array of shape .* is no picture"):
            FUNCTIONS[function](bad)


def test_every_form_of_a_picture_is_the_same_one():
    floats = (BYTES / 255).astype(np.float32)
    expected = given_pictures(floats, [floats], MASKS)
    for given in (BYTES, jnp.asarray(floats), stylejax.Picture(floats, None)):
        found = given_pictures(given, given, MASKS)
        np.testing.assert_array_equal(found.content, expected.content)
        np.testing.assert_array_equal(found.styles, expected.styles)
        assert found.content.dtype == np.float32 and found.masks is not None
    np.testing.assert_array_equal(
        stylejax.latent_from_image(BYTES), stylejax.latent_from_image(floats)
    )
    np.testing.assert_allclose(
        stylejax.total_variation(BYTES), stylejax.total_variation(floats), rtol=1e-6
    )


def wrong(options, **values):
    """Options with values that their types rule out, as they are without the tests' checks."""
    for name, value in values.items():
        object.__setattr__(options, name, value)
    return options


@pytest.mark.parametrize(
    "loss, message",
    [
        ({"style_loss": "Gram"}, "'Gram': .*did you mean gram"),
        ({"loss_form": "Paper"}, "'Paper': .*did you mean paper"),
        ({"pooling": "median"}, "--pooling is 'median': give one of max, average"),
        ({"style_layers": "pool1"}, r"give several, as \('pool1',\)"),
        ({"style_blend": 3.0}, "--style-blend is 3.0: give several"),
    ],
)
def test_options_that_are_no_choice_are_one_line(loss, message):
    with pytest.raises(stylejax.InputError, match=message):
        check_options(Options(loss=wrong(LossOptions(), **loss)), 1)


def test_names_that_are_nearly_right_are_offered():
    with pytest.raises(stylejax.InputError, match="'Gram': .*did you mean gram"):
        stylejax.make_objective(NETWORK, ["pool1"], ["conv1_relu"], style_loss="Gram")
    with pytest.raises(stylejax.InputError, match=r"give a list of names, \['pool1'\]"):
        stylejax.make_objective(NETWORK, "pool1", ["conv1_relu"])
    with pytest.raises(stylejax.InputError, match=r"give a list of names, \['pool1'\]"):
        stylejax.feature_extractor(NETWORK, "pool1")
    with pytest.raises(stylejax.InputError, match="did you mean moments"):
        check_universal_options(wrong(UniversalOptions(), transform="Moments"))
