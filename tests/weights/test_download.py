import contextlib
import socket
import threading

import pytest
from servers import serving

from stylejax.errors import InputError
from stylejax.weights import download as module
from stylejax.weights.download import check_reachable, download_file

CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture
def closed():
    """An address at which connections are refused."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/file"


@pytest.fixture
def silent(monkeypatch):
    """An address that takes connections and never answers."""
    monkeypatch.setattr(module, "SECONDS_TO_ANSWER", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/file"


def accept(path):
    pass


def is_whole(path):
    if path.read_bytes() != CONTENT:
        raise InputError("not whole")


def get(urls, path, check=is_whole):
    seen = []
    url = download_file(urls, path, check, lambda done, total: seen.append((done, total)))
    return url, seen


def refusal(urls, path, check=is_whole):
    with pytest.raises(InputError) as error:
        get(urls, path, check)
    assert not path.exists() and "\n" not in str(error.value)
    return str(error.value)


def test_a_file_arrives_whole_and_progress_is_told(server, tmp_path):
    server.answers["/file"] = CONTENT
    url, seen = get([f"{server.url}/file"], tmp_path / "file")
    assert url == f"{server.url}/file" and (tmp_path / "file").read_bytes() == CONTENT
    done = [entry[0] for entry in seen]
    assert done == sorted(done) and len(done) > 1
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_without_a_length(server, tmp_path):
    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT)

    server.answers["/file"] = answer
    _, seen = get([f"{server.url}/file"], tmp_path / "file")
    assert seen[-1] == (len(CONTENT), None)


def test_the_first_good_place_is_taken(server, closed, tmp_path):
    server.answers |= {
        "/gone": 404,
        "/broken": 503,
        "/short": lambda handler: handler.answer(CONTENT[:-1], announced=len(CONTENT)),
        "/other": CONTENT[::-1],
        "/page": b"<html>log in</html>",
        "/good": CONTENT,
        "/late": b"never asked for its content",
    }
    places = ["gone", "broken", "short", "other", "page", "good", "late"]
    urls = [closed, *(f"{server.url}/{place}" for place in places)]
    assert get(urls, tmp_path / "file")[0] == f"{server.url}/good"
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_redirections_are_followed(server, tmp_path):
    def elsewhere(handler):
        handler.send_response(302)
        handler.send_header("Location", "/file")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.answers |= {"/moved": elsewhere, "/file": CONTENT}
    get([f"{server.url}/moved"], tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_every_reason_is_given(server, closed, tmp_path):
    server.answers |= {
        "/short": lambda handler: handler.answer(CONTENT[:10], announced=len(CONTENT)),
        "/other": CONTENT[::-1],
    }
    host = server.url.removeprefix("http://")
    message = refusal([f"{server.url}/gone"], tmp_path / "file")
    assert message == f"{host}: HTTP 404"
    message = refusal([f"{server.url}/short"], tmp_path / "file", accept)
    assert message == f"{host}: ended after 10 of {len(CONTENT)} bytes"
    message = refusal([closed, f"{server.url}/other"], tmp_path / "file")
    assert "Connection refused; " in message and message.endswith(f"{host}: not whole")


def test_nobody_answers(silent, tmp_path):
    assert "no answer" in refusal([silent, silent], tmp_path / "file")


def test_a_silent_place_does_not_keep_the_next_from_being_asked(silent, server, tmp_path):
    server.answers["/file"] = CONTENT
    assert get([silent, f"{server.url}/file"], tmp_path / "file")[0] == f"{server.url}/file"


def test_a_name_that_is_not_found(monkeypatch, tmp_path):
    def fail(*arguments, **options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    message = refusal(["http://nowhere.invalid/file"], tmp_path / "file")
    assert message == "nowhere.invalid: Name or service not known"


def test_reachable_is_whatever_answers(server, closed, silent):
    server.answers["/file"] = CONTENT
    check_reachable(f"{server.url}/file")
    check_reachable(f"{server.url}/gone")
    for url in (closed, silent):
        with pytest.raises(InputError, match="127.0.0.1"):
            check_reachable(url)


def test_a_connection_that_breaks(server, tmp_path):
    def broken(handler):
        handler.answer(CONTENT[:1000], announced=len(CONTENT))
        handler.wfile.flush()
        with contextlib.suppress(OSError):
            handler.connection.shutdown(socket.SHUT_RDWR)

    server.answers["/file"] = broken
    assert "ended after 1000" in refusal([f"{server.url}/file"], tmp_path / "file", accept)
    assert threading.active_count() < 50


def test_no_more_is_saved_than_the_file_has(server, tmp_path):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(CONTENT)

    server.answers |= {"/endless": endless, "/long": CONTENT}
    seen = []
    for path in ("endless", "long"):
        with pytest.raises(InputError, match="but the published file has 500,000 at most"):
            download_file(
                [f"{server.url}/{path}"],
                tmp_path / "file",
                accept,
                lambda done, total: seen.append(done),
                500_000,
            )
        assert not (tmp_path / "file").exists()
    assert max(seen) <= 500_000
