import pytest

from stylejax.errors import InputError
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions
from stylejax.sweep.combinations import (
    Combination,
    Combinations,
    SweptLossOptions,
    SweptOptions,
    SweptPictureOptions,
    as_lists,
    combination_name,
    make_combinations,
    style_axis,
)

RANGE = tuple(map(float, range(10_000)))
SOLVE = SolverOptions(iterations=3)


def grid_of(styles=("painting",), picture=None, masked=False, most=1000, **loss):
    options = SweptOptions(picture or SweptPictureOptions(), SweptLossOptions(**loss), SOLVE)
    return make_combinations(options, styles, masked=masked, most=most)


def test_all_combinations_the_last_axis_fastest():
    grid = grid_of(style_weight=(1e2, 1e3, 1e4), tv_weight=(0.0, 1e-4))
    weights = [(lane.options.loss.style_weight, lane.options.loss.tv_weight) for lane in grid.lanes]
    assert weights == [(s, v) for s in (1e2, 1e3, 1e4) for v in (0.0, 1e-4)]
    assert grid.shape == (3, 2)
    assert all(lane.options.solve == SOLVE for lane in grid.lanes)
    names = [combination_name(grid, lane) for lane in grid.lanes]
    assert names[0] == "style-weight-100_tv-weight-0"
    assert names[-1] == "style-weight-10000_tv-weight-0.0001"


def test_options_of_one_picture_are_a_grid_of_one():
    options = Options(PictureOptions(seed=4), LossOptions(style_blend=(3.0, 1.0)), SOLVE)
    grid = make_combinations(as_lists(options), ["a", "b"])
    assert [lane.options for lane in grid.lanes] == [options]
    assert grid.axes == () and grid.shape == (1, 1)
    assert combination_name(grid, grid.lanes[0]) == "picture"


def test_several_styles_are_taken_in_turn_unless_they_are_blended_or_masked():
    apart = grid_of(["night", "scream"], style_weight=(1.0, 2.0))
    blends = [lane.options.loss.style_blend for lane in apart.lanes]
    assert blends == [(1.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, 1.0)]
    assert apart.axes[0].name == "style"
    assert combination_name(apart, apart.lanes[2]) == "style-scream_style-weight-1"
    same_name = grid_of(["night", "night"])
    assert [combination_name(same_name, lane) for lane in same_name.lanes] == [
        "style-1-night",
        "style-2-night",
    ]
    mixed = grid_of(["night", "scream"], style_blend=((1.0, 1.0), (3.0, 1.0)))
    assert [combination_name(mixed, lane) for lane in mixed.lanes] == [
        "style-blend-1-1",
        "style-blend-3-1",
    ]
    assert len(grid_of(["night", "scream"], masked=True).lanes) == 1


def test_layer_weights_and_seeds_are_axes_too():
    picture = SweptPictureOptions(init="noise", seed=(1, 2))
    grid = grid_of(
        picture=picture,
        style_layers=("input", "conv1_relu"),
        style_layer_weights=((1.0, 1.0), (4.0, 1.0)),
    )
    assert [lane.options.picture.seed for lane in grid.lanes] == [1, 2, 1, 2]
    assert combination_name(grid, grid.lanes[-1]) == "style-layer-weights-4-1_seed-2"
    long = tuple(0.123456789 + n for n in range(8))
    layers = {"style_layers": tuple("abcdefgh"), "style_layer_weights": ((1.0,) * 8, long)}
    assert combination_name(grid_of(**layers), grid_of(**layers).lanes[1]) == (
        "style-layer-weights-number-2"
    )


def test_close_numbers_get_names_of_their_own():
    grid = grid_of(style_weight=(1.0, 1.0000001))
    assert len({combination_name(grid, lane) for lane in grid.lanes}) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"style_weight": ()}, "--style-weight is empty"),
        ({"style_weight": (1.0, 100.0, 1e2)}, "--style-weight holds 100 twice"),
        ({"style_weight": (1.0, float("nan"))}, "--style-weight is nan"),
        ({"tv_weight": (-1.0,)}, "--tv-weight is -1.0"),
        ({"style_layer_weights": ((), (1.0,))}, "--style-layer-weights is empty"),
        ({"style_layer_weights": ((1.0, 1.0, 1.0, 1.0), (2.0, 2.0, 2.0, 2.0))}, "twice"),
        ({"style_layer_weights": ((1.0, 2.0),)}, "2 numbers for 4 style layers"),
        ({"picture": SweptPictureOptions(seed=(1, 2))}, "--seed has 2 values.*give --init noise"),
        (
            {"style_weight": RANGE[1:101], "tv_weight": RANGE},
            "1000000 combinations.*--yes",
        ),
    ],
)
def test_a_bad_grid_is_refused_in_one_line(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        grid_of(**changes)
    assert "\n" not in str(caught.value)


def test_more_combinations_when_they_are_meant():
    weights = tuple(float(n) for n in range(1, 1100))
    with pytest.raises(InputError, match="1099 combinations"):
        grid_of(style_weight=weights)
    assert len(grid_of(style_weight=weights, most=2000).lanes) == 1099


def test_names_that_differ_by_case_or_spelling_alone_are_numbered():
    assert style_axis(["Wave", "wave"]).labels == ("1-Wave", "2-wave")
    assert style_axis(["\u1112\u1161\u11ab", "\ud55c"]).labels[0].startswith("1-")
    assert style_axis(["wave", "sun"]).labels == ("wave", "sun")
    # A long name is known by its number, which may be another picture's name.
    axis = style_axis(["x" * 50, "number-1"])
    lanes = tuple(Combination(Options(), (label,)) for label in axis.labels)
    grid = Combinations((axis,), lanes)
    names = [combination_name(grid, lane) for lane in lanes]
    assert len({name.casefold() for name in names}) == 2
