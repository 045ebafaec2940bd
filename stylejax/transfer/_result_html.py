"""A result as HTML that stands by itself: what a notebook shows."""

import base64
from html import escape

import numpy as np

from stylejax.images.encoding import encode_png
from stylejax.options import Options, flatten_options
from stylejax.transfer.history import TERMS, History
from stylejax.types import Pixels

# In the units of the drawing.
_WIDTH, _HEIGHT = 360, 140
_COLORS = {"loss": "#444", "content": "#2a78c2", "style": "#d4572a", "total_variation": "#3b9a4b"}


def _curve(history: History) -> str:
    """Loss and terms over iterations, on a logarithmic scale."""
    columns = {
        name: np.log10(np.where(history[name] > 0, history[name], np.nan).astype(np.float64))
        for name in ("loss", *TERMS)
        if name in history
    }
    known = [column[np.isfinite(column)] for column in columns.values()]
    if not known or not sum(map(len, known)) or len(history["loss"]) < 2:
        return ""
    every = np.concatenate(known)
    low, high = every.min(), max(every.max(), every.min() + 1e-6)
    lines = []
    for name, column in columns.items():
        across = np.linspace(0, _WIDTH, len(column))
        down = _HEIGHT * (1 - (column - low) / (high - low))
        there = np.isfinite(down)
        points = " ".join(
            f"{x:.1f},{y:.1f}" for x, y in zip(across[there], down[there], strict=True)
        )
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{_COLORS[name]}" stroke-width="2">'
            f"<title>{name.replace('_', ' ')}</title></polyline>"
        )
    names = ", ".join(
        f'<span style="color:{_COLORS[name]}">{name.replace("_", " ")}</span>' for name in columns
    )
    return (
        f'<svg viewBox="0 -4 {_WIDTH} {_HEIGHT + 8}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'role="img" aria-label="The loss over iterations">{"".join(lines)}</svg>'
        f"<div>{names}: logarithmic, {len(history['loss']) - 1} iterations</div>"
    )


def result_html(image: Pixels, history: History, ending: str, options: Options | None) -> str:
    """The picture, how the loss went down, how it ended, and the settings.

    Args:
        image: the picture.
        history: of its solve.
        ending: in a word.
        options: that it was solved with.
    """
    inline = base64.b64encode(encode_png(image)).decode()
    parts = [
        f'<img src="data:image/png;base64,{inline}" alt="The picture" style="max-width:100%">',
        _curve(history),
    ]
    if "loss" in history:
        first, last = history["loss"][0], history["loss"][-1]
        parts.append(f"<div>{ending}: loss {first:.5g} → {last:.5g}</div>")
    if options is not None:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>"
            for name, value in flatten_options(options).items()
        )
        parts.append(f"<details><summary>settings</summary><table>{rows}</table></details>")
    return f"<div>{''.join(parts)}</div>"
