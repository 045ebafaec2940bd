"""Feature maps and pictures for the tests of the losses."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

SHAPES = [(2, 2, 1), (3, 5, 4), (6, 4, 7)]
VALUES = st.floats(-100, 100, width=32)


def maps(count):
    """As many feature maps of one shape, of any values."""
    return st.sampled_from(SHAPES).flatmap(
        lambda shape: st.tuples(*[arrays(np.float32, shape, elements=VALUES)] * count)
    )


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
