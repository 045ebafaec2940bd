"""Which form of the networks' functions runs: as in the papers, or tuned."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from stylejax.errors import InputError
from stylejax.networks.kernels.convolution import (
    Batch,
    conv3x3_forward,
    fast_convolution,
    plain_convolution,
)
from stylejax.networks.kernels.dense_block import (
    fast_dense_block,
    in_one_buffer,
    plain_dense_block,
)
from stylejax.networks.kernels.pooling import (
    fast_pool,
    fast_transition,
    plain_pool,
    plain_transition,
)
from stylejax.networks.kernels.wrapping import wrapped_convolution, wrapped_pool
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
_wrapped = wrapped_convolution(plain_convolution)
_SEAMLESS: dict[Kernels, NetworkKernels] = {
    # A transition looks at windows side by side, which reach over no border.
    "plain": NetworkKernels(
        _wrapped,
        wrapped_pool(plain_pool),
        plain_transition,
        partial(plain_dense_block, convolution=_wrapped),
    ),
    "fast": NetworkKernels(
        wrapped_convolution(fast_convolution),
        wrapped_pool(fast_pool),
        fast_transition,
        in_one_buffer(wrapped_convolution(conv3x3_forward), _wrapped),
    ),
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


def network_kernels(kernels: str | None, seamless: bool = False) -> NetworkKernels:
    """The networks' functions in the form that is asked for (`chosen_kernels`).

    Where `seamless`, maps go on at their other side (`stylejax.networks.kernels.wrapping`).
    """
    return (_SEAMLESS if seamless else _FORMS)[chosen_kernels(kernels)]
