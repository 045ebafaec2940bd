import io
import os
import queue
import re
import time
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image
from problems import picture, random_weights

from stylejax.options import Options, SolverOptions
from stylejax.transfer.transfer import Result

REQUIRED = os.environ.get("STYLEJAX_REQUIRE_BROWSER") == "1"
without_kernel = pytest.mark.skipif(
    find_spec("ipykernel") is None and not REQUIRED,
    reason="ipykernel is missing: the extra `notebook`",
)


def history(loss):
    columns = {"loss": loss, "content": loss / 2, "style": loss / 2, "total_variation": 0 * loss}
    return {name: np.asarray(column) for name, column in columns.items()}


def test_a_result_shows_its_picture_its_curve_and_its_settings():
    options = Options(solve=SolverOptions(iterations=77))
    result = Result(picture(), history(np.array([8.0, 4.0, 2.0])), False, True, options)
    html = result._repr_html_()
    assert "data:image/png;base64," in html and "stopped: loss 8 → 2" in html
    assert "<td>iterations</td><td>77</td>" in html
    # Of the terms those that are above 0 have a place on a logarithmic scale; down is smaller.
    lines = [points.split() for points in re.findall(r'points="([^"]*)"', html)]
    assert [len(points) for points in lines] == [3, 3, 3, 0]
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights == sorted(heights) and heights[0] == 0
    assert Image.open(io.BytesIO(result._repr_png_())).size == (64, 48)
    bare = Result(picture(), {}, True)._repr_html_()
    assert "<svg" not in bare and "settings" not in bare


CELLS = """
import os
from pathlib import Path
from stylejax import LossOptions, Options, PictureOptions, SolverOptions, read_weights
from stylejax import style_transfer
from stylejax.notebook import NotebookProgress
import numpy as np
loss = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))
solve = SolverOptions(iterations=100_000, solver="adam", levels=1)
options = Options(PictureOptions(), loss, solve)
content = np.linspace(0, 1, 48 * 64 * 3, dtype=np.float32).reshape(48, 64, 3)
weights = read_weights(Path(os.environ["STYLEJAX_WEIGHTS"]))
result = style_transfer(content, [content[:, ::-1]], weights=weights, options=options,
                        callback=NotebookProgress(0.2), every=3)
"""


def messages(client, seconds=120):
    """What a kernel tells, until it is idle again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            message = client.get_iopub_msg(timeout=1)
        except queue.Empty:
            continue
        yield message["msg_type"], message["content"]
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return
    pytest.fail("the kernel does not end")


@without_kernel
def test_a_kernel_shows_progress_in_place_and_an_interrupt_keeps_the_picture(monkeypatch):
    from jupyter_client.manager import start_new_kernel

    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        client.execute(CELLS)
        updates, shown, wrong = [], [], []
        for kind, content in messages(client):
            if kind == "display_data":
                shown.append(content)
            elif kind == "update_display_data":
                updates.append(content)
                if len(updates) == 2:
                    manager.interrupt_kernel()
            elif kind == "error":
                wrong.append(content)
        assert not wrong and len(shown) == 1 and len(updates) >= 2
        places = {each["transient"]["display_id"] for each in (*shown, *updates)}
        assert len(places) == 1
        assert len({each["data"]["text/html"] for each in updates}) == len(updates)
        client.execute("result")
        (result,) = [
            content["data"] for kind, content in messages(client) if kind == "execute_result"
        ]
        assert "stopped: loss" in result["text/html"] and "image/png" in result
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
