"""How long a compiler is to try, given how long its program will run.

XLA's options can be given program by program. On a CPU its older emitters of kernels, which jaxlib
0.12 has no more, at a lower level of optimization make a solver's program in 0.6 of the time, which
then takes 0 to 4 % longer; on a GPU most of the compiling is the timing of candidates, one kernel
after the other (docs/speed.md). What a program will do is counted in positions: those of its
picture, as often as it is evaluated.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

CompilerOptions = Mapping[str, str | bool]


class _Effort(NamedTuple):
    """Options for programs of up to so many positions."""

    positions: int
    options: CompilerOptions


_LEVEL = "xla_backend_optimization_level"
_OLD_EMITTERS: CompilerOptions = {"xla_cpu_use_fusion_emitters": False}
_EFFORTS: Mapping[str, Sequence[_Effort]] = {
    "cpu": (
        # What runs once, of a picture of 512 px: its statistics. The fast kernel library makes each
        # kernel when it is first run: for convolutions that takes longer here than to do without;
        # products are left to it, since the ones of XLA itself add all positions in one chain.
        _Effort(
            2**18,
            {
                **_OLD_EMITTERS,
                _LEVEL: "0",
                "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
            },
        ),
        # Half a minute of solving on two cores.
        _Effort(2**24, {**_OLD_EMITTERS, _LEVEL: "1"}),
    ),
    # Minutes of solving on a GPU of 2023.
    "gpu": (
        _Effort(
            2**32,
            {
                "xla_gpu_enable_triton_gemm": False,
                "xla_gpu_experimental_enable_fusion_autotuner": False,
            },
        ),
    ),
}
"""By the platform, the least effort first; beyond the last one XLA does what it does by itself."""


def compiler_options(platform: str, positions: int) -> CompilerOptions:
    """Options for the program of a platform that will see so many positions.

    Some may be unknown to this version of XLA (`known_options`).

    Args:
        platform: JAX's name for the kind of device; one that nothing is known of has no options.
        positions: height x width x evaluations.
    """
    for effort in _EFFORTS.get(platform, ()):
        if positions <= effort.positions:
            return effort.options
    return {}


def known_options(options: CompilerOptions) -> dict[str, str | bool] | None:
    """Those options that this version of XLA has: names come and go. None where there are none.

    Where JAX is told to leave out most optimizations, that is what is done.
    """
    told = {_LEVEL} if jax.config.values["jax_disable_most_optimizations"] else set()
    kept = {name: value for name, value in options.items() if name not in told}
    return {name: value for name, value in kept.items() if _is_known(name, value)} or None


@cache
def _is_known(name: str, value: str | bool) -> bool:
    try:
        jax.jit(lambda: 0).lower().compile({name: value})
    except jax.errors.JaxRuntimeError:
        return False
    return True


def picture_positions(arguments: PyTree) -> int:
    """Positions of the largest picture among the arguments of a program; 0 where there is none."""
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(arguments)]
    pictures = [shape for shape in shapes if len(shape) == 3 and shape[2] == 3]
    return max((height * width for height, width, _ in pictures), default=0)
