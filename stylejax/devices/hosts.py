"""Several processes, on one host or many, as one run by JAX's own runtime.

Every process runs the same program on the same files; JAX spreads arrays over the devices of all.
What depends on a clock or on the terminal is decided by the first process for all of them, since
they must take the same steps. Only the first process writes. A single process is the simple case
of everything here.
"""

from collections.abc import Sequence

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree

from stylejax.devices.memory import Device
from stylejax.errors import InputError

AUTOMATIC = "auto"
"""The coordinator's name where Slurm, a TPU pod or GKE says all by itself."""
SECONDS_UNTIL_DEAD = 20
"""A process that has not been heard from for this long is given up, and the others end."""
SECONDS_TO_GATHER = 120
"""How long the first processes wait for the last one to start."""


def join_processes(
    coordinator: str, processes: int | None = None, index: int | None = None
) -> None:
    """Become one of several processes; to be called before JAX is used in any way.

    Args:
        coordinator: host and port of the first process, or `AUTOMATIC`.
        processes: how many there are.
        index: which one this is, from 0.

    Raises:
        InputError: an argument is missing or wrong, or the others were not met.
    """
    known = {}
    if coordinator != AUTOMATIC:
        if processes is None or index is None:
            raise InputError("--coordinator needs --num-processes and --process-id")
        if not 0 <= index < processes:
            raise InputError(f"--process-id {index}: give 0 to {processes - 1}")
        host, _, port = coordinator.rpartition(":")
        if not host or not port.isdecimal():
            raise InputError(f"--coordinator {coordinator}: give HOST:PORT, or {AUTOMATIC}")
        known = {
            "coordinator_address": coordinator,
            "num_processes": processes,
            "process_id": index,
            "cluster_detection_method": "deactivate",
        }
    # Else it would catch SIGTERM, and nothing but SIGKILL would end the process.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            **known,
            initialization_timeout=SECONDS_TO_GATHER,
            heartbeat_timeout_seconds=SECONDS_UNTIL_DEAD,
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"--coordinator {coordinator}: the processes did not meet ({reason})"
        ) from error


def own_device(devices: Sequence[Device]) -> Device:
    """The first of this process's own devices."""
    return next(each for each in devices if each.process_index == jax.process_index())


def is_alone(devices: Sequence[Device]) -> bool:
    """Whether there is nothing but one device of one process."""
    return len(devices) == 1 and jax.process_count() == 1


def is_first_process() -> bool:
    """Whether this process is the one that writes and shows progress."""
    return jax.process_index() == 0


def as_first_process_says(*numbers: int) -> tuple[int, ...]:
    """The first process's numbers, on every process; all must call this at the same point."""
    if jax.process_count() == 1:
        return numbers
    of_first = multihost_utils.broadcast_one_to_all(np.asarray(numbers, np.int32))
    return tuple(int(number) for number in np.asarray(of_first))


def on_host(tree: PyTree) -> PyTree:
    """A pytree's arrays on the host, wherever their parts are; all processes must call it."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    return multihost_utils.process_allgather(tree, tiled=True)
