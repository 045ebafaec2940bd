"""The losses that go by a name at the border: in options, on the command line, in a record."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from stylejax.errors import InputError
from stylejax.fields import nearest_hint
from stylejax.losses.forms import MEAN, PAPER, RELATIVE, SUM, Form
from stylejax.losses.gram import GramMatrix, gram_matrix
from stylejax.losses.moments import StyleDistance, covariance_losses, gram_loss
from stylejax.losses.variation import (
    Regularizer,
    periodic_variation,
    total_variation,
    total_variation_power,
    total_variation_power_sum,
    total_variation_squared_sum,
)
from stylejax.losses.wasserstein import wasserstein_loss
from stylejax.networks.kernels import chosen_kernels
from stylejax.networks.kernels.gram import fast_gram_matrix
from stylejax.networks.kernels.variation import (
    fast_total_variation,
    fast_total_variation_power,
    fast_total_variation_power_sum,
    fast_total_variation_squared_sum,
)
from stylejax.options import Kernels

STYLE_LOSSES: Mapping[str, StyleDistance] = {
    "gram": gram_loss,
    "covariance": covariance_losses,
    "wasserstein": wasserstein_loss,
}

FORMS: Mapping[str, Form] = {
    "relative": RELATIVE,
    "paper": PAPER,
    "mean": MEAN,
    "sum": SUM,
}


class LossKernels(NamedTuple):
    """The functions of the losses that have a tuned form."""

    gram_matrix: GramMatrix
    total_variations: Mapping[str, Regularizer]


PLAIN = LossKernels(
    gram_matrix,
    {
        "power": total_variation_power,
        "plain": total_variation,
        "power-sum": total_variation_power_sum,
        "squared-sum": total_variation_squared_sum,
    },
)
FAST = LossKernels(
    fast_gram_matrix,
    {
        "power": fast_total_variation_power,
        "plain": fast_total_variation,
        "power-sum": fast_total_variation_power_sum,
        "squared-sum": fast_total_variation_squared_sum,
    },
)

Function = TypeVar("Function", bound=Callable | Form)


def named_or_given(option: str, given: str | Function, known: Mapping[str, Function]) -> Function:
    """What is given, or what it is the name of.

    Raises:
        InputError: nothing has this name.
    """
    if not isinstance(given, str):
        return given
    if given not in known:
        hint = nearest_hint(given, known)
        raise InputError(
            f"{option} is {given!r}: give one of {', '.join(known)}, or a function{hint}"
        )
    return known[given]


def loss_kernels(kernels: Kernels | None, seamless: bool = False) -> LossKernels:
    """The losses' functions in the form that is asked for (`chosen_kernels`).

    Where `seamless`, total variation is that of a picture that tiles.
    """
    tuned = {"fast": FAST, "plain": PLAIN}[chosen_kernels(kernels)]
    if not seamless:
        return tuned
    variations = tuned.total_variations.items()
    return tuned._replace(
        total_variations={name: periodic_variation(each) for name, each in variations}
    )
