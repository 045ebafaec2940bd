"""What a run finds around it: a cache that can be written or not, JAX's modes, devices."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import psutil

from stylejax.cli.commands import RunOptions
from stylejax.errors import InputError

MOST_CACHED_BYTES = 2**29
"""Of compiled programs; those that have not been used for longest go first."""
_ORDINARY_MODES = {
    "jax_check_tracer_leaks": False,
    "jax_debug_infs": False,
    "jax_debug_key_reuse": False,
    "jax_debug_nans": False,
    "jax_disable_jit": False,
    "jax_enable_x64": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    "jax_raise_persistent_cache_errors": False,
    "jax_transfer_guard": "allow",
    "jax_transfer_guard_device_to_device": "allow",
    "jax_transfer_guard_device_to_host": "allow",
    "jax_transfer_guard_host_to_device": "allow",
}


@contextlib.contextmanager
def ordinary_modes() -> Iterator[None]:
    """Run as JAX does by itself, whatever strict mode the environment asks for.

    Those modes look for mistakes in programs; to a picture they would make a difference of bits, or
    none at all. All of them are as they were in the end.
    """
    asked = any(name.upper() in os.environ for name in _ORDINARY_MODES)
    if not asked and "jax" not in sys.modules:
        yield
        return
    import jax

    before = {name: getattr(jax.config, name) for name in _ORDINARY_MODES}
    for name, value in _ORDINARY_MODES.items():
        jax.config.update(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


def use_compile_cache() -> None:
    """Let JAX keep what it compiles, where the user has not told it a place already.

    Where nothing can be kept, nothing is.
    """
    import jax

    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = platformdirs.user_cache_path("stylejax") / "compiled"
        if not _is_ready(folder):
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
        if "JAX_COMPILATION_CACHE_MAX_SIZE" not in os.environ:
            jax.config.update("jax_compilation_cache_max_size", MOST_CACHED_BYTES)
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        # Far below JAX's 1 s: a start is made of many small programs.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def process_start() -> float:
    """When this process began, in seconds as `time.time` counts them."""
    return psutil.Process().create_time()


def _is_ready(folder: Path) -> bool:
    """Make the folder, and whole again what a killed process has left in it."""
    if not folder.is_absolute():
        # Of a user without a home: `~` would be a folder in the current one.
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = {entry.name for entry in os.scandir(folder)}
        for name in names:
            key = name.removesuffix("-cache")
            # Beside each program JAX writes when it was used, and adds none where that is missing.
            if key != name and f"{key}-atime" not in names:
                (folder / f"{key}-atime").write_bytes(bytes(8))
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def use_processes(run: RunOptions) -> None:
    """Make JAX ready for a run: its cache, and the other processes."""
    from stylejax.devices.hosts import join_processes

    if run.compile_cache:
        use_compile_cache()
    if run.coordinator is not None:
        join_processes(run.coordinator, run.num_processes, run.process_id)
    elif run.num_processes is not None or run.process_id is not None:
        raise InputError("--num-processes and --process-id need --coordinator")
