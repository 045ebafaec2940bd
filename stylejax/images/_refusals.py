"""What goes wrong with a picture file, in one line."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from stylejax.errors import InputError, TooManyPixels
from stylejax.images._kinds import SAVE_AS

MAXIMUM_PIXELS = 178_956_970
"""Where Pillow refuses to open a picture, as a guard against decompression bombs."""


@contextmanager
def one_line_errors(path: Path) -> Iterator[None]:
    """Whatever goes wrong with a file in the body becomes an InputError."""
    try:
        # Pillow warns of large pictures and odd metadata, of which no warning need reach the user.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:  # On damaged files Pillow raises nearly anything.
        if _is_our_mistake(error):
            raise
        kind = TooManyPixels if isinstance(error, Image.DecompressionBombError) else InputError
        raise kind(f"{path}: {_reason(error)}") from error


# Where what we pass on is checked, if at all.
_OURS = ("stylejax", "jaxtyping", "beartype")


def _is_our_mistake(error: Exception) -> bool:
    """Whether an error is one of programming, raised in this package and not in a decoder."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "" if trace is None else trace.tb_frame.f_globals.get("__name__", "")
    is_programming = isinstance(error, TypeError | AttributeError | NameError)
    return is_programming and module.split(".")[0] in _OURS


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAXIMUM_PIXELS:,} pixels; scale it down first"
    if isinstance(error, MemoryError):
        return "too large for the memory of this machine; scale it down first"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror}); check the permissions and the disk"
    detail = " ".join(str(error).split()) or type(error).__name__
    if "nsupported" in detail or "not supported" in detail:
        return f"not supported ({detail}); {SAVE_AS}"
    return f"damaged or cut off ({detail}); save or download it again"
