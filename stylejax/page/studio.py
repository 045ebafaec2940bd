"""All jobs, and the one thread that does them, one after the other in the order they came.

The folder holds `jobs/ID/`, each with `job.json`, the result and its checkpoint, and `pictures/`,
what browsers have sent. A server that is killed finds all of it again.
"""

import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from stylejax.errors import InputError
from stylejax.page.form import Json, field_names
from stylejax.page.job import CUT_OFF, Job, load_job, try_to_save
from stylejax.page.methods import PageMethod
from stylejax.page.orders import Ending, JobObserver, Order, Work
from stylejax.page.pictures import Pictures, new_id
from stylejax.weights.zoo import find_weights, weights_rows

MOST_QUEUED = 20
"""Jobs that may wait for their turn."""
FORMATS = ("png", "jpg", "webp", "tiff")
_KEYS = {"method", "values", "weights", "format", "content", "styles"}
_MASKS = ("content_masks", "style_masks")
_MOST_PICTURES = 20
_log = logging.getLogger(__name__)


class QueueFull(InputError):
    """As many jobs wait as may."""


def weights_here() -> dict[str, str]:
    """The weights that can be chosen, with the network that they are of: those that are here."""
    return {name: network for name, network, where, *_ in weights_rows() if where != "not here"}


class Studio:
    """Takes jobs in, does them, and finds them again.

    Attributes:
        folder: of all that is kept.
        methods: by name.
        pictures: that the page may see.
        jobs: by id, the oldest first.
        is_watched: whether its one job is done elsewhere, and may only be looked at and stopped.
    """

    is_watched = False

    def __init__(self, folder: Path, methods: Mapping[str, PageMethod]) -> None:
        """Find what another server has left; nothing runs before `start`."""
        self.folder, self.methods = folder, methods
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        (folder / "jobs").mkdir(exist_ok=True)
        self.pictures = Pictures(folder / "pictures")
        found = [load_job(path) for path in (folder / "jobs").iterdir()]
        known = [job for job in found if job is not None and job.method in methods]
        self.jobs = {job.id: job for job in sorted(known, key=lambda job: job.made)}
        for job in self.jobs.values():
            if job.message == CUT_OFF:
                try_to_save(job)
        self.queue = [job for job in self.jobs.values() if job.state == "queued"]
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ending = False

    def start(self) -> None:
        """Begin to do what waits."""
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._thread.start()

    def end(self, seconds: float) -> bool:
        """Stop what is being done, keep it, and wait so long for that; whether it has ended."""
        self._ending = True
        with self._changed:
            self._changed.notify_all()
        for job in self.jobs.values():
            if job.state in ("running", "stopping"):
                job.stop_asked = True
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def let_go(self) -> None:
        """Let all who follow jobs go: the server ends."""
        for job in self.jobs.values():
            job.feed.close()

    def add(self, asked: Json) -> Job:
        """Take a job in.

        Args:
            asked: what the page has sent.

        Raises:
            InputError: it makes no sense; `QueueFull` where it has to wait until others are done.
        """
        id = new_id()
        job = Job(id, self.folder / "jobs" / id, self._checked(asked))
        try:
            self.order(job)
        except InputError as error:
            raise InputError(self._said(str(error))) from error
        with self._changed:
            if len(self.queue) >= MOST_QUEUED:
                raise QueueFull(f"{MOST_QUEUED} jobs wait already: stop one, or come back later")
            job.folder.mkdir(parents=True)
            job.save()
            self.jobs[id] = job
            self.queue.append(job)
            self._changed.notify_all()
        return job

    def stop(self, job: Job) -> None:
        """Ask a job to end; one that waits does so at once."""
        with self._changed:
            if job in self.queue:
                self.queue.remove(job)
                job.change("stopped")
            elif job.state == "running":
                job.stop_asked = True
                job.change("stopping")

    def resume(self, job: Job) -> None:
        """Put a job that has ended back in the queue; it goes on where there is a checkpoint.

        Raises:
            InputError: it has not been stopped, or has failed.
            QueueFull: it has to wait until others are done.
        """
        with self._changed:
            if job.state not in ("stopped", "failed"):
                raise InputError(f"this job is {job.state}: only a stopped one goes on")
            if len(self.queue) >= MOST_QUEUED:
                raise QueueFull(f"{MOST_QUEUED} jobs wait already: stop one, or come back later")
            job.stop_asked = False
            job.change("queued")
            self.queue.append(job)
            self._changed.notify_all()

    def order(self, job: Job) -> Work:
        """What is to be done for a job.

        Raises:
            InputError: something in it cannot be used.
        """
        method, form = self.methods[job.method], job.form
        weights = form["weights"]
        return method.work(
            Order(
                tuple(group.read(form["values"]) for group in method.groups),
                self._sent(form["content"]),
                tuple(map(self._sent, form["styles"])),
                tuple(map(self._sent, form["content_masks"])),
                tuple(map(self._sent, form["style_masks"])),
                find_weights(Path(weights)) if weights else None,
                job.output,
                method.continues(job.output),
            )
        )

    def _sent(self, id: str) -> Path:
        """The file of a picture that was sent."""
        picture = self.pictures.sent.get(id)
        if picture is None:
            raise InputError("a picture is not here any more: send it again")
        return picture.path

    def _checked(self, asked: Json) -> dict[str, Json]:
        """What the page has sent, as a job keeps it.

        Raises:
            InputError: says what is wrong.
        """
        if not isinstance(asked, dict) or not asked.keys() <= {*_KEYS, *_MASKS}:
            raise InputError(f"a job is an object of {', '.join(sorted({*_KEYS, *_MASKS}))}")
        method = self.methods.get(str(asked.get("method")))
        if method is None:
            raise InputError(f"method: give one of {', '.join(self.methods)}")
        values = asked.get("values", {})
        unknown = set(values if isinstance(values, dict) else [""]) - field_names(method.groups)
        if unknown:
            raise InputError(f"values: {sorted(map(str, unknown))[0][:60]!r} is no option")
        form: dict[str, Json] = {"method": method.name, "values": values}
        form["weights"] = asked.get("weights") or ""
        if form["weights"] and (
            not method.takes_weights or form["weights"] not in weights_here().keys()
        ):
            raise InputError("weights: give one of the names that the page lists")
        ending = asked.get("format", FORMATS[0])
        if ending not in FORMATS:
            raise InputError(f"format: give one of {', '.join(FORMATS)}")
        form["output"] = "result" if method.is_folder else f"result.{ending}"
        form["content"] = asked.get("content")
        for key in ("styles", *_MASKS):
            form[key] = asked.get(key, [])
            if not isinstance(form[key], list) or len(form[key]) > _MOST_PICTURES:
                raise InputError(f"{key}: give a list of at most {_MOST_PICTURES} pictures")
        if not method.takes_styles:
            form["styles"], form["style_masks"] = [], []
        if not method.takes_masks:
            form["content_masks"] = []
        for id in (form["content"], *form["styles"], *form["content_masks"], *form["style_masks"]):
            if not isinstance(id, str) or id not in self.pictures.sent:
                raise InputError("a picture is missing: drop a photograph and a painting first")
        if method.takes_styles and not form["styles"] and not method.is_folder:
            raise InputError("no painting: drop one beside the photograph")
        return form

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self.queue or self._ending)
            if self._ending:
                return None
            job = self.queue.pop(0)
            job.state = "running"
            return job

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                ending = self._run(job)
                with self._changed:
                    job.change("stopped" if ending.stopped else "done", ending.message)
            except InputError as error:
                self._fail(job, self._said(str(error)))
            except Exception as error:
                # Whatever it was: the next job has its turn.
                _log.exception("job %s", job.id)
                reason = (str(error).splitlines() or [""])[0][:200]
                self._fail(job, f"{type(error).__name__}: {reason}")

    def _fail(self, job: Job, message: str) -> None:
        try:
            with self._changed:
                job.change("failed", message)
        except InputError:
            # The disk is full, say: what is told does not need it.
            job.state = "failed"
            job.feed.close()

    def _said(self, message: str) -> str:
        """A message with the names of pictures in place of their files."""
        for picture in self.pictures.sent.values():
            message = message.replace(str(picture.path), picture.name)
        return message.replace(f"{self.folder}/", "")

    def _run(self, job: Job) -> Ending:
        with self._changed:
            # It may have been asked to stop already: then it says so.
            if not job.stop_asked:
                job.change("running")
        observer = JobObserver(
            stage=job.tell_stage,
            progress=job.tell_progress,
            grid=job.tell_grid,
            lanes=job.tell_lanes,
            finished=job.tell_finished,
            stop=job.asks_to_stop,
        )
        return self.order(job)(observer)
