"""The terminal: words in, a run of `runs` and what is said about it out; `main` does all of it."""

from stylejax.cli.entry import main

__all__ = ["main"]
