import os
import subprocess
import sys
from importlib.metadata import version

# Before Keras is imported anywhere: the independent DenseNet-121 runs on the JAX that is here.
os.environ["KERAS_BACKEND"] = "jax"
# Before JAX is: most of the tests' time is compiling, and programs of small pictures need not be
# fast. `JAX_DISABLE_MOST_OPTIMIZATIONS=0 pytest` has them compiled as users have them. The older
# emitters take two thirds of the time; a later XLA, which has them no more, would not start.
_OLDER_EMITTERS = "--xla_cpu_use_fusion_emitters=false"
_HAS_THEM = tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11)
_CHOSEN = "JAX_DISABLE_MOST_OPTIMIZATIONS" in os.environ
os.environ.setdefault("XLA_FLAGS", _OLDER_EMITTERS if _HAS_THEM and not _CHOSEN else "")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import jax  # noqa: E402
import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# Values are free, shapes come from short lists: each new shape is compiled anew.
settings.register_profile("stylejax", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("stylejax")


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory):
    """Equal programs are compiled once in a test run, in this process and its children."""
    # A worker of pytest-xdist has a folder of its own, in that of the whole run.
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(base / "compiled"))
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def pytest_configure(config):
    """Name the marker of this file."""
    config.addinivalue_line(
        "markers", "default_emitters: its sums agree only as XLA compiles them by itself"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run what needs XLA's default emitters in a process that has them."""
    marked = pyfuncitem.get_closest_marker("default_emitters")
    if marked is None or os.environ.get("XLA_FLAGS") != _OLDER_EMITTERS:
        return None
    of_this_process = ("XLA_FLAGS", "PYTEST_XDIST")
    environment = {n: v for n, v in os.environ.items() if not n.startswith(of_this_process)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", pyfuncitem.nodeid]
    done = subprocess.run(
        command, env=environment, cwd=pyfuncitem.config.rootpath, capture_output=True, text=True
    )
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr
    return True


@pytest.fixture
def strict():
    """No silent promotion of ranks or types inside the test."""
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        yield


def pytest_terminal_summary(terminalreporter):
    """What a test records is printed, wherever it ran."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
