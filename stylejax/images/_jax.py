"""What JAX's arrays are, asked without importing it: there are none before somebody has done so."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import DTypeLike

if TYPE_CHECKING:
    from jaxtyping import Array

    AnyArray = Array | np.ndarray
else:

    @runtime_checkable
    class AnyArray(Protocol):
        """What NumPy's arrays and JAX's have in common, as far as can be told without either."""

        shape: tuple[int, ...]
        ndim: int
        size: int
        dtype: object

        def astype(self, dtype: DTypeLike, /) -> "AnyArray":
            """The same numbers in another type."""
            ...


def _loaded() -> ModuleType | None:
    return sys.modules.get("jax")


def _is_jax(value: object) -> bool:
    jax = _loaded()
    return jax is not None and isinstance(value, jax.Array)


def is_array(value: object) -> TypeGuard[AnyArray]:
    """Whether it is an array of NumPy or JAX."""
    return isinstance(value, np.ndarray) or _is_jax(value)


def is_traced(value: object) -> bool:
    """Whether its numbers are not known, inside of `jax.jit` and the like."""
    jax = _loaded()
    return jax is not None and isinstance(value, jax.core.Tracer)


def is_held_elsewhere(value: object) -> bool:
    """Whether other processes hold a part of it."""
    return _is_jax(value) and not getattr(value, "is_fully_addressable", True)


def is_floating(dtype: DTypeLike) -> bool:
    """Whether it is a type of floats, those that JAX adds to NumPy's among them."""
    jax = _loaded()
    if jax is None:
        return np.issubdtype(dtype, np.floating)
    return jax.numpy.issubdtype(dtype, jax.numpy.floating)


def on_host(value: AnyArray) -> np.ndarray:
    """An array of this process as NumPy's."""
    jax = _loaded()
    return np.asarray(value if jax is None else jax.device_get(value))
