"""Pictures, settings and the questions of a browser come in, over HTTP.

Out go a page to paint on, the progress of its jobs and their pictures; jobs run through `runs`, as
those of the command line do.
"""

from stylejax.page.request import ServeRequest, check_serve
from stylejax.page.server import check_web_installed, serve
from stylejax.page.watch import Watch

__all__ = ["ServeRequest", "Watch", "check_serve", "check_web_installed", "serve"]
