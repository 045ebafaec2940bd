"""The routes, with a method that waits for the test in place of a solve."""

import contextlib
import io
import json
import struct
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from problems import picture
from starlette.testclient import TestClient

from stylejax.errors import InputError
from stylejax.fields import option
from stylejax.images.encoding import encode_png
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.page import guard
from stylejax.page.app import make_app
from stylejax.page.feed import Feed
from stylejax.page.form import FormGroup
from stylejax.page.job import CUT_OFF, STATES
from stylejax.page.methods import PageMethod, page_methods
from stylejax.page.orders import Ending
from stylejax.page.previews import (
    MOST_SECONDS_BETWEEN,
    MOST_TIMES_BETWEEN,
    PREVIEW_SHARE,
    Previews,
)
from stylejax.page.request import ServeRequest, check_serve
from stylejax.page.studio import MOST_QUEUED, Studio
from stylejax.page.views import settings_view

ORIGIN = "http://localhost"


@dataclass(frozen=True)
class StubOptions:
    """Options of the stub."""

    strokes: int = option(3, "How many.", at_least=1, at_most=9)
    tint: tuple[float, ...] = option((1.0,), "Of which colors.", at_least=0)


class Stub:
    """A method that paints a plain picture when the test says so."""

    def __init__(self):
        self.going, self.orders = threading.Event(), []
        self.going.set()

    def work(self, order) -> Any:
        if order.values[0].get("strokes") == 9:
            raise InputError(f"{order.content}: nine are too many")

        def paint(observer):
            self.orders.append(order)
            observer.stage("painting")
            while not self.going.wait(0.01):
                if observer.stop():
                    write_picture(order.output, picture())
                    return Ending(stopped=True)
            write_picture(order.output, picture())
            return Ending()

        return paint

    def method(self, **changes):
        group = FormGroup("Stub", StubOptions)
        return PageMethod("stub", "Stub", "Paints.", (group,), self.work, **changes)


@pytest.fixture
def stub():
    return Stub()


@contextlib.contextmanager
def serving(folder, stub, token=None, **changes):
    """A client of a server that runs, and its studio."""
    studio = Studio(folder, {"stub": stub.method(**changes)})
    studio.start()
    app = make_app(studio, token=token)
    try:
        with TestClient(app, base_url=ORIGIN, headers={"origin": ORIGIN}) as client:
            yield client, studio
    finally:
        stub.going.set()
        studio.let_go()
        assert studio.end(10.0)


@pytest.fixture
def served(tmp_path, stub):
    with serving(tmp_path / "page", stub) as pair:
        yield pair


def send(client, pixels=None, name="photo.png", **options):
    content = encode_png(picture() if pixels is None else pixels)
    return client.post("/api/pictures", content=content, headers={"x-file-name": name}, **options)


def order(client, **changes):
    ids = [send(client, picture(seed=seed)).json()["id"] for seed in (1, 2)]
    asked = {"method": "stub", "content": ids[0], "styles": ids[1:]}
    return client.post("/api/jobs", json=asked | changes)


def wait_for(client, job, *states):
    deadline = time.monotonic() + 20
    while (now := client.get(f"/api/jobs/{job['id']}").json())["state"] not in states:
        assert time.monotonic() < deadline, now
        time.sleep(0.01)
    return now


def events(client, job, **headers):
    answer = client.get(f"/api/jobs/{job['id']}/events", headers=headers)
    blocks = [block for block in answer.text.split("\n\n") if block.startswith("id")]
    parts = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
    return answer, [(int(p["id"]), p["event"], json.loads(p["data"])) for p in parts]


def test_a_job_is_done_and_its_picture_handed_out(served, stub):
    client, _ = served
    answer = order(client, values={"strokes": 4, "tint": [1, 2]})
    assert answer.status_code == 201
    done = wait_for(client, answer.json(), "done")
    assert stub.orders[0].values == ({"strokes": 4, "tint": (1.0, 2.0)},)
    result = f"/api/pictures/{done['result']['id']}"
    file = client.get(f"{result}/file")
    assert file.headers["content-type"] == "image/png"
    assert "attachment" in file.headers["content-disposition"]
    assert Image.open(io.BytesIO(file.content)).size == (64, 48)
    for kind in ("preview", "thumbnail"):
        shown = client.get(f"{result}/{kind}")
        assert shown.headers["content-type"] == "image/jpeg" and shown.content[:2] == b"\xff\xd8"
    assert [entry["job"] for entry in client.get("/api/gallery").json()] == [done["id"]]


def test_events_go_on_where_they_were_cut(served):
    client, _ = served
    job = order(client).json()
    wait_for(client, job, "done")
    _, told = events(client, job)
    assert [number for number, _, _ in told] == list(range(1, len(told) + 1))
    assert [STATES[data["state"]] for _, _, data in told][-1] == "done"
    # Numbers only: whoever wants words or pictures asks for them.
    assert all(isinstance(value, int) for _, _, data in told for value in data.values())
    _, rest = events(client, job, **{"last-event-id": "1"})
    assert rest == told[1:]
    answer, none = events(client, job, **{"last-event-id": str(len(told))})
    assert answer.status_code == 204 and none == []
    # Of another life of the server: all is told again.
    assert events(client, job, **{"last-event-id": "999"})[1] == told


def test_a_stop_is_acknowledged_at_once_and_keeps_the_picture(served, stub):
    client, _ = served
    stub.going.clear()
    job = order(client).json()
    wait_for(client, job, "running")
    began = time.monotonic()
    assert client.post(f"/api/jobs/{job['id']}/stop").json()["state"] in ("stopping", "stopped")
    assert time.monotonic() - began < 1
    stopped = wait_for(client, job, "stopped")
    assert stopped["result"] and stopped["can_resume"]
    stub.going.set()
    assert client.post(f"/api/jobs/{job['id']}/resume").status_code == 202
    wait_for(client, job, "done")
    assert client.post(f"/api/jobs/{job['id']}/resume").status_code == 400


def test_as_many_jobs_wait_as_may_and_one_that_waits_is_stopped_at_once(served, stub):
    client, _ = served
    stub.going.clear()
    first = order(client).json()
    wait_for(client, first, "running")
    waiting = [order(client) for _ in range(MOST_QUEUED)]
    assert {answer.status_code for answer in waiting} == {201}
    refused = order(client)
    assert refused.status_code == 429 and "\n" not in refused.json()["error"]
    last = waiting[-1].json()["id"]
    assert client.post(f"/api/jobs/{last}/stop").json()["state"] == "stopped"
    assert order(client).status_code == 201
    stub.going.set()
    for answer in waiting[:-1]:
        wait_for(client, answer.json(), "done")


def test_a_new_server_finds_what_another_has_left(tmp_path, stub):
    folder = tmp_path / "page"
    with serving(folder, stub) as (client, studio):
        done = wait_for(client, order(client).json(), "done")
        told = events(client, done)[1]
        stub.going.clear()
        cut = order(client).json()
        wait_for(client, cut, "running")
        waits = order(client).json()
        # As a kill leaves them: what is on the disk now.
        kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path, content in kept.items():
        path.write_bytes(content)
    stub.going.set()
    with serving(folder, stub) as (client, _):
        assert wait_for(client, done, "done")["result"]
        assert events(client, done)[1] == told
        was = client.get(f"/api/jobs/{cut['id']}").json()
        assert was["state"] == "stopped" and was["message"] == CUT_OFF
        wait_for(client, waits, "done")
        assert client.post(f"/api/jobs/{cut['id']}/resume").status_code == 202
        wait_for(client, cut, "done")


def test_a_page_of_another_site_changes_nothing(served):
    client, _ = served
    for origin in (
        "http://evil.example",
        "null",
        "http://localhost:9999",
        "https://localhost.evil",
    ):
        answer = send(client, picture()[:, :32]) and client.post(
            "/api/jobs", json={}, headers={"origin": origin}
        )
        assert answer.status_code == 403, origin
    del client.headers["origin"]
    for path in ("/api/jobs", "/api/pictures", "/api/jobs/x/stop", "/api/jobs/x/resume"):
        assert client.post(path).status_code == 403
    assert client.get("/api/jobs").json() == []


def test_only_names_of_this_server_are_answered(tmp_path, stub):
    studio = Studio(tmp_path / "page", {"stub": stub.method()})
    client = TestClient(
        make_app(studio, names=["studio.example"]), base_url="http://studio.example"
    )
    assert client.get("/api/jobs").status_code == 200
    for host in ("evil.example", "evil.example:80", "studio.example.evil", "", "10.0.0.1"):
        assert client.get("/api/jobs", headers={"host": host}).status_code == 403, host
    for host in ("localhost:1", "127.0.0.1", "[::1]:7860", "STUDIO.example:80"):
        assert client.get("/api/jobs", headers={"host": host}).status_code == 200, host


def test_the_address_that_was_called_is_a_name_too(tmp_path, stub):
    app = make_app(Studio(tmp_path / "page", {"stub": stub.method()}))
    client = TestClient(app, base_url="http://192.0.2.7:7860")
    assert client.get("/api/jobs").status_code == 200
    assert client.get("/api/jobs", headers={"host": "192.0.2.8:7860"}).status_code == 403


def test_a_token_is_asked_for_wherever_there_is_one(tmp_path, stub):
    with serving(tmp_path / "page", stub, token="secret") as (client, _):
        for path in (
            "/",
            "/page.js",
            "/api/jobs",
            "/api/form",
            "/?token=other",
            "/api/jobs?token=secret",
        ):
            assert client.get(path, follow_redirects=False).status_code == 401, path
        assert send(client).status_code == 401
        bearer = {"authorization": "Bearer secret"}
        assert client.get("/api/jobs", headers=bearer).status_code == 200
        answer = client.get("/?token=secret", follow_redirects=False)
        assert answer.status_code == 303 and answer.headers["location"] == "/"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie and "secret" not in cookie
        assert client.get("/api/jobs").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "studio.example"])
def test_other_machines_need_a_token(host, tmp_path):
    with pytest.raises(InputError, match="--token"):
        check_serve(ServeRequest(host=host, folder=tmp_path))
    check_serve(ServeRequest(host=host, token="secret", folder=tmp_path))
    for own in ("127.0.0.1", "localhost", "::1"):
        check_serve(ServeRequest(host=own, folder=tmp_path))


def test_no_more_than_the_limit_is_taken(served, monkeypatch):
    client, studio = served
    monkeypatch.setattr(guard, "MOST_BYTES", 1000)
    assert client.post("/api/pictures", content=b"x" * 1001).status_code == 413
    # Without a length that says so beforehand.
    assert client.post("/api/pictures", content=iter([b"x" * 600] * 2)).status_code == 413
    assert not list((studio.folder / "pictures").iterdir())


def png_of(width, height):
    """A small file whose header says that it is large."""
    content = io.BytesIO()
    Image.new("1", (width, height)).save(content, "PNG")
    return content.getvalue()


def test_a_picture_of_too_many_pixels_is_refused_by_its_header(served, monkeypatch):
    client, studio = served
    monkeypatch.setattr("stylejax.page.pictures.decode_picture", None)
    answer = client.post("/api/pictures", content=png_of(8000, 6251))
    assert answer.status_code == 400 and "50,008,000 pixels" in answer.json()["error"]
    # Of more than are decoded anywhere, here 900 million, the bound that is named is the page's.
    header = b"IHDR" + struct.pack(">II", 30_000, 30_000) + png_of(1, 1)[24:29]
    small = png_of(1, 1)
    huge = small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
    answer = client.post("/api/pictures", content=huge, headers={"x-file-name": "huge.png"})
    assert answer.status_code == 400
    said = "huge.png: more than 50,000,000 pixels; scale it down first"
    assert answer.json()["error"] == said
    assert not list((studio.folder / "pictures").iterdir())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        encode_png(picture())[:-900],
    ],
)
def test_a_bad_picture_is_one_line_with_the_name_that_its_sender_knows(content, served):
    client, studio = served
    name = {"x-file-name": "..%2F..%2Fetc%2Fmy%20photo.png"}
    answer = client.post("/api/pictures", content=content, headers=name)
    said = answer.json()["error"]
    assert answer.status_code == 400 and said.startswith("my photo.png: ") and "\n" not in said
    assert str(studio.folder) not in said and not list((studio.folder / "pictures").iterdir())


def test_names_and_paths_of_a_client_are_never_paths_here(served, tmp_path):
    client, studio = served
    secret = tmp_path / "secret.png"
    write_picture(secret, picture())
    sent = send(client, name="../../../secret.png").json()
    assert sent["name"] == "secret.png" and sent["id"] in studio.pictures.sent
    for id in ("..%2Fsecret.png", "%2e%2e", str(secret), "secret.png"):
        for path in (f"/api/pictures/{id}/preview", f"/api/pictures/{id}/file", f"/api/jobs/{id}"):
            assert client.get(path).status_code == 404, path
        assert order(client, content=id).status_code == 400
        assert order(client, styles=[id]).status_code == 400
        assert order(client, weights=id).status_code == 400
        assert order(client, content_masks=[id]).status_code == 400
    names = {path.name for path in studio.folder.rglob("*")}
    assert not any("secret" in name for name in names)


def test_what_starts_a_solve_is_never_a_file_of_the_clients_choice(tmp_path):
    group = page_methods()["transfer"].groups[1]
    with pytest.raises(InputError, match="--init"):
        group.read({"init": str(tmp_path / "photo.png")})
    learned = page_methods()["apply"].groups[0]
    with pytest.raises(InputError, match="--style"):
        learned.read({"style": [str(tmp_path / "styles.safetensors")]})


def test_ids_tell_nothing_and_are_long(served):
    client, _ = served
    ids = [send(client, picture(seed=seed)).json()["id"] for seed in range(3)]
    ids += [order(client).json()["id"] for _ in range(3)]
    assert len(set(ids)) == 6 and all(len(bytes.fromhex(id)) == 16 for id in ids)


def test_every_answer_says_what_a_browser_may_do(served):
    client, _ = served
    sent = send(client).json()["id"]
    for path in (
        "/",
        "/page.css",
        "/page.js",
        "/api/form",
        f"/api/pictures/{sent}/preview",
        "/none",
    ):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["content-type"].split(";")[0] in (
            "text/html",
            "text/css",
            "text/javascript",
            "application/json",
            "image/jpeg",
        )
    assert client.get("/none").status_code == 404
    # What was sent is never handed out as it came.
    assert client.get(f"/api/pictures/{sent}/file").status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "other"},
        {"method": ["stub"]},
        {"values": {"strokes": 9}},
        {"values": {"strokes": "4"}},
        {"values": {"strokes": 1e999}},
        {"values": {"tint": 1}},
        {"values": {"tint": [[1]]}},
        {"values": {"weights": "x"}},
        {"values": []},
        {"styles": []},
        {"styles": "x"},
        {"content": None},
        {"content": {}},
        {"format": "svg"},
        {"output": "/tmp/x.png"},
    ],
    ids=str,
)
def test_an_order_that_makes_no_sense_is_one_line(changes, served):
    client, studio = served
    content = json.dumps({"method": "stub"} | changes).replace("Infinity", "1e999")
    ids = [send(client, picture(seed=seed)).json()["id"] for seed in (1, 2)]
    asked = {"method": "stub", "content": ids[0], "styles": ids[1:]} | json.loads(content)
    body = json.dumps(asked)
    answer = client.post("/api/jobs", content=body)
    assert answer.status_code == 400 and "\n" not in answer.json()["error"]
    assert not studio.jobs and "page/pictures" not in answer.json()["error"]


def test_what_is_no_json_is_refused(served):
    client, _ = served
    for body in (b"", b"{", b"[" * 100_000, b"\xff", b"1", b"null", b'"x"'):
        answer = client.post("/api/jobs", content=body)
        assert answer.status_code == 400 and answer.json()["error"], body[:10]


def test_a_job_that_fails_says_why_and_the_next_one_is_done(tmp_path, stub, caplog):
    class Broken(Stub):
        def work(self, order) -> Any:
            if order.values[0].get("strokes") == 1:

                def broken(observer):
                    raise InputError(f"{order.content}: is no good")

                return broken
            if order.values[0].get("strokes") == 2:
                return lambda observer: 1 / 0
            return super().work(order)

    with serving(tmp_path / "page", Broken()) as (client, _):
        first, second, third = (order(client, values={"strokes": n}).json() for n in (1, 2, 3))
        assert wait_for(client, first, "failed")["message"] == "photo.png: is no good"
        assert "ZeroDivisionError" in wait_for(client, second, "failed")["message"]
        wait_for(client, third, "done")


def test_the_form_has_the_labels_help_and_bounds_of_the_command_line(tmp_path):
    studio = Studio(tmp_path / "page", page_methods())
    form = TestClient(make_app(studio), base_url=ORIGIN).get("/api/form").json()
    assert [method["name"] for method in form["methods"]] == [
        "transfer",
        "universal",
        "apply",
        "upscale",
        "sweep",
    ]
    fields = {f["name"]: f for group in form["methods"][0]["groups"] for f in group["fields"]}
    assert fields["quality"]["at_least"] == 1 and fields["quality"]["at_most"] == 100
    assert (
        fields["style_weight"]["label"] == "Style weight"
        and fields["style_weight"]["default"] == 20
    )
    assert "third" in fields["style_weight"]["help"]
    assert fields["solver"]["choices"] == ["lbfgs", "optax-lbfgs", "adam"]
    assert fields["seamless"]["kind"] == "switch" and fields["seamless"]["default"] is False
    assert page_methods()["transfer"].groups[0].read({"seamless": True}) == {"seamless": True}
    with pytest.raises(InputError, match="--seamless is 'yes': give true or false"):
        page_methods()["transfer"].groups[0].read({"seamless": "yes"})
    enlarged = {f["name"]: f for group in form["methods"][3]["groups"] for f in group["fields"]}
    assert enlarged["factor"]["choices"] == ["0", "4", "8"]
    assert page_methods()["upscale"].groups[0].read({"factor": "8"}) == {"factor": 8}
    with pytest.raises(InputError, match="--factor is '3': give one of 0, 4, 8"):
        page_methods()["upscale"].groups[0].read({"factor": "3"})
    swept = {f["name"]: f for group in form["methods"][-1]["groups"] for f in group["fields"]}
    assert swept["style_weight"]["kind"] == "numbers" and swept["style_blend"]["kind"] == "lists"
    for method in page_methods().values():
        # What the page sends where nothing was touched is what the command line takes.
        for group in method.groups:
            given = {f["name"]: f["default"] for f in group.as_json()["fields"]}
            read = group.read(json.loads(json.dumps(given)))
            assert all(read[each.name] == each.default for each in group.described())


def previews_of(costs, seconds_a_step, steps=400):
    """Previews of a run that is watched from its start on, when they were made, and its seconds."""
    seconds, made = [0.0], []
    previews = Previews(Feed(), processor=lambda: seconds[0], clock=lambda: seconds[0])

    def look():
        made.append(seconds[0])
        seconds[0] += costs[min(len(made), len(costs)) - 1]
        return np.zeros((32, 32, 3), np.float32)

    for _ in range(steps):
        seconds[0] += seconds_a_step
        previews.look(look)
    assert not made and previews.number == 0 and previews.spent == 0
    previews.start()
    began = seconds[0]
    for _ in range(steps):
        previews._wanted = True
        seconds[0] += seconds_a_step
        previews.look(look)
    assert previews.number == len(made)
    return previews, made, seconds[0] - began


def test_previews_are_made_for_those_who_look_and_within_their_share():
    previews, made, seconds = previews_of([0.05], 0.5)
    # The first one is free, and the last may end above the share.
    assert previews.spent <= PREVIEW_SHARE * seconds + 2 * 0.05
    assert previews.number >= 0.9 * PREVIEW_SHARE * seconds / 0.05
    assert max(np.diff(made)) < MOST_SECONDS_BETWEEN


def test_a_preview_that_was_dear_does_not_hold_up_the_next_ones_for_long():
    # As where what makes a picture is compiled for a larger level: by the share alone, there would
    # be none for 50 seconds.
    _, made, _ = previews_of([0.05, 1.0, 0.05], 0.5)
    pauses = np.diff(made)
    assert pauses[1] == pytest.approx(1.0 + MOST_TIMES_BETWEEN, abs=1)
    assert pauses[2] == pytest.approx(0.05 + MOST_SECONDS_BETWEEN, abs=1)


def test_previews_as_dear_as_a_step_leave_the_run_its_time():
    previews, made, seconds = previews_of([2.0], 2.0)
    assert len(made) > 5 and previews.spent < 0.07 * seconds


def test_a_picture_made_before_gives_its_settings_back(tmp_path):
    fixture = Path(__file__).parent.parent / "fixtures" / "made-by-0.1.0.png"
    studio = Studio(tmp_path / "page", page_methods())
    settings = settings_view(fixture, studio)
    assert settings["method"] == "transfer" and settings["values"]["style_weight"] > 0
    plain = tmp_path / "plain.png"
    write_picture(plain, read_picture(fixture).pixels)
    assert settings_view(plain, studio) is None
