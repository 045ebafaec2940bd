"""The table of a solve: its rows and columns, as CSV and as a picture."""

import csv
import io
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageColor

from stylejax.losses.weights import LossTerms
from stylejax.solvers.solver import Solver
from stylejax.transfer.history import extend_history, history_csv, history_plot, start_history

# JAX keeps dictionaries in the order of their keys.
COLUMNS = [
    "iteration",
    "level",
    "loss",
    "content",
    "style",
    "total_variation",
    "content:a",
    "content:z",
    "style:b",
    "style:z",
    "gradient_norm",
    "evaluations",
]


# The loss ends at 210. After 12 iterations it still falls by 1e-3 in one, a hundred times what
# float32 tells apart there: how a compiler rounds does not decide whether the solve has converged.
START = 3.0 * np.random.default_rng(0).normal(size=24).astype(np.float32)


def terms_of(x, variation_weight):
    """Sums that pull apart, in the shape of the objective."""
    content = {"z": jnp.sum(jnp.square(x - 1.0)), "a": jnp.sum(jnp.square(x[:2]))}
    style = {"z": jnp.sum(jnp.power(x, 4)), "b": jnp.sum(jnp.square(x[1:] - x[:-1] + 3.0))}
    terms = LossTerms(
        content=content["z"] + content["a"],
        style=style["z"] + style["b"],
        total_variation=variation_weight * jnp.mean(jnp.square(x)),
        content_layers=content,
        style_layers=style,
    )
    return terms.content + terms.style + terms.total_variation, terms


@cache
def solve(variation_weight=2.0):
    """The history over chunks of 4, 1 and 7 steps, and the states at their ends."""
    chunks = iter((4, 1, 7))
    history, states = {}, []
    steps = Solver(terms_of).steps(START, 12, variation_weight, pace=lambda step: next(chunks))
    for step in steps:
        history = extend_history(history, step.trace) if history else start_history(step.state)
        states.append(jax.device_get(step.state))
    return history, states


def test_rows_and_columns():
    history, states = solve()
    assert list(history) == COLUMNS
    assert all(column.shape == (13,) for column in history.values())
    assert np.array_equal(history["iteration"], np.arange(13))
    assert history["iteration"].dtype == history["evaluations"].dtype == np.int32
    for row, state in zip((0, 4, 5, 12), states, strict=True):
        assert history["loss"][row] == state.value
        assert history["gradient_norm"][row] == state.gradient_norm
        assert history["style:b"][row] == state.aux.style_layers["b"]
        assert history["content:z"][row] == state.aux.content_layers["z"]
        assert history["evaluations"][: row + 1].sum() == state.evaluations
    value, terms = terms_of(START, 2.0)
    np.testing.assert_allclose(history["loss"][0], value, rtol=1e-6)
    np.testing.assert_allclose(history["style:b"][0], terms.style_layers["b"], rtol=1e-6)
    assert history["evaluations"][0] == 1 and np.all(history["evaluations"] >= 1)


def test_terms_add_up():
    history, _ = solve()
    parts = history["content"] + history["style"] + history["total_variation"]
    np.testing.assert_allclose(parts, history["loss"], rtol=1e-5)
    for kind in ("content", "style"):
        layers = sum(column for name, column in history.items() if name.startswith(f"{kind}:"))
        np.testing.assert_allclose(layers, history[kind], rtol=1e-5)


def test_the_start_of_a_level_adds_no_row():
    history, _ = solve()
    start = next(Solver(terms_of).steps(np.ones(6, np.float32), 3, 2.0))
    none = extend_history(history, start.trace, level=2)
    assert list(none) == list(history)
    assert all(np.array_equal(none[name], history[name]) for name in history)


def test_the_evaluations_of_a_level_are_counted_from_its_start():
    history, _ = solve()
    spent, rows = history["evaluations"].sum(), len(history["loss"])
    for step in Solver(terms_of).steps(np.ones(6, np.float32), 3, 2.0, pace=lambda step: 2):
        history = extend_history(history, step.trace, level=2)
        assert history["evaluations"].sum() == spent + (step.evaluations if step.taken else 0)
    assert history["iteration"][rows:].tolist() == [rows, rows + 1, rows + 2]
    assert history["level"].tolist() == [1] * rows + [2, 2, 2]


def test_a_solve_that_converges_has_no_rows_beyond():
    history, last = {}, None
    for last in Solver(terms_of).steps(START[:6], 40, 2.0):
        history = extend_history(history, last.trace, 1) if history else start_history(last.state)
    assert last is not None and last.converged and last.iteration < 40
    assert history["iteration"].tolist() == list(range(int(last.iteration) + 1))
    # The search that found nothing has used up its evaluations.
    assert history["loss"][-1] == history["loss"][-2] == last.value
    assert history["evaluations"][-1] > history["evaluations"][1]


def test_csv_reads_back_the_same_numbers():
    history, _ = solve()
    rows = list(csv.reader(io.StringIO(history_csv(history))))
    assert rows[0] == COLUMNS
    for name, *written in zip(*rows, strict=True):
        column = history[name]
        assert np.array_equal(np.array(written, np.float64).astype(column.dtype), column)
        if column.dtype == np.int32:
            assert written == [str(number) for number in column]


def curves(png):
    """How many of the first colors of matplotlib's cycle the picture shows, one after another."""
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG" and image.size == (840, 540)
    pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    cycle = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd"]
    shown = [np.any(np.all(pixels == ImageColor.getrgb(color), axis=1)) for color in cycle]
    assert shown == sorted(shown, reverse=True)
    return sum(shown)


def test_plot_shows_the_loss_and_its_three_terms():
    history, _ = solve()
    assert curves(history_plot(history)) == 4
    assert history_plot(history) == history_plot(history)


def test_plot_leaves_out_a_term_that_is_0():
    history, _ = solve(0.0)
    assert not history["total_variation"].any()
    assert curves(history_plot(history)) == 3


@pytest.mark.parametrize("rows", [1, 2])
def test_plot_of_a_short_solve(rows):
    history, _ = solve()
    # One point makes no line; the legend shows the colors all the same.
    assert curves(history_plot({name: column[:rows] for name, column in history.items()})) == 4
