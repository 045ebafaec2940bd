"""A style exported, and run by nothing but JAX."""

import subprocess
import sys
from functools import partial

import jax
import numpy as np
from containers import write_torch_zip
from foreign_networks import pytorch_state, run_pytorch
from problems import picture
from small_painters import PAINTER, make_parameters, write_small_painter

from stylejax.cli.entry import main
from stylejax.feedforward import paint, style_mixture

ALONE = """
import sys
import numpy as np
from jax import export
exported = export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
for name in sys.argv[2:]:
    np.save(f"{name}.made.npy", exported.call(np.load(f"{name}.npy")))
assert not [module for module in sys.modules if module.startswith("stylejax")]
"""


def test_an_exported_style_paints_any_size_without_stylejax(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_small_painter(tmp_path / "mine.safetensors")
    state = pytorch_state()
    source = write_torch_zip(tmp_path / "candy.pth", state)
    assert main(["weights", "convert", str(source), "-o", "candy.safetensors"]) == 0
    photos = {"a": picture(24, 28), "b": picture(41, 16)}
    for name, photo in photos.items():
        np.save(tmp_path / f"{name}.npy", photo)

    def exported(style, *words):
        # In a process of its own: sizes that are symbols are no numbers to the types' checks here.
        made = [sys.executable, "-m", "stylejax", "export", style, "-o", "s.stablehlo"]
        subprocess.run([*made, "--platforms", "cpu", *words], check=True, timeout=300, cwd=tmp_path)
        command = [sys.executable, "-c", ALONE, "s.stablehlo", *photos]
        subprocess.run(command, check=True, timeout=300)
        return {name: np.load(tmp_path / f"{name}.made.npy") for name in photos}

    mixture = style_mixture([0.0, 1.0], 0.7)
    made = exported("mine.safetensors:b", "--strength", "0.7")
    for name, photo in photos.items():
        wanted, _ = jax.jit(partial(paint, PAINTER))(make_parameters(), photo, mixture)
        # The weight file has its numbers in float16.
        np.testing.assert_allclose(made[name], wanted, atol=5e-3)
    made = exported("candy.safetensors")
    for name, photo in photos.items():
        np.testing.assert_allclose(made[name], run_pytorch(state, photo), atol=1e-3)

    capsys.readouterr()
    for words, says in (
        (["none-such", "-o", "not.stablehlo"], "no such style"),
        (["mine.safetensors:a", "-o", "not.onnx"], "is named .stablehlo"),
        (["candy.safetensors", "-o", "not.stablehlo", "--strength", "0.5"], "--strength"),
        (["mine.safetensors:a", "-o", "not.stablehlo", "--platforms", "abacus"], "--platforms"),
    ):
        assert main(["export", *words]) == 2
        error = capsys.readouterr().err
        assert says in error and error.count("\n") == 1, error
    assert not list(tmp_path.glob("not.*"))
