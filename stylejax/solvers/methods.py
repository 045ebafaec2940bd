"""The methods by name, whose libraries are imported when a program is traced.

jaxopt and optax take longer to import than a compiled program to read from a file.
"""

from functools import cache
from importlib import import_module
from typing import Literal

from jaxtyping import PyTree

from stylejax.solvers.state import Function, Method, SolverState

MethodName = Literal["lbfgs", "optax_lbfgs", "adam"]
_MODULES = {"lbfgs": "jaxopt_lbfgs", "optax_lbfgs": "optax_methods", "adam": "optax_methods"}


def made_later(name: MethodName, *numbers: float | int, **named: float | int) -> Method:
    """The method that the function of this name makes of the numbers, made when it is needed."""

    @cache
    def made() -> Method:
        module = import_module(f"stylejax.solvers.{_MODULES[name]}")
        return getattr(module, name)(*numbers, **named)

    def init(fun: Function, params: PyTree, args: tuple) -> SolverState:
        return made().init(fun, params, args)

    def step(fun: Function, state: SolverState, args: tuple) -> SolverState:
        return made().step(fun, state, args)

    return Method(init, step)
