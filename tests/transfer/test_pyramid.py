"""Sizes and shares of the levels are numbers that can be worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylejax.errors import InputError
from stylejax.options import LossOptions, Options, SolverOptions
from stylejax.sweep.lanes import lane_weights
from stylejax.transfer.pyramid import COARSEST_SHORT_SIDE, pyramid_levels


def levels(height, width, **options):
    return pyramid_levels(Options(solve=SolverOptions(**options)), height, width)


def test_sizes_double_from_about_128_pixels():
    sizes = lambda *shape: [(level.height, level.width) for level in levels(*shape)]
    assert sizes(384, 512) == [(96, 128), (192, 256), (384, 512)]
    assert sizes(700, 525) == [(175, 131), (350, 262), (700, 525)]
    assert sizes(1024, 1024) == [(128, 128), (256, 256), (512, 512), (1024, 1024)]
    assert sizes(128, 96) == [(128, 96)]
    assert sizes(20, 64) == [(20, 64)]
    # A strip is not made thinner than can be painted.
    assert sizes(70, 1024) == [(35, 512), (70, 1024)]


def test_photographs_of_common_shapes_share_the_grid_of_the_coarsest_level():
    grids = lambda *shape, **options: [level.grid for level in levels(*shape, **options)]
    assert grids(384, 512) == [(96, 128), (192, 256), (384, 512)]
    assert grids(341, 512) == [(96, 128), (170, 256), (341, 512)]
    assert grids(512, 410)[0] == (128, 96)
    assert grids(288, 512)[0] == (64, 128)
    assert grids(341, 512, levels=1) == [(341, 512)]
    # A tile's borders meet as they are.
    seamless = Options(loss=LossOptions(seamless=True))
    assert pyramid_levels(seamless, 320, 512)[0].grid == (80, 128)


@given(
    st.integers(33, 3000),
    st.integers(33, 3000),
    st.integers(1, 500),
    st.integers(0, 500),
)
def test_iterations_and_evaluations_are_spread_whole(height, width, iterations, evaluations):
    found = levels(height, width, iterations=iterations, evaluations=evaluations)
    assert sum(level.iterations for level in found) == iterations
    assert all(level.iterations >= 1 for level in found)
    assert sum(level.evaluations for level in found) == max(
        evaluations, len(found) if evaluations else 0
    )
    assert (found[-1].height, found[-1].width) == (height, width) and found[-1].scale == 1.0
    if len(found) > 1:
        assert min(found[0].height, found[0].width) >= COARSEST_SHORT_SIDE


def test_shares_and_weights_of_the_levels_are_the_given_ones():
    found = levels(
        384,
        512,
        iterations=63,
        level_iterations=(3.0, 2.0, 1.0),
        level_content_weights=(0.5, 1.0, 2.0),
        level_tv_weights=(1.0, 0.0, 4.0),
    )
    assert [level.iterations for level in found] == [31, 21, 11]
    options = Options(solve=SolverOptions(levels=3))
    options = replace(options, loss=replace(options.loss, content_weight=3.0, tv_weight=5.0))
    own = [lane_weights([options], level, 1) for level in found]
    one = lambda weight: np.asarray(weight).item()
    assert [one(each.content_weight) for each in own] == [1.5, 3.0, 6.0]
    assert [one(each.tv_weight) for each in own] == [5.0, 0.0, 20.0]
    less = 1.0 - 0.5 * options.loss.placement
    assert {one(each.style_weight) for each in own} == {less * options.loss.style_weight}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"levels": 5}, "--levels 5: 512 x 384 pixels can be halved 3 times; give 4 or less"),
        ({"levels": 3, "level_iterations": (1.0, 2.0)}, "has 2 numbers for 3 levels"),
        ({"level_tv_weights": (1.0, 2.0), "level_iterations": (1.0,)}, "has 1 numbers for 2"),
        ({"levels": 3, "iterations": 2}, "--iterations 2 for 3 levels"),
    ],
)
def test_levels_that_cannot_be_are_one_line(options, message):
    with pytest.raises(InputError, match=message):
        levels(384, 512, **options)
