"""The figures of all pictures as Markdown tables."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Figures = list[float | None]


def seconds(row: dict[str, Any]) -> float | None:
    """Seconds of compiling and solving, or of all, None where no account was kept."""
    spent = row.get("transfer")
    if not spent:
        return None
    whole = spent.get("seconds_total")
    return spent["seconds_compile"] + spent["seconds_solve"] if whole is None else whole


def _table(
    rows: Sequence[dict[str, Any]],
    names: Sequence[str],
    digits: Sequence[int],
    figures_of: Callable[[dict[str, Any]], Figures],
) -> str:
    """The rows, and each method's mean over the pairs, as a Markdown table."""
    shown = [["pair", "method", *names], ["---", "---", *["---:"] * len(digits)]]
    by_method: dict[str, list[Figures]] = {}

    def show(pair: str, method: str, figures: Figures) -> None:
        pairs = zip(figures, digits, strict=True)
        shown.append([pair, method, *("" if x is None else f"{x:.{d}f}" for x, d in pairs)])

    for row in rows:
        by_method.setdefault(row["method"], []).append(figures_of(row))
        show(row["pair"], row["method"], figures_of(row))
    for method, lines in by_method.items():
        columns = zip(*lines, strict=True)
        if len(lines) > 1:
            show(f"mean of {len(lines)}", method, [_mean(column) for column in columns])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in shown)


def _mean(column: Sequence[float | None]) -> float | None:
    known = [figure for figure in column if figure is not None]
    return float(np.mean(known)) if len(known) == len(column) else None


def figures_table(rows: Sequence[dict[str, Any]], judges: Sequence[str]) -> str:
    """Style, content, grid, color and seconds."""
    kinds = ("style", "content")
    names = [f"{kind} ({judge})" for judge in judges for kind in kinds]
    digits = [2] * (len(names) + 2) + [1, 0]

    def figures_of(row: dict[str, Any]) -> Figures:
        judged = [row[kind][judge] for judge in judges for kind in kinds]
        return [*judged, row["grid"], row["grid_2px"], row["colour"], seconds(row)]

    return _table(rows, [*names, "grid", "grid 2 px", "colour", "seconds"], digits, figures_of)


def placement_table(rows: Sequence[dict[str, Any]], judges: Sequence[str]) -> str:
    """Whether things are in their place: the figures of `evaluation.placement`."""
    blurs = list(rows[0]["leak"])
    names = [f"{name} {blur} px" for blur in blurs for name in ("leak", "share", "painting's")]
    names += ["rank correlation", "blotch", *(f"self-similarity ({judge})" for judge in judges)]
    digits = [*[1, 2, 2] * len(blurs), 2, *[3] * (1 + len(judges))]

    def figures_of(row: dict[str, Any]) -> Figures:
        leaks = [figure for blur in blurs for figure in row["leak"][blur].values()]
        alike = [row["self_similarity"][judge] for judge in judges]
        return [*leaks, row["rank_correlation"], row["blotch"], *alike]

    return _table(rows, names, digits, figures_of)
