"""Several devices, made of the CPU: each test runs in a process of its own, where they are made."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from problems import picture, random_weights

from stylejax.cli import main
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.runs.metadata import read_record

SHALLOW = ["--content-layers", "pool1", "--style-layers", "input,conv1_relu", "--quiet"]


def run_on_devices(count, *arguments):
    environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=300
    )


def test_a_picture_in_bands_has_the_loss_and_gradient_of_the_whole():
    code = """
        import json, jax, jax.numpy as jnp, numpy as np
        from problems import picture, random_weights
        from stylejax.options import LossOptions, Options
        from stylejax.sweep.lanes import program_bytes
        from stylejax.devices.mesh import communication
        from stylejax.transfer.sharding import over_rows
        from stylejax.transfer.problem import make_problem
        from stylejax.weights.read import read_weights

        loss = LossOptions(content_layers=("pool1",), style_layers=("input", "pool1"))
        content, style = picture(259, 40), picture(64, 64, seed=3)
        start = np.clip(content + 0.1, 0, 1)
        weights = read_weights(random_weights())
        plain = make_problem(weights, content, [style], Options(loss=loss), start)
        bands = over_rows(plain, jax.devices())
        found = {}
        for name, problem in {"plain": plain, "bands": bands}.items():
            evaluate = jax.jit(jax.value_and_grad(problem.solver.fun, has_aux=True))
            (value, _), gradient = evaluate(problem.start, *problem.arguments)
            program = problem.compiled().programs.advance
            *_, last = problem.steps(3)
            found[name] = {
                "value": float(value),
                "gradient": np.asarray(gradient)[:259].tolist(),
                "solved": float(last.value),
                "image": problem.image(last.state).shape,
                "bytes": program_bytes(program),
                "exchanged": communication(program.as_text()),
            }
        even = make_problem(weights, content[:256], [style], Options(loss=loss), start[:256])
        even = over_rows(even, jax.devices())
        found["even"] = program_bytes(even.compiled().programs.advance)
        print(json.dumps(found))
    """
    done = run_on_devices(
        8, "-c", f"import sys; sys.path.insert(0, 'tests')\n{textwrap.dedent(code)}"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    plain, bands = found["plain"], found["bands"]
    assert bands["value"] == pytest.approx(plain["value"], rel=1e-5)
    reference = np.asarray(plain["gradient"])
    error = np.linalg.norm(np.asarray(bands["gradient"]) - reference)
    assert error < 1e-4 * np.linalg.norm(reference)
    assert bands["solved"] == pytest.approx(plain["solved"], rel=1e-3)
    assert bands["image"] == plain["image"] == [259, 40, 3]
    # Of 259 rows the devices have different numbers, which some operations collect first.
    assert bands["bytes"] < 0.6 * plain["bytes"]
    assert found["even"] < 0.4 * plain["bytes"]
    # Sums over all bands, and exchanges of edges; alone there is nobody to talk to.
    assert bands["exchanged"]["all-reduce"] > 0
    assert bands["exchanged"]["collective-permute"] > 0
    # The Fourier transform collects the picture, there and back; nothing collects feature maps.
    assert bands["exchanged"]["all-gather"] < 3 * 4 * reference.size
    assert plain["exchanged"] == {}


def test_the_command_line_uses_all_devices(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    content, style = tmp_path / "content.png", tmp_path / "style.png"
    write_picture(content, picture(64, 48, seed=1))
    write_picture(style, picture(64, 64, seed=2)[..., ::-1])
    given = [str(content), str(style), "--size", "64", "--iterations", "4", *SHALLOW, "-o"]

    def on_one_and_two(*arguments):
        """Here, where there is one device, and in a process that has two."""
        outputs = tmp_path / f"{arguments[0]}-1.png", tmp_path / f"{arguments[0]}-2.png"
        assert main([*arguments, *given, str(outputs[0])]) == 0
        done = run_on_devices(2, "-m", "stylejax", *arguments, *given, str(outputs[1]))
        assert done.returncode == 0, done.stderr[-2000:]
        return outputs

    pictures = on_one_and_two("transfer")
    one, two = (read_picture(path).pixels for path in pictures)
    assert np.abs(one - two).max() < 3 / 255
    records = [read_record(path) for path in pictures]
    assert "devices" not in records[0] and records[1]["devices"] == 2

    folders = on_one_and_two("sweep", "--style-weight", "2,20,200")
    rows = [json.loads((folder / "results.json").read_text()) for folder in folders]
    for one, two in zip(*rows, strict=True):
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-3)
