"""Accelerators that JAX has a plugin for and does not use, which is said: a run is slow then."""

import os
import warnings
from functools import cache
from importlib import metadata

import jax

from stylejax.errors import InputWarning

PLUGINS = ("jax-cuda12-plugin", "jax-cuda13-plugin", "jax-rocm7-plugin", "libtpu")
"""The packages that bring an accelerator to JAX."""


def installed_plugins() -> dict[str, str]:
    """The plugins that are installed, and their versions."""
    found = {}
    for name in PLUGINS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def unused_plugin() -> str:
    """Which plugin is installed and of no use, and what to do, on one line; empty where none is."""
    if jax.default_backend() != "cpu" or os.environ.get("JAX_PLATFORMS"):
        return ""
    for name, version in installed_plugins().items():
        reason = "this machine has no device for it, or its driver is missing"
        if name != "libtpu" and version != jax.__version__:
            reason = f'versions differ: pip install "jax=={version}" "jaxlib=={version}"'
        return f"{name} {version}: JAX {jax.__version__} runs on the CPU without it; {reason}"
    return ""


@cache
def warn_of_unused_plugin() -> None:
    """Warn once of an accelerator that is not used.

    Warns:
        InputWarning: a plugin is installed, and JAX runs on the CPU unasked.
    """
    if reason := unused_plugin():
        warnings.warn(InputWarning(reason), stacklevel=2)
