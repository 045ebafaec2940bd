"""Whether JAX computes right what a solve is made of, found out once for a version on a machine."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from stylejax.devices.known_answers import wrong_answers
from stylejax.devices.memory import Device
from stylejax.runs.program_shelf import surroundings


def warn_of_wrong_answers(device: Device, folder: Path | None, warn: Callable[[str], None]) -> None:
    """Say what is computed wrong on a device, in one line.

    Args:
        device: the default one.
        folder: where it is noted that all is right, so that the next run need not ask.
        warn: is given the line.
    """
    digest = hashlib.sha256(surroundings(device).encode()).hexdigest()
    noted = None if folder is None else folder / f"{digest}.right"
    if noted is not None and noted.exists():
        return
    if wrong := wrong_answers(ours_alone=True):
        warn(
            f"this version of JAX computes {' and '.join(wrong)} wrong on {device.device_kind}: "
            "the picture will be of no use; install another version (`stylejax info` tells more)"
        )
        return
    if noted is not None:
        try:
            noted.parent.mkdir(parents=True, exist_ok=True)
            noted.touch()
        except OSError:
            # It will be found out again.
            return
