"""The exception that means "what was given cannot be used", the warning beside it, and an end."""

import zipfile


class InputError(ValueError):
    """A file, picture or value that cannot be used.

    The message is one line that names the file or value, says what is wrong with it and what
    to do. The command line prints it and exits with code 2.
    """


class TooManyPixels(InputError):
    """A picture of more pixels than are decoded, by its header."""


class DoesNotFit(InputError):
    """A picture that memory does not hold; `longest` pixels along its longer side would fit."""

    def __init__(self, text: str, longest: int) -> None:
        """Keep both."""
        super().__init__(text)
        self.longest = longest


class Interrupted(Exception):
    """What an observer's `stage` raises to end a run before what comes next, and keep what is."""


class InputWarning(UserWarning):
    """A file that could be used, with something amiss: one line that names it and says what."""


ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, ValueError)
"""What comes of opening an archive with damage: also to a version, or to the text of a name."""
