import os

# Before Keras is imported anywhere: the independent DenseNet-121 runs on the JAX that is here.
os.environ["KERAS_BACKEND"] = "jax"

import jax
import pytest
from hypothesis import settings

# Values are free, shapes come from short lists: each new shape is compiled anew.
settings.register_profile("stylejax", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("stylejax")


@pytest.fixture
def strict():
    """No silent promotion of ranks or types inside the test."""
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        yield
