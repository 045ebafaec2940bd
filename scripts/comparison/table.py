"""The figures of all pictures as a Markdown table."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def seconds(row: dict[str, Any]) -> float | None:
    """Seconds of compiling and solving, or of all, None where no account was kept."""
    spent = row.get("transfer")
    if not spent:
        return None
    whole = spent.get("seconds_total")
    return spent["seconds_compile"] + spent["seconds_solve"] if whole is None else whole


def figures_table(rows: Sequence[dict[str, Any]], judges: Sequence[str]) -> str:
    """The rows, and each method's mean over the pairs, as a Markdown table."""
    kinds = ("style", "content")
    names = [f"{kind} ({judge})" for judge in judges for kind in kinds]
    header = ["pair", "method", *names, "grid", "grid 2 px", "colour", "seconds"]
    digits = [2] * (len(names) + 2) + [1, 0]
    rule = ["---", "---", *["---:"] * len(digits)]
    shown, by_method = [header, rule], {}

    def show(pair: str, method: str, figures: Sequence[float | None]) -> None:
        pairs = zip(figures, digits, strict=True)
        shown.append([pair, method, *("" if x is None else f"{x:.{d}f}" for x, d in pairs)])

    for row in rows:
        figures = [row[kind][judge] for judge in judges for kind in kinds]
        figures += [row["grid"], row["grid_2px"], row["colour"], seconds(row)]
        by_method.setdefault(row["method"], []).append(figures)
        show(row["pair"], row["method"], figures)
    for method, lines in by_method.items():
        columns = zip(*lines, strict=True)
        if len(lines) > 1:
            means = [None if None in column else float(np.mean(column)) for column in columns]
            show(f"mean of {len(lines)}", method, means)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in shown)
