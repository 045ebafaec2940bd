"""Jobs of the page beside the commands that do the same, and a run of the terminal on a page."""

import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import fields

import pytest
from problems import picture, random_weights

from stylejax.cli.parse import parse_command
from stylejax.errors import InputError
from stylejax.images.write import write_picture
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions
from stylejax.page import orders, server
from stylejax.page.job import Job, load_job
from stylejax.page.methods import page_methods
from stylejax.page.orders import JobObserver, Order
from stylejax.page.server import check_web_installed, listen
from stylejax.page.studio import Studio
from stylejax.page.watch import Watch
from stylejax.runs.observer import Observer
from stylejax.runs.request import Request
from stylejax.runs.transfer import run_transfer

SHALLOW = {"content_layers": ["pool1"], "style_layers": ["input", "conv1_relu"], "size": 64}
QUIET = JobObserver(*[lambda *given: None] * 5, stop=lambda: False)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    paths = tuple(tmp_path / name for name in ("photo.png", "a.png", "b.png", "mask.png"))
    for seed, path in enumerate(paths):
        write_picture(path, picture(48, 64, seed=seed))
    return paths


CALLS = {
    "transfer": (
        {"style_weight": 5, "style_blend": [3, 1], "init": "noise", "iterations": 7, "bits": 16},
        "transfer PHOTO A B -o OUT --style-weight 5 --style-blend 3,1 --init noise --iterations 7 "
        "--bits 16",
    ),
    "universal": (
        {"alpha": 0.5, "level_alphas": [1, 1, 0, 1], "transform": "moments", "size": 64},
        "universal PHOTO A B -o OUT --alpha 0.5 --level-alphas 1,1,0,1 --transform moments --size "
        "64",
    ),
    "apply": (
        {"style": ["scream", "udnie"], "style_blend": [1, 2], "strength": 0.25},
        "apply PHOTO -o OUT --style scream,udnie --style-blend 1,2 --strength 0.25",
    ),
    "upscale": (
        {"factor": "8", "sharpness": 0.25, "bits": 16},
        "upscale PHOTO -o OUT --factor 8 --sharpness 0.25 --bits 16",
    ),
    "sweep": (
        {"style_weight": [5, 20], "style_blend": [[1, 0], [1, 1]], "seed": [1, 2], "init": "noise"},
        "sweep PHOTO A B -o OUT --style-weight 5,20 --style-blend 1,0/1,1 --seed 1,2 --init noise",
    ),
}
RUNS = {name: f"run_{name}" for name in CALLS}


@pytest.mark.parametrize("name", CALLS)
def test_a_job_asks_for_what_its_command_does(name, files, tmp_path, monkeypatch):
    values, call = CALLS[name]
    asked = []

    def run(request, observer=None):
        asked.append(request)
        raise InputError("far enough")

    if name == "sweep":
        monkeypatch.setitem(orders._RUN_SWEEP, "transfer", run)
    else:
        monkeypatch.setattr(orders, RUNS[name], run)
    photo, a, b, _ = files
    output = tmp_path / "out.png"
    method = page_methods()[name]
    read = tuple(group.read(json.loads(json.dumps(values))) for group in method.groups)
    with pytest.raises(InputError, match="far enough"):
        method.work(Order(read, photo, (a, b), (), (), None, output))(QUIET)
    names = {"PHOTO": photo, "A": a, "B": b, "OUT": output}
    command = parse_command([str(names.get(word, word)) for word in call.split()])
    for each in fields(asked[0]):
        assert getattr(asked[0], each.name) == getattr(command, each.name), each.name


def studio_with(folder, files):
    studio = Studio(folder, page_methods())
    ids = [studio.pictures.receive(path.read_bytes(), path.name).id for path in files]
    return studio, ids


def test_a_sweep_tells_its_grid_and_each_picture_and_a_bad_job_is_refused(files, tmp_path):
    studio, (content, style, *_) = studio_with(tmp_path / "page", files)
    values = SHALLOW | {"style_weight": [2, 20], "tv_weight": [0, 100], "iterations": 3}
    asked = {"method": "sweep", "content": content, "styles": [style], "values": values}
    with pytest.raises(InputError, match="--tv-weight holds 0 twice"):
        studio.add(asked | {"values": values | {"tv_weight": [0, 0]}})
    job = studio.add(asked)
    studio.start()
    try:
        deadline = time.monotonic() + 120
        while job.is_active and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        assert studio.end(60.0)
    assert job.state == "done", job.message
    assert [axis["labels"] for axis in job.axes] == [["2", "20"], ["0", "100"]]
    assert job.finished == set(job.cells) and len(job.cells) == 4
    assert (job.output / "index.html").exists()
    told = [json.loads(event.data) for event in job.feed.events if event.name == "lanes"]
    assert told[-1]["lanes"] == [0, 1, 2, 3] and told[-1]["iterations"] == [3] * 4
    again = load_job(job.folder)
    assert again is not None and again.cells == job.cells and again.finished == job.finished


def test_a_run_of_the_terminal_is_watched_and_stopped_on_a_page(files, tmp_path):
    photo, style, *_ = files
    options = Options(
        PictureOptions(size=64),
        LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu")),
        SolverOptions(iterations=100_000, solver="adam", levels=1),
    )
    request = Request(photo, (style,), tmp_path / "out.png", options)
    with Watch(request, 0) as watch:
        job = f"{watch.address}/api/jobs/{watch.job.id}"
        found = []

        def ask(path, **options):
            headers = {"Origin": watch.address}
            asked = urllib.request.Request(f"{job}{path}", headers=headers, **options)
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status, answer.read()

        def look():
            try:
                # None comes while it compiles: a browser asks again.
                while len(found) < 2:
                    status, content = ask("/preview" if found else "/preview?after=0")
                    found.extend([content[:2]] * (status == 200))
            finally:
                ask("/stop", data=b"")

        looker = threading.Thread(target=look, daemon=True)
        looker.start()
        summary = run_transfer(request, watch.beside(Observer()))
        watch.ended(summary)
        looker.join(20)
        assert summary.stopped and found == [b"\xff\xd8"] * 2
        assert json.loads(ask("")[1])["state"] == "stopped"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            ask("/resume", data=b"")
    assert watch.job.previews.spent > 0


def test_a_job_that_nobody_watches_makes_no_preview(files, tmp_path):
    photo, style, *_ = files
    loss = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))
    options = Options(PictureOptions(size=64), loss, SolverOptions(iterations=6))
    request = Request(photo, (style,), tmp_path / "out.png", options)
    (tmp_path / "job").mkdir()
    job = Job("job", tmp_path / "job", {"method": "transfer", "output": "out.png"})
    job.change("running")
    asked = []
    tell = job.previews.look
    job.previews.look = lambda picture: tell(lambda: asked.append(1) or picture())
    run_transfer(request, Observer(job.tell_stage, job.tell_progress))
    assert not asked and job.previews.number == 0 and job.feed.events


def test_a_taken_port_is_one_line():
    first = listen("127.0.0.1", 0)
    try:
        with pytest.raises(InputError, match="is taken: give another one"):
            listen("127.0.0.1", first.getsockname()[1])
    finally:
        first.close()


def test_a_missing_extra_is_one_line(monkeypatch):
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'stylejax\[web\]'"):
        check_web_installed()
