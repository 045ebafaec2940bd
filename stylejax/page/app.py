"""The routes: what is asked under which address, and what is answered."""

import json
from collections.abc import Awaitable, Callable, Iterable
from importlib.resources import files
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from stylejax.errors import InputError
from stylejax.page.form import Json
from stylejax.page.guard import Guard, refusal
from stylejax.page.job import Job
from stylejax.page.pictures import ShownPicture, preview
from stylejax.page.previews import PREVIEW_SIDE
from stylejax.page.studio import QueueFull, Studio
from stylejax.page.views import (
    form_view,
    gallery_view,
    job_view,
    picture_view,
    result_of,
    settings_view,
)

_MOST_JSON = 2**20
_THUMBNAIL_SIDE = 320
_PAGE_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".tiff": "image/tiff",
}
"""What jobs write, and so all that is handed out as it lies on the disk."""

Endpoint = Callable[[Request], Awaitable[Response]]


def _answering(handle: Endpoint) -> Endpoint:
    """The handler, with errors of the input as one line."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handle(request)
        except QueueFull as error:
            return refusal(429, str(error))
        except InputError as error:
            return refusal(400, str(error))

    return endpoint


async def _json_body(request: Request) -> Json:
    """What the page has sent.

    Raises:
        InputError: it is no JSON, or too long.
    """
    body = await request.body()
    if len(body) > _MOST_JSON:
        raise InputError("the request is too long")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("the request is no JSON") from error


def _page_file(name: str, kind: str) -> Endpoint:
    content = files("stylejax.page").joinpath("static", name).read_bytes()

    async def endpoint(request: Request) -> Response:
        return Response(content, media_type=kind)

    return endpoint


async def _no_icon(request: Request) -> Response:
    """What browsers ask for unasked."""
    return Response(status_code=204)


class Routes:
    """The handlers of a studio's addresses.

    Ids are looked up among those that were handed out: none is ever made into a path.
    """

    def __init__(self, studio: Studio) -> None:
        """All handlers answer for one studio."""
        self.studio = studio

    def _job(self, request: Request) -> Job:
        job = self.studio.jobs.get(request.path_params["id"])
        if job is None:
            raise HTTPException(404)
        return job

    def _picture(self, request: Request) -> ShownPicture:
        picture = self.studio.pictures.find(request.path_params["id"])
        if picture is None or not picture.path.is_file():
            raise HTTPException(404)
        return picture

    def _view(self, job: Job, status: int = 200) -> Response:
        return JSONResponse(job_view(self.studio, job), status)

    async def form(self, request: Request) -> Response:
        """What the page's controls are made from."""
        return JSONResponse(await run_in_threadpool(form_view, self.studio))

    async def receive(self, request: Request) -> Response:
        """A picture is sent: the body is its file, byte for byte."""
        self._only_painting()
        name = unquote(request.headers.get("x-file-name", ""))[:1000]
        content = await request.body()
        picture = await run_in_threadpool(self.studio.pictures.receive, content, name)
        settings = await run_in_threadpool(settings_view, picture.path, self.studio)
        return JSONResponse(picture_view(picture) | {"settings": settings}, 201)

    async def settings(self, request: Request) -> Response:
        """How a picture was made."""
        picture = self._picture(request)
        return JSONResponse(await run_in_threadpool(settings_view, picture.path, self.studio))

    async def _shown(self, picture: ShownPicture, longest: int) -> Response:
        content = await run_in_threadpool(preview, picture.path, longest)
        return Response(content, media_type="image/jpeg")

    async def preview(self, request: Request) -> Response:
        """A picture as it is looked at."""
        return await self._shown(self._picture(request), PREVIEW_SIDE)

    async def thumbnail(self, request: Request) -> Response:
        """A small picture."""
        return await self._shown(self._picture(request), _THUMBNAIL_SIDE)

    async def file(self, request: Request) -> Response:
        """The file that a job has written."""
        picture = self._picture(request)
        kind = _TYPES.get(picture.path.suffix)
        if not picture.is_ours or kind is None:
            raise HTTPException(404)
        return FileResponse(
            picture.path,
            media_type=kind,
            filename=picture.name,
            content_disposition_type="attachment",
        )

    async def jobs(self, request: Request) -> Response:
        """All jobs, the oldest first."""
        return JSONResponse([job_view(self.studio, job) for job in self.studio.jobs.values()])

    async def add(self, request: Request) -> Response:
        """A job is asked for."""
        self._only_painting()
        asked = await _json_body(request)
        return self._view(await run_in_threadpool(self.studio.add, asked), 201)

    async def job(self, request: Request) -> Response:
        """One job."""
        return self._view(self._job(request))

    async def stop(self, request: Request) -> Response:
        """A job is to end; it does after the iteration under way."""
        job = self._job(request)
        await run_in_threadpool(self.studio.stop, job)
        return self._view(job, 202)

    async def resume(self, request: Request) -> Response:
        """A stopped job is to go on."""
        self._only_painting()
        job = self._job(request)
        await run_in_threadpool(self.studio.resume, job)
        return self._view(job, 202)

    async def events(self, request: Request) -> Response:
        """What happens to a job, from the number on that the browser has last heard of."""
        feed = self._job(request).feed
        given = request.headers.get("last-event-id", "0")
        after = int(given) if given.isdecimal() and len(given) < 10 else 0
        if feed.closed and after == len(feed.events) > 0:
            # So a browser asks no more.
            return Response(status_code=204)
        return StreamingResponse(
            feed.follow(after),
            media_type="text/event-stream",
            headers={"x-accel-buffering": "no"},
        )

    async def job_preview(self, request: Request) -> Response:
        """The picture as it is: the next one that is made, or the first behind a given number."""
        job = self._job(request)
        given = request.query_params.get("after", "")
        after = int(given) if given.isdecimal() and len(given) < 10 else job.previews.number
        if job.is_active:
            content = await job.previews.newer(after)
            if content is not None:
                number = {"x-preview": str(job.previews.number)}
                return Response(content, media_type="image/jpeg", headers=number)
        result = None if job.is_active else result_of(self.studio, job)
        if result is None:
            return Response(status_code=204)
        return await self._shown(result, PREVIEW_SIDE)

    async def gallery(self, request: Request) -> Response:
        """The pictures of the folder."""
        return JSONResponse(await run_in_threadpool(gallery_view, self.studio))

    def _only_painting(self) -> None:
        if self.studio.is_watched:
            raise HTTPException(403, "this page watches a run of the terminal, and makes none")


def _say_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = {404: "nothing here by that name", 405: "not to be asked like that"}
    return refusal(error.status_code, known.get(error.status_code, error.detail))


def make_app(studio: Studio, *, names: Iterable[str] = (), token: str | None = None) -> Guard:
    """The page of a studio as an ASGI application.

    Args:
        studio: whose jobs and pictures are shown.
        names: by which browsers may call the server, beside those of the loopback.
        token: the secret that has to be brought along; None for none.
    """
    routes = Routes(studio)
    gets = {
        "/api/form": routes.form,
        "/api/pictures/{id}/settings": routes.settings,
        "/api/pictures/{id}/preview": routes.preview,
        "/api/pictures/{id}/thumbnail": routes.thumbnail,
        "/api/pictures/{id}/file": routes.file,
        "/api/jobs": routes.jobs,
        "/api/jobs/{id}": routes.job,
        "/api/jobs/{id}/events": routes.events,
        "/api/jobs/{id}/preview": routes.job_preview,
        "/api/gallery": routes.gallery,
        "/favicon.ico": _no_icon,
        **{path: _page_file(*file) for path, file in _PAGE_FILES.items()},
    }
    posts = {
        "/api/pictures": routes.receive,
        "/api/jobs": routes.add,
        "/api/jobs/{id}/stop": routes.stop,
        "/api/jobs/{id}/resume": routes.resume,
    }
    table = [(gets, "GET"), (posts, "POST")]
    app = Starlette(
        routes=[
            Route(path, _answering(endpoint), methods=[verb])
            for paths, verb in table
            for path, endpoint in paths.items()
        ],
        exception_handlers={HTTPException: _say_error},
    )
    return Guard(app, names, token)
