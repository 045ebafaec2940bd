import math
from dataclasses import fields, replace

import pytest

from stylejax.errors import InputError
from stylejax.fields import describe_fields
from stylejax.options import (
    LossOptions,
    Options,
    PictureOptions,
    SolverOptions,
    check_bounds,
    check_options,
    flatten_options,
    options_from_flat,
)
from stylejax.runs.printing import PrintOptions
from stylejax.runs.request import FigureRequest, Request, SweepRequest

GROUPS = {"picture": Options().picture, "loss": Options().loss, "solve": Options().solve}
DESCRIBED = [
    (name, described)
    for name, group in GROUPS.items()
    for described in describe_fields(type(group))
]
NUMBERS = [(group, option) for group, option in DESCRIBED if option.bounds is not None]


def with_value(group, option, value):
    """The default options but for one, of which a number of a tuple is the only one."""
    value = (value,) if isinstance(option.default, tuple) else value
    return replace(Options(), **{group: replace(GROUPS[group], **{option.name: value})})


@pytest.mark.parametrize(
    "kind", [*map(type, GROUPS.values()), PrintOptions, Request, SweepRequest, FigureRequest]
)
def test_every_option_says_what_it_means(kind):
    described = {option.name: option for option in describe_fields(kind)}
    asked = {entry.name for entry in fields(kind) if not entry.metadata.get("unasked")}
    # Groups of options are described by themselves.
    assert set(described) == asked - {"options", "paper"}
    for option in described.values():
        assert option.help.endswith(".") and "\n" not in option.help and "  " not in option.help
        assert option.label[0].isupper() and "_" not in option.label


def test_every_number_has_bounds():
    numeric = {
        entry.name
        for group in GROUPS.values()
        for entry in fields(group)
        if entry.type in (int, float, tuple[float, ...])
    }
    assert numeric == {option.name for _, option in NUMBERS}
    assert {"style_weight", "seed", "level_iterations"} <= numeric


@pytest.mark.parametrize(("group", "option"), NUMBERS, ids=[option.name for _, option in NUMBERS])
def test_bounds_are_kept(group, option):
    assert option.bounds is not None
    bounds, flag = option.bounds, "--" + option.name.replace("_", "-")
    least = bounds.at_least if math.isfinite(bounds.at_least) else bounds.above
    whole = isinstance(option.default, int)
    outside = [least - 1] if whole else [least - 1.0, math.nan, math.inf, -math.inf]
    outside += [float(least)] if math.isfinite(bounds.above) else []
    above = int(bounds.at_most) + 1 if math.isfinite(bounds.at_most) else None
    outside += [] if above is None else [above if whole else float(above)]
    for number in outside:
        with pytest.raises(InputError, match=f"^{flag} is .*: give .*{bounds}") as caught:
            check_options(with_value(group, option, number), 1)
        assert "\n" not in str(caught.value)
    # How many numbers there must be is another check.
    for number in [] if isinstance(option.default, tuple) else [least + 1, min(bounds.at_most, 99)]:
        check_options(with_value(group, option, int(number) if whole else float(number)), 1)


def test_bounds_in_words():
    words = {option.name: str(option.bounds) for _, option in NUMBERS}
    assert words["size"] == "32 or more" and words["quality"] == "1 to 100"
    assert words["learning_rate"] == "more than 0" and words["tv_weight"] == "0 or more"


def test_numbers_too_large_for_any_array_are_refused_in_one_line():
    for options in (
        SolverOptions(iterations=10**400),
        PictureOptions(size=10**30),
        PictureOptions(seed=2**63),
        LossOptions(style_weight=float("inf")),
    ):
        with pytest.raises(InputError) as caught:
            check_bounds(options)
        assert "\n" not in str(caught.value) and ": give " in str(caught.value)
    check_bounds(PictureOptions(seed=2**63 - 1))
    check_bounds(LossOptions(style_weight=1e12))


def test_what_is_no_number_is_refused_in_one_line():
    for name, value in (("style_weight", "20"), ("style_layer_weights", (1.0, "20"))):
        options = LossOptions()
        # In these tests the class itself checks types; elsewhere it does not.
        object.__setattr__(options, name, value)
        with pytest.raises(InputError, match="is '20': give a number$"):
            check_bounds(options)


def test_values_of_other_types_are_told_from_those_of_an_option():
    right = flatten_options(Options())
    assert options_from_flat(right) == Options()
    for name, value in {
        "size": "64",
        "seed": True,
        "style_weight": None,
        "init": 5,
        "bits": 9,
        "style_loss": ["gram"],
        "style_layers": "input",
        "style_blend": [1.0, "2"],
        "output_size": "64x64\n",
    }.items():
        with pytest.raises(InputError, match=name):
            options_from_flat(right | {name: value})
    # Programs may give whole numbers where a float is declared.
    assert options_from_flat(right | {"style_weight": 5}).loss.style_weight == 5


def test_a_switch_is_true_or_false_in_a_record_too():
    assert options_from_flat({"seamless": True}).loss.seamless
    for value in (1, "true", None):
        with pytest.raises(InputError, match="option 'seamless' is .*, which it cannot be"):
            options_from_flat({"seamless": value})
