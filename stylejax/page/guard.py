"""Who may ask what: checked before any route sees a request, and said on every answer."""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 64 * 2**20
"""Of the body of a request."""
COOKIE = "stylejax"
_READS = ("GET", "HEAD")
_SAID_ALWAYS = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))


def refusal(status: int, reason: str) -> JSONResponse:
    """An answer that says in one line why not."""
    return JSONResponse({"error": reason}, status)


def _name(host: str) -> str:
    """The name in a Host header, without its port and in small letters."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _address(name: str) -> str | None:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return None


class Guard:
    """Stands before the routes.

    A request must name this server by a name that it is known by (else another site's name could
    be made to lead here), bring the token where there is one, and, if it changes anything, come
    from a page of this server.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str], token: str | None) -> None:
        """Let the names pass, beside those of the loopback; None for no token."""
        self.app = app
        self.names = LOOPBACK_NAMES | {name.lower().strip("[]") for name in names}
        self.secret = None if token is None else hashlib.sha256(token.encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SAID_ALWAYS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._refused(scope)
        if answer is not None:
            await answer(scope, receive, send_safely)
        else:
            await self.app(scope, _limited(receive), send_safely)

    def _refused(self, scope: Scope) -> Response | None:
        """The answer to a request that goes no further."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_known(host, scope):
            return refusal(403, f"host {host!r}: not a name of this server; see --allow-host")
        if scope["method"] not in _READS:
            origin = headers.get("origin")
            if origin not in (f"http://{host}", f"https://{host}"):
                return refusal(403, f"origin {origin!r}: only this server's own page may do that")
        answer = self._without_token(scope, headers)
        if answer is not None:
            return answer
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return refusal(400, f"content-length {length!r}: not a number")
        return _too_large() if int(length) > MOST_BYTES else None

    def _is_known(self, host: str, scope: Scope) -> bool:
        """Whether a Host header names this server.

        The very address that the connection has arrived at does too: no name stands for it.
        """
        name = _name(host)
        if name in self.names:
            return True
        arrived, address = (scope.get("server") or ("",))[0], _address(name)
        return address is not None and address == _address(arrived)

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to a request without the token; one that has it in its address keeps it."""
        if self.secret is None:
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        given = query.get("token", [""])[0]
        if scope["path"] == "/" and self._is_secret(given):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, self.secret, httponly=True, samesite="strict")
            return answer
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_secret(bearer):
            return None
        cookies = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        kept = "".join(value for name, _, value in cookies if name == COOKIE)
        if hmac.compare_digest(kept.encode(), self.secret.encode()):
            return None
        return refusal(401, "no token: open the page as /?token=TOKEN, with that of --token")

    def _is_secret(self, token: str) -> bool:
        digest = hashlib.sha256(token.encode()).hexdigest()
        return hmac.compare_digest(digest, self.secret or "")


def _too_large() -> JSONResponse:
    return refusal(413, f"more than {MOST_BYTES // 2**20} MiB: send less at once")


def _limited(receive: Receive) -> Receive:
    """The body of a request as it comes, up to the limit, whatever its header says."""
    got = 0

    async def limited() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > MOST_BYTES:
            raise HTTPException(413, f"more than {MOST_BYTES // 2**20} MiB: send less at once")
        return message

    return limited
