"""The server itself: a socket, uvicorn behind it, and an end that keeps what is being made."""

import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from types import FrameType
from typing import TYPE_CHECKING

from stylejax.errors import InputError
from stylejax.page.methods import page_methods
from stylejax.page.request import ServeRequest, check_serve
from stylejax.page.studio import Studio

if TYPE_CHECKING:
    # Of the extra `web`: imported when something is served, and not with the package.
    import uvicorn

SECONDS_TO_ANSWER = 2
"""So long an end waits for answers that are under way."""
SECONDS_TO_KEEP = 60.0
"""So long an end waits for the iteration under way, the picture and its checkpoint."""


def check_web_installed() -> None:
    """Find out whether a page can be served at all.

    Raises:
        InputError: starlette or uvicorn is not installed.
    """
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise InputError(f"the page needs {' and '.join(missing)}: pip install 'stylejax[web]'")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at an address.

    Raises:
        InputError: the port is taken, or the address is none of this machine's.
    """
    listening = None
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
        return listening
    except OSError as error:
        if listening is not None:
            listening.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"port {port} is taken: give another one") from error
        reason = error.strerror or str(error)
        raise InputError(f"{host}, port {port}: cannot be listened at ({reason})") from error


def address_of(listening: socket.socket, host: str) -> str:
    """Where a browser finds a listening socket."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listening.getsockname()[1]}"


@contextlib.contextmanager
def _signals_ask(server_ends: Callable[[], None]) -> Iterator[None]:
    """While this lasts, a signal to end only asks: uvicorn repeats the one that has ended it."""
    ask = lambda number, frame: server_ends()
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def make_server(studio: Studio, request: ServeRequest) -> "uvicorn.Server":
    """A server of a studio's page, which runs on a socket that listens.

    Its own signal handlers let all streams go, which would hold the end up else.
    """
    import uvicorn

    from stylejax.page.app import make_app

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            studio.let_go()
            super().handle_exit(sig, frame)

    names = (request.host, *request.allow_host)
    app = make_app(studio, names=names, token=request.token)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=SECONDS_TO_ANSWER,
    )
    return Server(config)


def serve(request: ServeRequest, tell: Callable[[str], None]) -> bool:
    """Serve the page until a signal ends it; what is being made is stopped and kept then.

    Args:
        request: where, and to whom.
        tell: is told where the page is, and how it ends.

    Returns:
        Whether all has ended; else a job is still under way in its thread.

    Raises:
        InputError: something in the request cannot be used, the port is taken, or the extra `web`
            is not installed.
    """
    check_web_installed()
    check_serve(request)
    with contextlib.closing(listen(request.host, request.port)) as listening:
        studio = Studio(request.folder, page_methods())
        studio.start()
        shown = "localhost" if request.host in ("0.0.0.0", "::") else request.host
        question = "" if request.token is None else "/?token=TOKEN, with that of --token"
        tell(f"{address_of(listening, shown)}{question}")
        with _signals_ask(studio.let_go):
            make_server(studio, request).run(sockets=[listening])
    tell("stopping what is being made: its picture and its checkpoint are kept")
    ended = False
    # A second signal is not waited for.
    with contextlib.suppress(KeyboardInterrupt):
        ended = studio.end(SECONDS_TO_KEEP)
    if not ended:
        tell("not waited for any longer: its last checkpoint is kept")
    return ended
