import os
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import picture, random_weights

from stylejax.images.write import write_picture
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions
from stylejax.runs import program_shelf
from stylejax.runs.kept_programs import KeptPrograms
from stylejax.runs.program_shelf import ProgramShelf
from stylejax.runs.request import Request
from stylejax.runs.transfer import run_transfer
from stylejax.solvers.solver import Solver
from stylejax.transfer.compiler import signature_of

X = np.arange(4, dtype=np.float32)
SHAPES = signature_of(X)


@pytest.fixture
def shelf(tmp_path):
    return ProgramShelf(tmp_path / "programs", jax.devices()[0], "a structure")


def compiled(factor=2.0):
    return jax.jit(lambda x: {"value": factor * x}).lower(X).compile()


def test_a_program_is_there_again_for_the_very_same(shelf):
    assert shelf.load("double", SHAPES) is None
    shelf.save("double", SHAPES, [compiled(), compiled(3.0)])
    double, triple = shelf.load("double", SHAPES)
    np.testing.assert_array_equal(double(X)["value"], 2 * X)
    np.testing.assert_array_equal(triple(X)["value"], 3 * X)
    other = ProgramShelf(shelf.folder, jax.devices()[0], "another structure")
    assert other.load("double", SHAPES) is shelf.load("triple", SHAPES) is None
    assert shelf.load("double", signature_of(X[:2])) is None


def test_a_mode_that_changes_programs_is_part_of_the_key(shelf):
    shelf.save("double", SHAPES, [compiled()])
    with jax.default_matmul_precision("highest"):
        again = ProgramShelf(shelf.folder, jax.devices()[0], "a structure")
    assert again.load("double", SHAPES) is None


@pytest.mark.parametrize("damage", [b"", b"no program"])
def test_a_damaged_file_is_none(shelf, damage):
    shelf.save("double", SHAPES, [compiled()])
    (path,) = shelf.folder.iterdir()
    path.write_bytes(damage)
    assert shelf.load("double", SHAPES) is None


def test_a_solvers_own_state_comes_back_flat(shelf):
    solver = Solver(lambda x: (jnp.sum(jnp.square(x - 1.0)), {"first": x[0]}))
    init, advance = solver.compile(X)
    shelf.save("solve", SHAPES, [init, advance])
    stored_init, stored_advance = shelf.load("solve", SHAPES)
    state, kept = init(X), stored_init(X)
    assert isinstance(kept.inner, tuple) and type(kept) is type(state)
    (state, trace), (kept, stored_trace) = (
        step(at, np.int32(3)) for step, at in ((advance, state), (stored_advance, kept))
    )
    both = (jax.tree.leaves((state, trace)), jax.tree.leaves((kept, stored_trace)))
    for ours, stored in zip(*both, strict=True):
        np.testing.assert_array_equal(ours, stored)


def test_what_has_not_been_used_for_longest_makes_room(shelf, monkeypatch):
    for number, name in enumerate(("old", "new")):
        shelf.save(name, SHAPES, [compiled()])
        os.utime(shelf._path(name, SHAPES), (number, number))
    size = shelf._path("new", SHAPES).stat().st_size
    monkeypatch.setattr(program_shelf, "MOST_BYTES", 2 * size + 100)
    shelf.save("newest", SHAPES, [compiled()])
    there = [name for name in ("old", "new", "newest") if shelf._path(name, SHAPES).exists()]
    assert there == ["new", "newest"]


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path):
    (tmp_path / "file").touch()
    shelf = ProgramShelf(tmp_path / "file", jax.devices()[0], "a structure")
    shelf.save("double", SHAPES, [compiled()])
    assert shelf.load("double", SHAPES) is None


def test_a_second_run_of_the_same_sizes_traces_nothing(tmp_path, monkeypatch):
    content, style = tmp_path / "content.png", tmp_path / "style.png"
    write_picture(content, picture(60, 80, seed=1))
    write_picture(style, picture(90, 70, seed=2)[..., ::-1])
    shallow = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))
    # Of a size that no other test has: what JAX's cache knows already is not kept.
    options = Options(PictureOptions(size=72), shallow, SolverOptions(iterations=3, levels=1))
    request = Request(content, (style,), tmp_path / "a.png", options, weights=random_weights())
    run_transfer(request, kept=KeptPrograms(tmp_path / "programs"))

    def fail(*arguments):
        raise AssertionError("traced again")

    monkeypatch.setattr(Solver, "iterate", fail)
    monkeypatch.setattr(Solver, "begin", fail)
    run_transfer(
        replace(request, output=tmp_path / "b.png"), kept=KeptPrograms(tmp_path / "programs")
    )
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    # Another weight is a number, and no other program.
    heavier = replace(options, loss=replace(shallow, style_weight=90.0))
    kept = KeptPrograms(tmp_path / "programs")
    run_transfer(replace(request, options=heavier, output=tmp_path / "c.png"), kept=kept)
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "c.png").read_bytes()
