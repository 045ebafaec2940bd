"""What the command line imports: JAX takes longer than help, and than most that is refused."""

import subprocess
import sys
from importlib import import_module

import pytest
from PIL import Image

import stylejax.losses
from stylejax.cli.commands import COMMANDS
from stylejax.cli.entry import ACTIONS

WITHOUT_JAX = """
import sys

class Refuse:
    def find_spec(self, name, path, target=None):
        if name in ("jax", "jaxlib", "jaxopt", "flax", "optax", "scipy"):
            raise AssertionError(f"{name} is imported")

sys.meta_path.insert(0, Refuse())
from stylejax.cli.entry import main

codes = []
for line in sys.stdin.read().splitlines():
    try:
        codes.append(main(line.split()))
    except SystemExit as end:
        codes.append(end.code or 0)
sys.exit(str(codes))
"""
LINES = {
    "--help": 0,
    "transfer --help": 0,
    "sweep --help": 0,
    "transfer photo.png nothing.png -o out.png": 2,
    "transfer photo.png photo.png -o out.txt": 2,
    "transfer photo.png photo.png -o out.png --style-weight -1": 2,
    "transfer photo.png photo.png -o out.png --weights nothing.safetensors": 2,
    "transfer photo.png photo.png -o out.png --init nothing.png": 2,
    "transfer photo.png photo.png -o out.png --style-blend 1,2": 2,
    "transfer photo.png": 2,
    "no-such-command": 2,
    "show photo.png": 2,
    "layers": 0,
    "presets": 0,
    "weights list": 0,
}


def test_help_and_what_is_refused_need_no_jax(tmp_path):
    Image.new("RGB", (64, 48), "gray").save(tmp_path / "photo.png")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_JAX],
        input="\n".join(LINES),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = run.stderr.splitlines()
    assert said[-1] == str(list(LINES.values())), run.stderr
    assert len(said) == 1 + list(LINES.values()).count(2) and "COMMAND" in run.stdout


def test_every_command_has_something_to_do():
    assert set(ACTIONS) == set(COMMANDS.values())
    for module, function in ACTIONS.values():
        assert callable(getattr(import_module(f"stylejax.cli.{module}"), function))


def test_names_that_come_when_they_are_asked_for():
    assert stylejax.losses.content_loss is import_module("stylejax.losses.content").content_loss
    assert set(stylejax.losses.__all__) <= set(dir(stylejax.losses))
    with pytest.raises(AttributeError, match=r"'stylejax\.losses' has no attribute 'nothing'"):
        _ = stylejax.losses.nothing  # pyright: ignore[reportAttributeAccessIssue]
