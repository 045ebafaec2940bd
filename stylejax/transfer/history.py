"""How a solve went: loss terms, gradient norm and evaluations of each iteration.

A history is a dictionary of equally long arrays; row 0 is the start, row n the state after n
iterations. `content`, `style` and `total_variation` add up to `loss`, a layer's column is its
share of its term; `evaluations` counts value-and-gradient evaluations spent on that iteration.
"""

import csv
import io
from collections.abc import Iterator

import jax
import numpy as np
from jaxtyping import Array, PyTree

from stylejax.losses.weights import LossTerms
from stylejax.solvers.state import SolverState, Trace

History = dict[str, np.ndarray]
"""Columns by name, a row for each iteration: its number, level, loss and terms, evaluations."""

TERMS = ("content", "style", "total_variation")
"""The terms that add up to the loss."""


def _loss_columns(value: Array | np.ndarray, terms: LossTerms) -> Iterator[tuple[str, PyTree]]:
    yield "loss", value
    for name in TERMS:
        yield name, getattr(terms, name)
    for kind, layers in (("content", terms.content_layers), ("style", terms.style_layers)):
        for name, term in layers.items():
            yield f"{kind}:{name}", term
    for name, term in terms.terms.items():
        yield f"term:{name}", term


def _columns(state: SolverState | Trace) -> History:
    columns = dict(_loss_columns(state.value, state.aux))
    columns["gradient_norm"] = state.gradient_norm
    columns["evaluations"] = state.evaluations
    # Not over the dictionary: JAX would sort its keys.
    values = jax.device_get(list(columns.values()))
    return {name: np.atleast_1d(column) for name, column in zip(columns, values, strict=True)}


def start_history(state: SolverState) -> History:
    """The history of a solve of which only the start has been evaluated: one row."""
    first = {"iteration": np.zeros(1, np.int32), "level": np.ones(1, np.int32)}
    return {**first, **_columns(state)}


def is_history_of(history: History, state: SolverState) -> bool:
    """Whether a history that was read somewhere can be gone on with from a state of these terms."""
    terms = (name for name, _ in _loss_columns(state.value, state.aux))
    names = {"iteration", "level", *terms, "gradient_norm", "evaluations"}
    whole = ("iteration", "level", "evaluations")
    return history.keys() == names and all(history[name].dtype.kind in "iu" for name in whole)


def spent_before(history: History, level: int) -> int:
    """The evaluations spent before a level began."""
    return int(history["evaluations"][history["level"] < level].sum())


def extend_history(history: History, trace: Trace, level: int = 1) -> History:
    """The history with the iterations of a level's trace added."""
    new, steps = _columns(trace), len(trace.value)
    before = history["evaluations"].sum()
    # The trace counts from the start of its level.
    counted = new["evaluations"] + spent_before(history, level)
    new["evaluations"] = np.diff(np.concatenate([[before], counted])).astype(np.int32)
    new["level"] = np.full(steps, level, np.int32)
    new["iteration"] = history["iteration"][-1] + np.arange(1, steps + 1, dtype=np.int32)
    return {name: np.concatenate([column, new[name]]) for name, column in history.items()}


def history_csv(history: History) -> str:
    """The history as CSV text, a header line and a line each iteration."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(history)
    writer.writerows(zip(*(column.tolist() for column in history.values()), strict=True))
    return text.getvalue()


def history_plot(history: History) -> bytes:
    """The loss and its terms over iterations, on a logarithmic scale, as PNG (by matplotlib)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for name in ("loss", *TERMS):
        # A term whose weight is 0, or that starts at 0, has no place on a logarithmic scale.
        column = np.where(history[name] > 0, history[name], np.nan)
        if np.isfinite(column).any():
            axes.plot(history["iteration"], column, label=name.replace("_", " "))
    axes.set(xlabel="iteration", ylabel="loss (weighted)", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend()
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()
