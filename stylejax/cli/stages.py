"""What a run does next: shown, and the place where Ctrl-C ends it in order."""

from collections.abc import Callable

from stylejax.devices.hosts import as_first_process_says
from stylejax.errors import Interrupted


def interruptible_stage(
    stop: Callable[[], bool], show: Callable[[str], None] = lambda text: None
) -> Callable[[str], None]:
    """Show what is done next, unless Ctrl-C has been pressed: compiling takes long."""

    def stage(text: str) -> None:
        show(text)
        if as_first_process_says(stop())[0]:
            raise Interrupted

    return stage
