"""Whether a history can be drawn."""

from importlib.util import find_spec

from stylejax.errors import InputError


def check_plotting() -> None:
    """Find out before a long run whether `history_plot` will work after it.

    Raises:
        InputError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise InputError("--plot needs matplotlib: pip install 'stylejax[plot]', or use --history")
