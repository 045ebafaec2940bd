"""What there is on this machine: versions, devices, caches, weights, and known answers."""

import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import jax

from stylejax.cli.listing_commands import Info
from stylejax.cli.screen import complain, print_table
from stylejax.cli.surroundings import use_compile_cache
from stylejax.devices.accelerators import installed_plugins
from stylejax.devices.known_answers import wrong_answers
from stylejax.devices.memory import available_memory, find_devices, total_memory
from stylejax.images.paths import path_exists, shown
from stylejax.runs.program_shelf import shelf_folder
from stylejax.version import VERSION
from stylejax.weights.read import default_weights
from stylejax.weights.zoo import PUBLISHED, cached_path, find_weights

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "jaxopt", "numpy")


def _folder_row(name: str, folder: Path | None) -> tuple[str, str]:
    if folder is None:
        return name, "none: nothing is kept"
    files = [path for path in folder.glob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    return name, f"{shown(folder)} ({len(files)} files, {size / 1e6:.1f} MB)"


def _rows(command: Info) -> Iterator[tuple[str, str]]:
    yield "stylejax", f"{VERSION}, Python {platform.python_version()}, {platform.platform()}"
    versions = {package: metadata.version(package) for package in _PACKAGES} | installed_plugins()
    yield "packages", ", ".join(f"{name} {version}" for name, version in versions.items())
    for device in find_devices(command.device):
        memory = f"{available_memory(device) / 1e9:.1f} of {total_memory(device) / 1e9:.1f} GB free"
        yield "device", f"{device.platform}:{device.id} {device.device_kind}, {memory}"
    cache = jax.config.values["jax_compilation_cache_dir"]
    yield _folder_row("cache", Path(cache) if cache and "://" not in cache else None)
    yield _folder_row("programs", shelf_folder())
    yield "weights", shown(find_weights(None) or default_weights())
    fetched = [name for name in PUBLISHED if path_exists(cached_path(name))]
    yield "fetched", ", ".join(fetched) or "none"


def print_info(command: Info) -> int:
    """Print all of it; returns the exit code, 1 where pictures would be wrong."""
    use_compile_cache()
    rows = list(_rows(command))
    with jax.default_device(find_devices(command.device)[0]):
        wrong, ours = wrong_answers(), wrong_answers(ours_alone=True)
    rows.append(("answers", f"wrong: {'; '.join(wrong)}" if wrong else "right"))
    print_table(rows)
    if wrong:
        which = "pictures are made of it" if ours else "no picture is made of it"
        complain(f"JAX {jax.__version__} computes something wrong here; {which}")
    return 1 if ours else 0
