"""Each example runs as it stands, from any folder."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
PACKAGE = Path(__file__).parents[1]
BASE = {"flax", "jax", "jaxopt", "numpy", "optax", "pathlib", "stylejax"}


def test_there_are_examples():
    assert len(EXAMPLES) >= 2


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_is_short(path, tmp_path):
    text = path.read_text()
    assert len(text.splitlines()) < 40 and ast.get_docstring(ast.parse(text))
    # XLA has no fast convolution for the gradients of one with a stride: as a loop without
    # optimizations it takes far longer than what compiling it saves.
    environment = os.environ | {"PYTHONPATH": str(PACKAGE), "JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}
    run = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", path],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_needs_the_base_install_alone(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported <= BASE | set(sys.stdlib_module_names)
