import jax.numpy as jnp
import numpy as np
import problems
import pytest
from small_painters import PAINTER, make_parameters

from stylejax.feedforward import masked_mixture, paint_in_strips, paint_photograph, style_mixture
from stylejax.feedforward.run import _program, bucket

PARAMETERS = make_parameters()


def test_sides_are_rounded_up_to_buckets():
    lengths = [1, 64, 65, 1024, 1025, 1281]
    assert [bucket(length) for length in lengths] == [64, 64, 128, 1024, 1152, 1408]


def test_pictures_of_about_one_size_share_a_program():
    before = None
    for height, width in ((40, 64), (64, 33), (50, 51)):
        photograph = problems.picture(height, width)
        painted = paint_photograph(photograph, PAINTER, PARAMETERS, style_mixture([1.0, 0.0]))
        assert painted.image.shape == photograph.shape
        programs = _program._cache_size()  # pyright: ignore[reportAttributeAccessIssue]
        assert before in (None, programs)
        before = programs


@pytest.mark.parametrize("kernels", ["plain", "fast"])
def test_strips_give_the_whole(kernels):
    photograph = problems.picture(203, 45)
    upper = jnp.linspace(1.0, 0.0, 203)[:, None].repeat(45, 1)
    both = jnp.stack([style_mixture([1.0, 0.0]), style_mixture([0.0, 1.0], 0.6)])
    mixture = masked_mixture(both, jnp.stack([upper, 1.0 - upper]))
    inputs = (PAINTER.clone(kernels=kernels), PARAMETERS, mixture)
    whole = paint_photograph(photograph, *inputs)
    strips = paint_in_strips(photograph, *inputs, rows=64)
    np.testing.assert_allclose(strips.image, whole.image, atol=1e-4)
    for name, statistics in whole.statistics.items():
        for ours, theirs in zip(strips.statistics[name], statistics, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_strips_paint_with_the_statistics_that_are_held():
    photograph, other = problems.picture(203, 45), problems.picture(60, 45, seed=5) ** 2
    mixture = style_mixture([1.0, 0.0])
    held = paint_photograph(other, PAINTER, PARAMETERS, mixture).statistics
    whole = paint_photograph(photograph, PAINTER, PARAMETERS, mixture, held)
    strips = paint_in_strips(photograph, PAINTER, PARAMETERS, mixture, held, rows=64)
    np.testing.assert_allclose(strips.image, whole.image, atol=1e-4)
    own = paint_photograph(photograph, PAINTER, PARAMETERS, mixture)
    assert np.abs(own.image - whole.image).max() > 0.01
