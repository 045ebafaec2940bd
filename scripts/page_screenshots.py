"""Take the pictures of the page that the docs show: desktop and phone, light and dark.

    python scripts/page_screenshots.py docs

serves the page in a folder of its own, paints the sample pictures on it with Chromium, and writes
`page-desktop-light.jpg` and so on, `page-sweep.jpg` and `page-mask.jpg`. It needs the extras `web`
and `browser`, and a Chromium.
"""

import argparse
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from stylejax import sample_picture
from stylejax.page.methods import page_methods
from stylejax.page.request import ServeRequest
from stylejax.page.server import address_of, listen, make_server
from stylejax.page.studio import Studio

DESKTOP: Any = {"width": 1280, "height": 900}
PHONE: Any = {"width": 390, "height": 844}
MINUTES = 30 * 60_000


def finish(page: Page) -> None:
    """Paint as the form says, and wait for the picture."""
    before = page.evaluate("location.hash")
    page.click("#paint")
    page.wait_for_function(
        "before => location.hash !== before && "
        "document.querySelector('#job-title').textContent.match('is finished|has failed')",
        arg=before,
        timeout=MINUTES,
        polling=1_000,
    )
    page.wait_for_timeout(500)


def prepare(page: Page, address: str, size: str) -> None:
    """Lay out the sample pictures."""
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    page.set_input_files("#content-zone input", sample_picture("astronaut.jpg"))
    page.wait_for_selector("#content-pictures img")
    page.set_input_files("#styles-zone input", sample_picture("starlit-swirls.jpg"))
    page.wait_for_selector("#styles-pictures img")
    page.fill("#field-size", size)


def take(page: Page, folder: Path, name: str) -> None:
    """Write one picture of what is to be seen."""
    page.wait_for_timeout(300)
    page.screenshot(path=folder / f"page-{name}.jpg", type="jpeg", quality=80)


def paint(page: Page, address: str, size: str, iterations: str) -> None:
    """Make a picture by each method."""
    prepare(page, address, size)
    page.check("#methods input[value=universal]")
    page.fill("#field-size", size)
    finish(page)
    page.check("#methods input[value=apply]")
    page.fill("#field-size", size)
    page.check("input[value=starry-night]")
    finish(page)
    page.check("#methods input[value=transfer]")
    page.fill("#field-iterations", iterations)
    finish(page)


def take_all(page: Page, address: str, folder: Path, size: str) -> None:
    """The page with what was painted, a mask, and a sweep."""
    for name, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
        page.set_viewport_size(viewport)
        page.fill("#slider", "50")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            place = "#stage" if name == "phone" else "header"
            page.evaluate("place => document.querySelector(place).scrollIntoView()", place)
            take(page, folder, f"{name}-{scheme}")
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="light")
    page.click("#paint-mask")
    page.wait_for_selector("#mask-dialog[open]")
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    page.fill("#brush", "60")
    page.mouse.move(box["x"] + 0.15 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    for across, down in ((0.2, 0.8), (0.3, 0.2), (0.35, 0.5), (0.7, 0.15)):
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=10)
    page.mouse.up()
    take(page, folder, "mask")
    page.click("#mask-cancel")
    page.check("#methods input[value=sweep]")
    page.select_option("#field-method", "universal")
    page.fill("#field-alpha", "0.3,0.6,1")
    page.set_input_files("#styles-zone input", sample_picture("sunlit-field.jpg"))
    page.wait_for_function("() => document.querySelectorAll('#styles-pictures img').length === 2")
    page.fill("#field-size", size)
    finish(page)
    page.emulate_media(color_scheme="dark")
    page.evaluate("document.querySelector('#stage').scrollIntoView()")
    take(page, folder, "sweep")


def main() -> None:
    """Parse, serve, paint, and take the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--size", default="384", help="of the painted pictures, in pixels")
    parser.add_argument("--iterations", default="120", help="of the solve")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as made:
        studio = Studio(Path(made) / "page", page_methods())
        studio.start()
        listening = listen("127.0.0.1", 0)
        server = make_server(studio, ServeRequest())
        thread = threading.Thread(target=lambda: server.run(sockets=[listening]), daemon=True)
        thread.start()
        address = address_of(listening, "127.0.0.1")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport=DESKTOP)
            paint(page, address, arguments.size, arguments.iterations)
            take_all(page, address, arguments.folder, arguments.size)
            browser.close()
        studio.let_go()
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
