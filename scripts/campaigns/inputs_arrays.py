"""Rows of arrays at the library's border: what is no picture is refused by name and shape."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from campaigns.inputs_files import picture
from campaigns.rows import Row
from stylejax import (
    LossOptions,
    Masks,
    Options,
    SolverOptions,
    read_picture,
    style_transfer,
    write_picture,
)

# The functions are given what their annotations forbid.
_transfer: Any = style_transfer
_write: Any = write_picture
_read: Any = read_picture
_loss: Any = LossOptions


def _bad_arrays() -> dict[str, Any]:
    good = picture()
    nan = good.copy()
    nan[3, 4, 1] = np.nan
    return {
        "a batch": good[None],
        "channels first": np.moveaxis(good, -1, 0),
        "gray": good[..., 0],
        "one channel": good[..., :1],
        "two channels": good[..., :2],
        "five channels": np.concatenate([good, good[..., :2]], -1),
        "not a number": nan,
        "infinite": good + np.inf,
        "beyond 1": good * 255,
        "below 0": good - 1.5,
        "complex": good + 0j,
        "words": np.full((64, 64, 3), "a"),
        "empty": good[:0],
        "objects": np.full((64, 64, 3), None),
        "a number": 0.5,
        "none": None,
        "a dictionary": {"pixels": good},
    }


def array_rows() -> Iterator[Row]:
    """Arrays of wrong shapes and ranges in every public function that takes a picture."""
    good = picture()
    for name, bad in _bad_arrays().items():
        yield Row(f"content {name}", lambda bad=bad: _transfer(bad, [good]), "content")
        yield Row(f"style {name}", lambda bad=bad: _transfer(good, [bad]), "style")
        if name != "none":
            yield Row(f"init {name}", lambda bad=bad: _transfer(good, [good], init=bad), "init")
        if name not in ("beyond 1", "below 0"):
            write = lambda bad=bad: _write(Path("array.png"), bad)
            yield Row(f"written {name}", write, "")
    once = Options(solve=SolverOptions(iterations=1))
    solved = lambda: _transfer(good, good, options=once).image.shape == good.shape
    yield Row("a bare array for a list", solved, slow=True)
    yield Row("a style's path", lambda: _transfer(good, ["style.png"]), "style")
    masks = Masks((good,))
    yield Row("a mask of three channels", lambda: _transfer(good, [good], masks=masks), "mask")
    for name, options in {
        "style loss": lambda: Options(loss=_loss(style_loss="Gram")),
        "loss form": lambda: Options(loss=_loss(loss_form="Paper")),
        "layers as a word": lambda: Options(loss=_loss(style_layers="input")),
        "a layer's number": lambda: Options(loss=_loss(style_layers=(3,))),
        "weight as a word": lambda: Options(loss=_loss(style_weight="20")),
        "no iterations": lambda: Options(solve=SolverOptions(iterations=0)),
    }.items():
        solve = lambda options=options: _transfer(good, [good], options=options())
        yield Row(name, solve, "--" if name == "no iterations" else "")
    yield Row("a path as text, read", lambda: _read("content.png").pixels.shape == (64, 64, 3))
    for size in (0, -3):
        yield Row(f"read at {size} px", lambda size=size: _read("content.png", size), "longest")
    yield Row("a path as text, written", lambda: _written("text.png", good))
    bytes_ = np.uint8(255 * good)
    yield Row("uint8, written", lambda: _written("uint8.png", bytes_))
    yield Row("uint16, written", lambda: _written("uint16.png", np.uint16(bytes_) * 257))
    yield Row("a Pillow picture, written", lambda: _written("pillow.png", Image.fromarray(bytes_)))


def _written(name: str, pixels: object) -> bool:
    _write(name, pixels)
    return bool(np.abs(read_picture(Path(name)).pixels - picture()).max() <= 1.01 / 255)
