"""Several devices, made of the CPU: each test runs in a process of its own, where they are made."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from problems import picture

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
        from problems import picture
        from stylejax.options import LossOptions, Options
        from stylejax.sweep.lanes import program_bytes
        from stylejax.devices.mesh import communication
        from stylejax.transfer.sharding import over_rows
        from stylejax.transfer.problem import make_problem
        from stylejax.weights.read import read_weights

        loss = LossOptions(content_layers=("pool1",), style_layers=("input", "pool1"))
        content, style = picture(259, 40), picture(64, 64, seed=3)
        start = np.clip(content + 0.1, 0, 1)
        plain = make_problem(read_weights(), content, [style], Options(loss=loss), start)
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
        even = make_problem(read_weights(), content[:256], [style], Options(loss=loss), start[:256])
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


def test_the_command_line_uses_all_devices(tmp_path):
    content, style = tmp_path / "content.png", tmp_path / "style.png"
    write_picture(content, picture(64, 48, seed=1))
    write_picture(style, picture(64, 64, seed=2)[..., ::-1])
    made = {}
    for count in (1, 2):
        made[count] = tmp_path / f"{count}.png"
        command = ["-m", "stylejax", "transfer", str(content), str(style), "-o", str(made[count])]
        options = ["--size", "64", "--iterations", "4", *SHALLOW]
        done = run_on_devices(count, *command, *options)
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = (read_picture(path).pixels for path in made.values())
    assert np.abs(one - two).max() < 3 / 255
    assert read_record(made[2])["devices"] == 2 and "devices" not in read_record(made[1])

    sweeps = {}
    for count in (1, 2):
        folder = sweeps[count] = tmp_path / f"sweep{count}"
        command = ["-m", "stylejax", "sweep", str(content), str(style), "-o", str(folder)]
        grid = ["--style-weight", "2,20,200", "--size", "64", "--iterations", "4", *SHALLOW]
        assert run_on_devices(count, *command, *grid).returncode == 0
    rows = [json.loads((folder / "results.json").read_text()) for folder in sweeps.values()]
    for one, two in zip(*rows, strict=True):
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-3)
