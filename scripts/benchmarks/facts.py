"""Versions and devices, as `benchmark.py device` notes them: what `stylejax info` knows."""

import argparse
import platform
from importlib import metadata
from typing import Any

import jax

from stylejax.devices.known_answers import wrong_answers
from stylejax.version import VERSION

PACKAGES = ("jax", "jaxlib", "jaxopt", "flax", "optax", "numpy", "torch", "nvidia-cudnn-cu12")


def benchmark_facts(arguments: argparse.Namespace) -> dict[str, Any]:
    """Versions, and what JAX says of its first device."""
    versions = {"stylejax": VERSION, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    device = jax.devices()[0]
    return {
        "versions": versions,
        "device": {
            "platform": device.platform,
            "kind": device.device_kind,
            "count": len(jax.devices()),
            "memory": (device.memory_stats() or {}).get("bytes_limit"),
            "platform_version": device.client.platform_version,
            "wrong_answers": wrong_answers(),
        },
    }


def add_parser(commands: Any) -> None:
    """Register the subcommand."""
    parser = commands.add_parser("facts", help="versions and the device")
    parser.set_defaults(run=benchmark_facts)
