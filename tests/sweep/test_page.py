import base64
import io
import json
import re

import numpy as np
from PIL import Image
from problems import picture

from stylejax.options import Options
from stylejax.sweep.combinations import as_lists, combination_name, make_combinations
from stylejax.sweep.page import page_side, sweep_page
from stylejax.sweep.tables import make_row


def grid_of(weights):
    options = as_lists(Options())
    loss = options.loss.__class__(**vars(options.loss) | {"style_weight": weights})
    return make_combinations(
        options.__class__(options.picture, loss, options.solve), ["one", "two"]
    )


def test_a_sweep_is_one_file_that_holds_all_and_asks_for_nothing():
    grid = grid_of((5.0, 20.0))
    names = [combination_name(grid, lane) for lane in grid.lanes]
    assert len(names) == 4
    made = dict(zip(names[:3], grid.lanes, strict=False))
    results = [{"loss": loss} for loss in (3.0, float("nan"), 1.0)]
    rows = {
        name: make_row(f"{name}.png", lane.options, result, {})
        for (name, lane), result in zip(made.items(), results, strict=True)
    }
    rows[names[2]]["picture"] = "</script>.png"
    pictures = {name: picture(seed=seed) for seed, name in enumerate(made)}
    page = sweep_page(grid, rows, pictures, picture(seed=9))

    # Nothing is asked of anywhere, and no name ends the script.
    assert not re.search(r"https?://|<link|<script src|url\(", page)
    (data,) = re.findall(r'id="sweep">(.*?)</script>', page, re.S)
    sweep = json.loads(data)
    assert sweep["cells"][2]["row"]["picture"] == "</script>.png"
    assert sweep["columns"] == 2 and len(sweep["row_labels"]) == 2
    assert sweep["column_labels"] == ["style-weight 5", "style-weight 20"]
    assert [cell["name"] for cell in sweep["cells"]] == names
    assert [cell["row"] and cell["row"]["loss"] for cell in sweep["cells"]] == [3, None, 1, None]
    assert sweep["cells"][3]["picture"] is None
    kind, _, content = sweep["cells"][0]["picture"].partition(",")
    assert kind == "data:image/jpeg;base64"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))), np.float32) / 255
    assert np.abs(shown - pictures[names[0]]).mean() < 0.05


def test_many_pictures_are_shown_smaller():
    assert page_side(4) > page_side(1000)
