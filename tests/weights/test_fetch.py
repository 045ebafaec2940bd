import hashlib
import importlib
import json
import signal
import sys
import time
from pathlib import Path

import pytest
from containers import random_state_dict, write_torch_zip
from processes import printed, started, wait_until
from safetensors.numpy import save
from servers import serving

from stylejax.cli.entry import main
from stylejax.errors import InputError
from stylejax.weights import zoo as published
from stylejax.weights.convert import read_weight_file
from stylejax.weights.fetch import fetch_weights
from stylejax.weights.zoo import PUBLISHED, cached_path

NAME = "densenet121-torchvision"
HUB_NAME = "densenet121-timm-ra"
COMMIT = "e65bed9" + "0" * 33


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("torch") / "file.pth"
    return write_torch_zip(path, random_state_dict()).read_bytes()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache" / "stylejax" / "weights"
    monkeypatch.setattr(published.platformdirs, "user_cache_path", lambda name: folder.parent)
    return folder


@pytest.fixture
def server():
    with serving() as server:
        yield server


def point_to(server, content, *paths):
    """The table's entry, with a file of this content at places on the local server."""
    sha256 = hashlib.sha256(content).hexdigest()
    urls = tuple(f"{server.url}/{path}" for path in paths)
    entry = PUBLISHED[NAME]
    file = entry.file._replace(name=f"densenet121-{sha256[:8]}.pth", urls=urls, sha256=sha256[:8])
    return entry._replace(file=file)


def files_in(folder):
    """What a user finds in the cache; the locks, empty files of their own, are left out."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.name for path in found if path.parent.name != ".locks")


def test_fetch_checks_converts_and_keeps(server, content, cache, monkeypatch, capsys):
    monkeypatch.setitem(PUBLISHED, NAME, point_to(server, content, "gone", "file"))
    server.answers["/file"] = content
    assert main(["weights", "fetch", NAME]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{NAME} fetched: {cached_path(NAME)}\n"
    assert shown.err == f"fetching {NAME}\n"
    assert files_in(cache) == [f"{NAME}.safetensors"]
    file = read_weight_file(cached_path(NAME))
    assert file.own and file.network == "densenet121" and file.published is not None
    assert file.metadata["source"] == f"{server.url}/file"
    assert file.metadata["source_sha256"] == hashlib.sha256(content).hexdigest()
    before = len(server.asked)
    assert main(["weights", "fetch", NAME]) == 0
    assert "is here already" in capsys.readouterr().out and len(server.asked) == before
    assert main(["weights", "verify", NAME]) == 0
    assert f"known    {NAME}" in capsys.readouterr().out


def test_a_broken_file_in_the_cache_is_fetched_again(server, content, cache, monkeypatch):
    monkeypatch.setitem(PUBLISHED, NAME, point_to(server, content, "file"))
    server.answers["/file"] = content
    path = fetch_weights(NAME).path
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert not fetch_weights(NAME).already_here
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (404, "HTTP 404"),
        (b"<html>log in</html>", "sha256 is"),
        (lambda handler: handler.answer(b"PK\x03\x04", announced=1000), "ended after 4 of 1000"),
    ],
)
def test_what_does_not_arrive_whole_leaves_nothing(
    server, content, cache, monkeypatch, capsys, answer, message
):
    monkeypatch.setitem(PUBLISHED, NAME, point_to(server, content, "file"))
    server.answers["/file"] = answer
    assert main(["weights", "fetch", NAME]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert message in said and f"stylejax weights convert FILE -o {cached_path(NAME)}" in said
    assert files_in(cache) == [] and not list(cache.glob(".*.part"))


def test_a_file_with_the_right_checksum_that_is_no_network(server, cache, monkeypatch):
    content = b"These are not the weights."
    monkeypatch.setitem(PUBLISHED, NAME, point_to(server, content, "file"))
    server.answers["/file"] = content
    with pytest.raises(InputError, match="none of the known forms"):
        fetch_weights(NAME)
    assert files_in(cache) == []


def test_another_network_than_expected(server, content, cache, monkeypatch):
    entry = point_to(server, content, "file")
    monkeypatch.setitem(PUBLISHED, NAME, entry._replace(network="vgg19"))
    server.answers["/file"] = content
    with pytest.raises(InputError, match="holds densenet121, expected vgg19"):
        fetch_weights(NAME)


@pytest.mark.parametrize("name", [NAME, HUB_NAME, "vgg19-keras"])
def test_without_a_network_it_ends_soon_in_one_line(cache, monkeypatch, capsys, name):
    refused = "http://127.0.0.1:9"
    entry = PUBLISHED[name]
    urls = tuple(refused for _ in entry.file.urls)
    entry = entry._replace(file=entry.file._replace(urls=urls))
    monkeypatch.setitem(PUBLISHED, name, entry)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", refused)
    # What is imported first is not waited for a network.
    importlib.import_module("huggingface_hub.file_download")
    began = time.monotonic()
    assert main(["weights", "fetch", name]) == 2
    assert time.monotonic() - began < 5
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    assert "Connection refused" in shown.err
    assert f"convert FILE -o {cached_path(name)}" in shown.err
    assert files_in(cache) == []


def test_unknown_names_and_places_that_cannot_be_written(cache, monkeypatch, tmp_path, capsys):
    assert main(["weights", "fetch", "vgg19-kers"]) == 2
    shown = capsys.readouterr()
    assert "did you mean vgg19-keras" in shown.err and shown.err.count("\n") == 1
    (tmp_path / "cache").write_bytes(b"a file where a folder should be")
    with pytest.raises(InputError, match="free or open that place"):
        fetch_weights(NAME)


def test_keras_files_need_h5py_before_anything_is_fetched(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"stylejax\[convert\]"):
        fetch_weights("vgg19-keras")
    assert not cache.exists()


def test_files_of_the_hub_need_its_extra_before_anything_is_fetched(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"densenet121-timm-tv lies on .*stylejax\[fetch\]"):
        fetch_weights("densenet121-timm-tv")
    assert not cache.exists()


FETCH = """
import signal
import sys
from pathlib import Path
from stylejax.weights import zoo as published
from stylejax.cli.entry import main

# A test run in the background hands on that SIGINT is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
name, url, digits, folder = sys.argv[1:]
entry = published.PUBLISHED[name]
file = entry.file._replace(name=f"x-{digits}.pth", urls=(url,), sha256=digits)
published.PUBLISHED[name] = entry._replace(file=file)
published.platformdirs.user_cache_path = lambda name: Path(folder)
sys.exit(main(["weights", "fetch", name]))
"""


def start_fetch(server, content, folder):
    digits = hashlib.sha256(content).hexdigest()[:8]
    arguments = [sys.executable, "-c", FETCH, NAME, f"{server.url}/file", digits, str(folder)]
    return started(arguments)


def slowly(content, pause=0.2):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        for start in range(0, len(content), len(content) // 8 + 1):
            handler.wfile.write(content[start : start + len(content) // 8 + 1])
            time.sleep(pause)

    return answer


def test_two_processes_at_once(server, content, tmp_path):
    server.answers["/file"] = slowly(content)
    fetch = lambda: start_fetch(server, content, tmp_path)
    with fetch() as first, fetch() as second:
        said = [printed(first), printed(second)]
    assert first.returncode == second.returncode == 0, said
    assert sum("fetched" in out for out, _ in said) == 1
    assert sum("is here already" in out for out, _ in said) == 1
    assert [path for _, path in server.asked] == ["/file"]
    assert files_in(tmp_path) == [f"{NAME}.safetensors"]
    assert read_weight_file(tmp_path / "weights" / f"{NAME}.safetensors").own


def test_ctrl_c_leaves_nothing(server, content, tmp_path):
    server.answers["/file"] = slowly(content, pause=1.0)
    with start_fetch(server, content, tmp_path) as process:
        wait_until(lambda: list(tmp_path.rglob("x-*.pth")), process, "its first bytes")
        process.send_signal(signal.SIGINT)
        _, said = printed(process)
    assert process.returncode == 130
    assert "Traceback" not in said and f"nothing of {NAME} is kept" in said
    assert files_in(tmp_path) == []


def test_after_a_kill_the_next_one_starts_afresh(server, content, tmp_path):
    server.answers["/file"] = slowly(content, pause=1.0)
    with start_fetch(server, content, tmp_path) as killed:
        wait_until(lambda: list(tmp_path.rglob("x-*.pth")), killed, "its first bytes")
    assert not list(tmp_path.rglob("*.safetensors"))
    server.answers["/file"] = content
    with start_fetch(server, content, tmp_path) as process:
        said = printed(process)
    assert process.returncode == 0, said
    assert files_in(tmp_path) == [f"{NAME}.safetensors"]


@pytest.fixture
def hub(server, monkeypatch):
    """As much of the Hugging Face hub as a download needs, with one model."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    repository = PUBLISHED[HUB_NAME].repository
    model = save(random_state_dict(), {"format": "pt"})
    sha256 = hashlib.sha256(model).hexdigest()

    def as_json(value):
        return lambda handler: handler.answer(
            json.dumps(value).encode(), Content_Type="application/json"
        )

    def file(handler):
        handler.answer(model, ETag=f'"{sha256}"', X_Repo_Commit=COMMIT)

    def commit(name):
        date = "2023-04-21T22:54:26.000Z"
        return {"id": name, "authors": [], "date": date, "title": "", "message": ""}

    def describe(promised):
        lfs = {"oid": promised, "size": len(model), "pointerSize": 133}
        entry = {"type": "file", "path": "model.safetensors", "size": len(model), "oid": "0" * 40}
        return as_json([entry | {"lfs": lfs}])

    server.answers |= {
        "/": b"",
        f"/api/models/{repository}/commits/main": as_json([commit("f" * 40), commit(COMMIT)]),
        f"/api/models/{repository}/paths-info/{COMMIT}": describe(sha256),
        f"/{repository}/resolve/{COMMIT}/model.safetensors": file,
    }
    server.promise = lambda promised: server.answers.update(
        {f"/api/models/{repository}/paths-info/{COMMIT}": describe(promised)}
    )
    return server


def test_the_pinned_revision_of_a_hub_file(hub, cache, capsys):
    assert main(["weights", "fetch", HUB_NAME]) == 0
    assert capsys.readouterr().err == f"fetching {HUB_NAME}\n"
    assert files_in(cache) == [f"{HUB_NAME}.safetensors"]
    file = read_weight_file(cached_path(HUB_NAME))
    assert file.metadata["source"] == f"timm/densenet121.ra_in1k@{COMMIT}/model.safetensors"
    assert file.metadata["published"] == HUB_NAME


def test_a_hub_file_that_is_not_what_the_hub_promises(hub, cache):
    hub.promise("0" * 64)
    with pytest.raises(InputError, match="not what the hub says"):
        fetch_weights(HUB_NAME)
    assert files_in(cache) == []


def test_a_revision_or_repository_that_is_gone(hub, cache, monkeypatch):
    entry = PUBLISHED[HUB_NAME]
    monkeypatch.setitem(PUBLISHED, HUB_NAME, entry._replace(revision="abcdef0"))
    with pytest.raises(InputError, match="has no revision abcdef0"):
        fetch_weights(HUB_NAME)
    hub.answers.clear()
    with pytest.raises(InputError, match="cannot be fetched") as error:
        fetch_weights(HUB_NAME)
    assert "\n" not in str(error.value) and files_in(cache) == []
    assert Path(cached_path(HUB_NAME)).parent == cache
