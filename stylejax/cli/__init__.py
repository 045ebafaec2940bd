"""A command line comes in.

Out goes an exit code, with what the terminal shows until then; parsing and printing belong to this
package alone.
"""

from stylejax.cli.entry import main

__all__ = ["main"]
