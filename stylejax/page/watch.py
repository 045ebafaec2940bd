"""A page that watches a run of the terminal: the run goes on there, and is seen here."""

import contextlib
import tempfile
import threading
import time
from pathlib import Path

from stylejax.options import flatten_options
from stylejax.page.job import Job
from stylejax.page.methods import page_methods
from stylejax.page.pictures import new_id
from stylejax.page.request import ServeRequest, check_serve
from stylejax.page.server import address_of, check_web_installed, listen, make_server
from stylejax.page.studio import Studio
from stylejax.runs.observer import Observer
from stylejax.runs.request import Request
from stylejax.runs.summary import Summary
from stylejax.transfer.levels import Progress

SECONDS_TO_LOOK = 1.5
"""So long the page stays when the run has ended, where somebody looks: for the last picture."""


class Watch(contextlib.AbstractContextManager["Watch"]):
    """Serves the page of one run while it lasts, from a thread beside it.

    Attributes:
        address: of the page.
        job: as the page sees the run.
    """

    def __init__(self, request: Request, port: int) -> None:
        """Find out whether it can be served; nothing is yet.

        Raises:
            InputError: the port is taken, or the extra `web` is not installed.
        """
        check_web_installed()
        serve = ServeRequest(port=port)
        check_serve(serve)
        self._listening = listen(serve.host, port)
        self.address = address_of(self._listening, serve.host)
        self._folder = tempfile.TemporaryDirectory(prefix="stylejax-")
        studio = Studio(Path(self._folder.name), page_methods())
        studio.is_watched = True
        id = new_id()
        shown = [studio.pictures.show(path, path.name) for path in request.pictures]
        ids = {picture.path: picture.id for picture in shown}
        form = {
            "method": "transfer",
            "values": flatten_options(request.options),
            "weights": "",
            "content": ids[request.content],
            "styles": [ids[path] for path in request.styles],
            "content_masks": [],
            "style_masks": [],
            "output": str(request.output.resolve()),
        }
        self.job = Job(id, studio.folder / "jobs" / id, form)
        self.job.folder.mkdir()
        studio.jobs[id] = self.job
        self._server = make_server(studio, serve)
        self._thread = threading.Thread(
            target=lambda: self._server.run(sockets=[self._listening]), name="page", daemon=True
        )

    def __enter__(self) -> "Watch":
        """Begin to serve."""
        self._thread.start()
        self.job.change("running")
        return self

    def __exit__(self, *raised: object) -> None:
        """Let those who look see the end, and serve no more."""
        if self.job.is_active:
            self.job.change("failed", "the run has ended early: the terminal says why")
        if self.job.feed.followers:
            time.sleep(SECONDS_TO_LOOK)
        self._server.should_exit = True
        self._thread.join(SECONDS_TO_LOOK)
        self._listening.close()
        self._folder.cleanup()

    def beside(self, observer: Observer) -> Observer:
        """An observer that tells the page too, and asks it whether to stop."""

        def stage(text: str) -> None:
            observer.stage(text)
            self.job.tell_stage(text)

        def progress(progress: Progress) -> None:
            observer.progress(progress)
            self.job.tell_progress(progress)

        stop = lambda: observer.stop() or self.job.asks_to_stop()
        return observer._replace(stage=stage, progress=progress, stop=stop)

    def ended(self, summary: Summary) -> None:
        """Tell the page how the run has ended."""
        self.job.change("stopped" if summary.stopped else "done")
