"""Which form of the networks' functions runs: as in the papers, or tuned."""

from collections.abc import Callable
from typing import NamedTuple

from stylejax.errors import InputError
from stylejax.networks.kernels.convolution import Batch, fast_convolution, plain_convolution
from stylejax.networks.kernels.dense_block import fast_dense_block, plain_dense_block
from stylejax.networks.kernels.pooling import (
    fast_pool,
    fast_transition,
    plain_pool,
    plain_transition,
)
from stylejax.options import Kernels

DEFAULT: Kernels = "fast"
"""On every platform: a form that is tuned for one of them is the plain one on the others."""


class NetworkKernels(NamedTuple):
    """The functions that have a tuned form, all in one form."""

    convolution: Callable[..., Batch]
    pool: Callable[..., Batch]
    transition: Callable[..., Batch]
    dense_block: Callable[..., Batch]


_FORMS: dict[Kernels, NetworkKernels] = {
    "plain": NetworkKernels(plain_convolution, plain_pool, plain_transition, plain_dense_block),
    "fast": NetworkKernels(fast_convolution, fast_pool, fast_transition, fast_dense_block),
}


def chosen_kernels(kernels: str | None) -> Kernels:
    """The form that is asked for; the platform's default where none is.

    Raises:
        InputError: there is no such form.
    """
    if kernels is None:
        return DEFAULT
    for known in _FORMS:
        if known == kernels:
            return known
    raise InputError(f"kernels {kernels!r} is none of {', '.join(_FORMS)}: name one of them")


def network_kernels(kernels: str | None) -> NetworkKernels:
    """The networks' functions in the form that is asked for (`chosen_kernels`)."""
    return _FORMS[chosen_kernels(kernels)]
