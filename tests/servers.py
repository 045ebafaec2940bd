"""A web server on this machine for the tests of downloads."""

import contextlib
import http.server
import threading
from typing import Any


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers from `server.answers`: path to bytes, a status, or a function of the handler."""

    server: Any

    def do_GET(self):
        path = self.path.split("?")[0]
        self.server.asked.append((self.command, path))
        answer = self.server.answers.get(path, 404)
        if callable(answer):
            answer(self)
        elif isinstance(answer, int):
            self.send_error(answer)
        else:
            self.answer(answer)

    do_HEAD = do_GET
    do_POST = do_GET

    def answer(self, content, announced=None, **headers):
        """Send `content`, with the length of it or the one that is announced."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) if announced is None else announced))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # Clients go away on purpose in these tests.
    handle_error = lambda self, request, client_address: None

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = {}, []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def serving():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(timeout=60)
