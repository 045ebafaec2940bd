import sys

import jax
import jax.numpy as jnp
import numpy as np
import psutil
import pytest
from problems import random_weights

from stylejax.devices import memory as device
from stylejax.devices.containers import memory_limits
from stylejax.devices.memory import (
    available_memory,
    check_memory,
    estimated_memory,
    find_devices,
    fitting_strip_rows,
    fixed_memory,
    release_freed_memory,
)
from stylejax.errors import InputError
from stylejax.losses.objective import make_objective
from stylejax.networks import DENSENET121, VGG19, folded_variables
from stylejax.solvers.jaxopt_lbfgs import lbfgs
from stylejax.solvers.solver import Solver
from stylejax.transfer.problem import latent_objective
from stylejax.weights.names import expected_shapes, variables_from_state_dict
from stylejax.weights.read import read_weights


def test_the_named_device_or_an_error():
    assert find_devices("cpu")[0].platform == "cpu"
    assert find_devices(None) == jax.devices()
    with pytest.raises(InputError, match="--device tpu: there is none"):
        find_devices("tpu")


def test_some_memory_is_available():
    assert 1e8 < available_memory(jax.devices()[0]) < 1e14


def test_a_run_that_does_not_fit_is_told_what_fits():
    layers = ("conv1_relu", "pool3_relu")
    needed = estimated_memory(4096, 4096, layers, 23, DENSENET121)
    fixed = fixed_memory(layers, DENSENET121)
    with pytest.raises(InputError) as caught:
        check_memory(needed, needed // 4, 4096, fixed)
    fits = int(str(caught.value).rsplit("--size ", 1)[1].split()[0])
    assert 1900 < fits < 2100
    check_memory(estimated_memory(fits, fits, layers, 23, DENSENET121), needed // 4, fits, fixed)
    check_memory(needed, needed, 4096)


def test_no_size_is_named_that_is_too_small():
    with pytest.raises(InputError, match="no size would fit") as caught:
        check_memory(10**9, 10**5, 512, 1e8)
    assert "--size 0" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ("Out of memory while trying to allocate 4.00TiB.", "no size would fit"),
        ("Out of memory allocating 4096 bytes.", "--size 352 would fit"),
        ("no number", "--size 352 would fit"),
    ],
)
def test_memory_that_runs_out_is_one_line_with_the_size_that_fits(monkeypatch, said, size):
    monkeypatch.setattr(device, "available_memory", lambda device: 10**9)
    with (
        pytest.raises(InputError, match=size) as caught,
        device.memory_guard(512, jax.devices()[0]),
    ):
        raise jax.errors.JaxRuntimeError(f"RESOURCE_EXHAUSTED: {said}")
    assert "\n" not in str(caught.value)
    with pytest.raises(jax.errors.JaxRuntimeError), device.memory_guard(512, jax.devices()[0]):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")


@pytest.mark.parametrize(
    ("lines", "files"),
    [
        (
            "0::/a/b\n",
            {
                "a/b/memory.max": "max",
                "a/memory.max": "1000",
                "a/memory.current": "700",
                "a/memory.stat": "anon 500\ninactive_file 200\n",
            },
        ),
        (
            "12:cpu:/x\n9:memory:/docker/x\n",
            {
                "memory/memory.limit_in_bytes": "1000",
                "memory/memory.usage_in_bytes": "700",
                "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 200\n",
            },
        ),
    ],
)
def test_the_limits_of_a_container_are_those_of_its_groups(tmp_path, monkeypatch, lines, files):
    for name, text in {"proc/self/cgroup": lines}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert list(memory_limits(tmp_path)) == [(1000, 500)]
    monkeypatch.setattr(device, "memory_limits", lambda: memory_limits(tmp_path))
    assert available_memory(jax.devices()[0]) == 500
    assert device.total_memory(jax.devices()[0]) == 1000
    assert list(memory_limits(tmp_path / "nothing")) == []


def test_the_estimate_grows_with_depth_size_and_history():
    estimate = lambda side, layer, kept: estimated_memory(side, side, (layer,), kept, DENSENET121)
    assert estimate(512, "conv1_relu", 23) < estimate(512, "pool2_relu", 23)
    assert estimate(512, "pool2_relu", 23) < estimate(1024, "pool2_relu", 23)
    assert estimate(512, "pool2_relu", 3) < estimate(512, "pool2_relu", 23)


def test_strips_are_as_high_as_the_memory_of_the_device_allows(monkeypatch):
    layers = ("conv1_relu", "pool3_relu")
    needed = lambda rows: estimated_memory(4096, 2048, layers, 23, DENSENET121, strip_rows=rows)

    def chosen(total):
        monkeypatch.setattr(device, "total_memory", lambda device: total)
        return fitting_strip_rows(4096, 2048, layers, 23, DENSENET121, jax.devices()[0])

    assert needed(128) < needed(512) < needed(2048) < needed(0)
    assert chosen(2 * needed(0)) == 0
    rows = chosen(needed(0))
    assert 0 < rows < 4096 and needed(rows) <= 0.7 * needed(0)
    # One strip less would not fit.
    assert needed(4096 // (-(-4096 // rows) - 1)) > 0.7 * needed(0)
    # Where nothing does, strips are still no less high than their halos.
    assert chosen(1e6) == 136


@pytest.mark.skipif(sys.platform != "linux", reason="glibc keeps freed memory; others need not")
def test_memory_that_was_freed_can_be_given_back():
    held = lambda: psutil.Process().memory_info().rss
    size = 1 << 27
    # Small enough to come from the heap, which the last of them keeps from shrinking by itself.
    blocks = [np.ones(1 << 13) for _ in range(size >> 16)]
    last = blocks.pop()
    full = held()
    blocks.clear()
    release_freed_memory()
    assert full - held() > 0.9 * size
    assert last.all()


def compiled_bytes(architecture, layer, side, pairs):
    """XLA's account of the compiled solve of a square picture: what it is given, and works with."""
    numbers = {key: np.zeros(sides) for key, sides in expected_shapes(architecture).items()}
    variables = dict(variables_from_state_dict(numbers, architecture))
    variables["preprocessing"] = {"mean": np.zeros(3), "standard_deviation": np.ones(3)}
    weights = read_weights(random_weights())
    weights = weights._replace(architecture=architecture, variables=variables)
    folded = folded_variables(weights, [layer])
    objective = make_objective(weights, [layer], [layer], style_loss="covariance")
    picture = jax.ShapeDtypeStruct((side, side, 3), jnp.float32)
    targets = jax.eval_shape(
        lambda content, style: objective.targets(folded, content, [style]), picture, picture
    )
    solver = Solver(latent_objective(objective), lbfgs(pairs))
    arguments = (folded, targets, objective.weights())
    state = jax.eval_shape(solver.init, picture, *arguments)
    account = solver.advance.lower(state, 1, *arguments).compile().memory_analysis()
    assert account is not None
    return account.temp_size_in_bytes + account.argument_size_in_bytes


@pytest.mark.parametrize(
    ("architecture", "layer", "side", "pairs"),
    [
        # What the solver keeps and works with; the network's maps; its parameters.
        (DENSENET121, "input", 1024, 1),
        (DENSENET121, "pool2_relu", 1024, 10),
        (VGG19, "relu2_1", 1024, 10),
        (VGG19, "relu4_1", 64, 10),
    ],
    ids=["pictures", "densenet121", "vgg19", "parameters"],
)
def test_the_estimate_is_near_what_xla_says_of_the_compiled_solve(architecture, layer, side, pairs):
    """So near that with half or twice of any one of its constants one of these cases fails."""
    used = compiled_bytes(architecture, layer, side, pairs)
    estimate = estimated_memory(side, side, (layer,), 2 * pairs + 3, architecture)
    assert used < estimate < 1.35 * used
