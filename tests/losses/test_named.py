"""The losses by name."""

from typing import get_args

import jax.numpy as jnp
import pytest

from stylejax.errors import InputError
from stylejax.losses._named import FAST, FORMS, PLAIN, STYLE_LOSSES, loss_kernels, named_or_given
from stylejax.options import LossForm, StyleLoss, TotalVariationForm


@pytest.mark.parametrize(
    "table, names",
    [
        (STYLE_LOSSES, StyleLoss),
        (FORMS, LossForm),
        (FAST.total_variations, TotalVariationForm),
        (PLAIN.total_variations, TotalVariationForm),
    ],
)
def test_the_tables_hold_what_options_name(table, names):
    assert set(table) == set(get_args(names))


def test_a_function_is_itself_and_a_name_stands_for_one():
    assert named_or_given("style_loss", "gram", STYLE_LOSSES) is STYLE_LOSSES["gram"]
    assert named_or_given("tv_form", jnp.sum, PLAIN.total_variations) is jnp.sum
    assert loss_kernels("plain") is PLAIN and loss_kernels(None) is loss_kernels("fast") is FAST


def test_an_unknown_name_is_one_line():
    message = r"^style_loss is 'Gram': give one of gram, covariance, wasserstein, or a function; "
    message += r"did you mean gram\?$"
    with pytest.raises(InputError, match=message):
        named_or_given("style_loss", "Gram", STYLE_LOSSES)
