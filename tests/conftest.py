import os

# Before Keras is imported anywhere: the independent DenseNet-121 runs on the JAX that is here.
os.environ["KERAS_BACKEND"] = "jax"
# Before JAX is: most of the tests' time is compiling, and programs of small pictures need not be
# fast. `JAX_DISABLE_MOST_OPTIMIZATIONS=0 pytest` has them compiled as users have them.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import jax
import pytest
from hypothesis import settings

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
