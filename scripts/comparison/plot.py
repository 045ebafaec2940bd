"""Placement against style: a curve for each method, a point for each of its style weights."""

import io
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from comparison.jobs import Method
from stylejax.errors import InputError


def check_plotting() -> None:
    """Find out beforehand whether there will be a plot.

    Raises:
        InputError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise InputError("--plot needs matplotlib: pip install 'stylejax[plot]', or leave it out")


def curve_points(
    rows: Sequence[dict[str, Any]], method: str, judges: Sequence[str]
) -> tuple[float, float]:
    """A method's style distance, of all judges and pairs, and its rank correlation."""
    own = [row for row in rows if row["method"] == method]
    style = np.mean([row["style"][judge] for row in own for judge in judges])
    return float(style), float(np.mean([row["rank_correlation"] for row in own]))


def placement_plot(
    rows: Sequence[dict[str, Any]], methods: Sequence[Method], judges: Sequence[str]
) -> bytes:
    """The mean rank correlation of local energy over the mean style distance, as PNG.

    Up is better, left is better; methods that differ by their style weight alone are joined.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    planned = {method.name for method in methods}
    curves = {
        method.curve: [m.name for m in methods if m.curve == method.curve] for method in methods
    }
    others = dict.fromkeys(row["method"] for row in rows if row["method"] not in planned)
    for name, points in [*curves.items(), *((other, [other]) for other in others)]:
        styles, correlations = zip(*(curve_points(rows, p, judges) for p in points), strict=True)
        axes.plot(styles, correlations, marker="o", label=name)
    axes.set(xlabel="style distance (0: the painting's)", ylabel="rank correlation of local energy")
    axes.grid(alpha=0.3)
    axes.legend()
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()
