"""Pictures, settings and the questions of a browser come in, over HTTP.

Out go a page to paint on, the progress of its jobs and their pictures; jobs run through `runs`, as
those of the command line do.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.page.request import ServeRequest, check_serve
    from stylejax.page.server import check_web_installed, serve
    from stylejax.page.watch import Watch
else:
    __getattr__, __dir__ = lazy_names(__name__, "request", "server", "watch")

__all__ = ["ServeRequest", "Watch", "check_serve", "check_web_installed", "serve"]
