"""The page in a real browser, with a real solve behind it: what a person does, from end to end."""

import base64
import contextlib
import os
import shutil
import threading
from importlib.util import find_spec

import pytest
from problems import picture, random_weights

from stylejax.images.encoding import encode_png
from stylejax.page.methods import page_methods
from stylejax.page.request import ServeRequest
from stylejax.page.server import address_of, listen, make_server
from stylejax.page.studio import Studio

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REASON = next(
    (
        reason
        for missing, reason in (
            (find_spec("playwright") is None, "playwright is missing: the extra `browser`"),
            (CHROMIUM is None, "Chromium is missing: `apt-get install chromium`"),
        )
        if missing
    ),
    None,
)
# In CI a skip would hide that the page is not tested at all.
REQUIRED = os.environ.get("STYLEJAX_REQUIRE_BROWSER") == "1"
pytestmark = pytest.mark.skipif(REASON is not None and not REQUIRED, reason=str(REASON))

# The stem alone compiles in a second; and it never ends by itself: on a busy machine a browser may
# take minutes for what is done here until it is stopped.
VALUES = {
    "content_layers": "pool1",
    "style_layers": "input,conv1_relu",
    "size": "64",
    "iterations": "1000000",
    "style_weight": "35",
    "levels": "1",
    # Not over after some iterations, as L-BFGS may be.
    "solver": "adam",
}
# All waits are for something to happen, which takes as long as it takes. Looked at in each frame,
# as is usual, a software renderer would take a core for itself.
MOST_MILLISECONDS, POLLING = 240_000, 200


@pytest.fixture
def address(tmp_path, monkeypatch):
    """A server of the page, in this process."""
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    studio = Studio(tmp_path / "page", page_methods())
    listening = listen("127.0.0.1", 0)
    server = make_server(studio, ServeRequest(folder=tmp_path / "page"))
    thread = threading.Thread(target=lambda: server.run(sockets=[listening]), daemon=True)
    studio.start()
    thread.start()
    try:
        yield address_of(listening, "127.0.0.1")
    finally:
        ended = studio.end(60.0)
        studio.let_go()
        server.should_exit = True
        thread.join(20)
        listening.close()
    assert ended and not thread.is_alive()


@contextlib.contextmanager
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--disable-gpu", "--disable-background-networking", "--no-first-run"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield chromium
        finally:
            chromium.close()


DROP = """([selector, name, content]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: "image/png" }));
  document.querySelector(selector).dispatchEvent(
    new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""
PIXELS = """() => {
  const image = document.querySelector("#after");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return canvas.width && context.getImageData(0, 0, canvas.width, canvas.height).data.join();
}"""


def drop(page, selector, name, content):
    page.evaluate(DROP, [selector, name, base64.b64encode(content).decode()])


def wait_for_text(page, selector, text):
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent.includes(text)",
        arg=[selector, text],
        polling=POLLING,
    )


def open_page(page, address):
    page.goto(address)
    page.wait_for_selector("body[data-ready]")


def fill(page, values):
    for summary in page.locator("#groups summary").all():
        summary.click()
    for name, value in values.items():
        field = page.locator(f"#field-{name}")
        if field.evaluate("(field) => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)


def values_on(page):
    return {name: page.locator(f"#field-{name}").input_value() for name in VALUES}


def paint_mask(page):
    page.click("#paint-mask")
    page.wait_for_selector("#mask-dialog[open]")
    box = page.locator("#canvas").bounding_box()
    plain = page.evaluate("document.querySelector('#canvas').toDataURL()")
    page.locator("#brush").fill("30")
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3 / 4, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert page.evaluate("document.querySelector('#canvas').toDataURL()") != plain
    # And by keyboard, which is taken back.
    page.locator("#canvas").focus()
    for key in ("ArrowUp", "Space", "u"):
        page.keyboard.press(key)
    page.click("#mask-keep")
    wait_for_text(page, "#mask-state", "1 mask painted")
    assert "--content-mask mask-1.png" in page.text_content("#command-line")


def watch_stop_reload_and_resume(page, address):
    """The picture changes while it is painted; a reload changes nothing; a stop keeps all."""
    page.click("#paint")
    page.wait_for_selector("#compare:not([hidden])")
    wait_for_text(page, "#numbers", "iteration")
    for _ in range(2):
        seen = page.evaluate(PIXELS)
        page.wait_for_function(
            f"(seen) => ({PIXELS})() && ({PIXELS})() !== seen", arg=seen, polling=POLLING
        )
    open_page(page, address + page.evaluate("location.hash"))
    wait_for_text(page, "#numbers", "iteration")
    assert values_on(page) == VALUES
    page.click("#stop")
    wait_for_text(page, "#job-title", "is stopped")
    page.wait_for_selector("#resume:not([hidden])")
    stopped = int(page.inner_text("#numbers").split()[1])
    open_page(page, address + page.evaluate("location.hash"))
    page.click("#resume")
    page.wait_for_function(
        "(stopped) => document.querySelector('#numbers').textContent.split(' ')[1] > stopped",
        arg=stopped,
        polling=POLLING,
    )
    page.click("#stop")
    wait_for_text(page, "#job-title", "is stopped")
    page.wait_for_selector("#download:not([hidden])")


def compare(page):
    page.locator("#slider").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    share = "getComputedStyle(document.querySelector('#before')).clipPath"
    assert "97%" in page.evaluate(share)
    page.click("#beside")
    before, after = (page.locator(which).bounding_box() for which in ("#before", "#after"))
    assert before["x"] + before["width"] <= after["x"]


def test_what_a_person_does_and_no_request_leaves_this_machine(address):
    assert REASON is None, REASON
    asked, wrong = [], []
    with browser() as chromium:
        page = chromium.new_page()
        page.set_default_timeout(MOST_MILLISECONDS)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        open_page(page, address)
        drop(page, "#content-zone", "photo.png", encode_png(picture(48, 64, seed=1)))
        drop(page, "#styles-zone", "painting.png", encode_png(picture(48, 64, seed=2)[:, ::-1]))
        page.wait_for_selector("#content-pictures img")
        page.wait_for_selector("#styles-pictures img")
        fill(page, VALUES)
        paint_mask(page)
        watch_stop_reload_and_resume(page, address)
        compare(page)
        with page.expect_download() as download:
            page.click("#download")
        finished = download.value.path().read_bytes()
        page.goto("about:blank")
        open_page(page, address)
        assert values_on(page) != VALUES
        drop(page, "#stage", "out.png", finished)
        wait_for_text(page, "#notice", "the settings of out.png are here again")
        assert values_on(page) == VALUES
        assert page.locator("#content-pictures img").count() == 1
        command = page.text_content("#command-line") or ""
        assert "photo.png painting.png" in command and "--style-weight 35" in command
        drop(page, "#content-zone", "bad.png", b"no picture")
        wait_for_text(page, "#notice", "bad.png: not a picture")
    assert asked and all(url.startswith((address, "about:", "data:")) for url in asked)
    # The refusal of the bad picture is one, and it is said.
    assert [text for text in wrong if "400" not in text] == []
