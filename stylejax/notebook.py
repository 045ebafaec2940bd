"""The progress of a solve in a notebook: one picture and one line, shown again in their place.

    from stylejax.notebook import NotebookProgress

    result = style_transfer(content, [style], callback=NotebookProgress(), every=5)

The stop button ends the solve, and `result` is the picture so far.
"""

import base64
import time
from importlib.util import find_spec
from typing import Protocol

from stylejax.errors import InputError
from stylejax.images.encoding import encode_jpeg
from stylejax.transfer.levels import Progress

_PREVIEW_SIDE = 512


class _Handle(Protocol):
    """A place in a notebook, of which IPython shows the newest content alone."""

    def update(self, obj: object) -> None: ...


class NotebookProgress:
    """A callback for `style_transfer` and `reconstruct`."""

    def __init__(self, seconds: float = 1.0) -> None:
        """Show progress at most every so many seconds.

        Raises:
            InputError: IPython is not installed.
        """
        if find_spec("IPython") is None:
            raise InputError("the display needs IPython: pip install 'stylejax[notebook]'")
        self.seconds = seconds
        self._due, self._handle = 0.0, None

    def __call__(self, progress: Progress) -> None:
        """Show how far a solve is, where it is time to."""
        from IPython.display import HTML, display

        if time.monotonic() < self._due and not progress.done:
            return
        self._due = time.monotonic() + self.seconds
        shown = HTML(progress_html(progress))
        if self._handle is None:
            self._handle: _Handle | None = display(shown, display_id=True)
        else:
            self._handle.update(shown)


def progress_html(progress: Progress) -> str:
    """The picture so far, and how far it is, in a line."""
    inline = base64.b64encode(encode_jpeg(progress.picture(), _PREVIEW_SIDE)).decode()
    line = [
        f"iteration {progress.iteration} of {progress.iterations}",
        f"level {progress.level} of {progress.levels}",
        f"loss {progress.loss:.4g}",
        f"{progress.seconds_left:.0f} s left",
    ]
    return (
        f'<img src="data:image/jpeg;base64,{inline}" alt="The picture so far">'
        f'<div><progress max="{progress.iterations}" value="{progress.iteration}"></progress> '
        f"{', '.join(line)}</div>"
    )
