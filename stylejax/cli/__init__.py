"""To be said."""

from stylejax.cli.entry import main

__all__ = ["main"]
