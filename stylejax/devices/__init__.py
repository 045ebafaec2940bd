"""The devices and processes that JAX sees come in, and the size of what is to be computed.

Out goes whether it fits, and which device and which process has which part of it.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.devices.hosts import (
        as_first_process_says,
        is_first_process,
        join_processes,
        on_host,
    )
    from stylejax.devices.memory import (
        Device,
        available_memory,
        check_memory,
        estimated_memory,
        find_devices,
        fitting_strip_rows,
        release_freed_memory,
    )
    from stylejax.devices.mesh import communication, devices_for_height, placed, places_on
else:
    __getattr__, __dir__ = lazy_names(__name__, "hosts", "memory", "mesh")

__all__ = [
    "Device",
    "as_first_process_says",
    "available_memory",
    "check_memory",
    "communication",
    "devices_for_height",
    "estimated_memory",
    "find_devices",
    "fitting_strip_rows",
    "is_first_process",
    "join_processes",
    "on_host",
    "placed",
    "places_on",
    "release_freed_memory",
]
