"""A command line comes in.

Out goes an exit code, with what the terminal shows until then; parsing and printing belong to this
package alone.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.cli.entry import main
else:
    __getattr__, __dir__ = lazy_names(__name__, "entry")

__all__ = ["main"]
