"""The options of a run, as frozen dataclasses: default, meaning and range of each in one place.

The command line, its help and the record in a picture's metadata have these fields. No JAX here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Literal, get_args, get_origin, get_type_hints

from stylejax.errors import InputError
from stylejax.fields import (
    LARGEST_NUMBER,
    LARGEST_SEED,
    OptionValue,
    describe_fields,
    flat_values,
    nearest_hint,
    option,
    split_flat,
)
from stylejax.sizes import SizeOptions

DeviceName = str
NetworkName = Literal["densenet121", "vgg16", "vgg19"]
Pooling = Literal["max", "average"]
Precision = Literal["float32", "bfloat16"]
Kernels = Literal["fast", "plain"]
Parameterization = Literal["pixel", "fourier"]
LossForm = Literal["relative", "paper", "mean", "sum"]
StyleLoss = Literal["gram", "covariance", "wasserstein"]
TotalVariationForm = Literal["power", "plain", "power-sum", "squared-sum"]

STARTS = ("content", "style", "noise", "uniform", "mean", "universal")
"""What `init` may name besides a picture file."""


@dataclass(frozen=True)
class PictureOptions(SizeOptions):
    """Size and start of the solved picture, and how it is written."""

    init: str = option(
        "content",
        "Start from `content`, `style` (of several the heaviest), `noise` (faint, around gray), "
        "`uniform` (noise of the full range), `mean` (ImageNet's mean color), `universal` (what "
        "`stylejax universal` makes of the pictures), or the picture file named here.",
    )
    seed: int = option(0, "Seed of the noise.", at_least=0, at_most=LARGEST_SEED)
    bits: Literal[8, 16] = option(8, "Bits of each channel in the file; 16 for PNG and TIFF.")
    quality: int = option(95, "Quality of JPEG, WebP and AVIF files.", at_least=1, at_most=100)


@dataclass(frozen=True)
class LossOptions:
    """What the picture is solved for."""

    content_weight: float = option(
        1.0, "Weight of the content term; at 0 the texture alone is synthesized.", at_least=0
    )
    style_weight: float = option(
        20.0, "Weight of the style term: try a third and three times this first.", at_least=0
    )
    placement: float = option(
        0.5,
        "How far each thing gets what the painting has most like it, and what is calm stays calm, "
        "in place of the painting's statistics wherever they find room; 0 for these alone.",
        at_least=0,
        at_most=1,
    )
    keep_weight: float = option(
        40.0, "What multiplies the content weight where --keep is white.", at_least=1
    )
    tv_weight: float = option(100.0, "Weight of total variation, which smooths grain.", at_least=0)
    content_layers: tuple[str, ...] = option(
        ("pool3_relu",),
        "Layers where content is compared, separated by commas (`stylejax layers` lists them).",
    )
    style_layers: tuple[str, ...] = option(
        ("input", "conv1_relu", "pool2_relu", "pool3_relu"),
        "Layers where style is compared, separated by commas.",
    )
    content_layer_weights: tuple[float, ...] = option(
        (),
        "Relative weights of the content layers, such as 2,1; all alike unless given.",
        at_least=0,
    )
    style_layer_weights: tuple[float, ...] = option(
        (), "Relative weights of the style layers; all alike unless given.", at_least=0
    )
    style_loss: StyleLoss = option(
        "covariance",
        "What is compared at a style layer: `gram` matrices; mean and `covariance`, apart; or the "
        "`wasserstein` distance of the normal distributions with that mean and covariance.",
    )
    style_blend: tuple[float, ...] = option(
        (),
        "Relative weights of several style pictures, such as 3,1; all alike unless given.",
        at_least=0,
    )
    loss_form: LossForm = option(
        "relative",
        "`relative`: a weight means the same for every pair and size. `paper`: raw sums of "
        "squares. `mean`, `sum`: those of published programs (docs/presets.md).",
    )
    tv_form: TotalVariationForm = option(
        "power",
        "Total variation: `power` (squares to the 1.25) or `plain` (absolute differences), means "
        "over pixels in [0, 1]; `power-sum`, `squared-sum`: sums over pixels in [0, 255].",
    )
    pooling: Pooling = option(
        "max",
        "The pooling that follows the first convolution of a DenseNet; all pooling of a VGG.",
    )
    precision: Precision = option(
        "float32",
        "Precision inside the network; Gram matrices, losses and the picture are float32 either "
        "way.",
    )
    seamless: bool = option(
        False,
        "Make a picture that tiles: its right side goes on at its left one, its bottom at its top. "
        "Both sides become multiples of the network's stride at the coarsest level.",
    )
    strip_rows: int = option(
        0,
        "Rows of pixels that the network sees at a time: fewer take less memory and more time; 0 "
        "for all of them, or for as many as memory holds.",
        at_least=0,
    )


@dataclass(frozen=True)
class SolverOptions:
    """How it is solved."""

    iterations: int = option(200, "Iterations in all, spread over the levels.", at_least=1)
    evaluations: int = option(
        0,
        "Most evaluations of loss and gradient, line searches included; 0 for no such limit.",
        at_least=0,
    )
    levels: int = option(
        0,
        "Scales solved one after the other, each twice the last one's size; 0 for as many as there "
        "are from about 128 pixels up, 1 for the full size alone.",
        at_least=0,
    )
    level_iterations: tuple[float, ...] = option(
        (), "Relative shares of the iterations, coarsest level first, such as 3,2,1.", above=0
    )
    level_content_weights: tuple[float, ...] = option(
        (),
        "What multiplies the content weight at each level, coarsest first; 1 unless given.",
        at_least=0,
    )
    level_tv_weights: tuple[float, ...] = option(
        (),
        "What multiplies the weight of total variation at each level; 1 unless given.",
        at_least=0,
    )
    solver: Literal["lbfgs", "optax-lbfgs", "adam"] = option(
        "lbfgs", "`lbfgs` (jaxopt), `optax-lbfgs`, or `adam` (more iterations: 300 and up)."
    )
    lbfgs_history: int = option(
        10, "Pairs of steps and gradients that L-BFGS remembers.", at_least=1
    )
    learning_rate: float = option(0.02, "Step size of adam.", above=0)
    parameterization: Parameterization = option(
        "fourier",
        "The numbers that the solver works on: the `pixel` values, or these with their spatial "
        "frequencies scaled (`fourier`): low ones up, those of the network's grid down.",
    )


@dataclass(frozen=True)
class Options:
    """Every option that decides the pixels."""

    picture: PictureOptions = field(default_factory=PictureOptions)
    loss: LossOptions = field(default_factory=LossOptions)
    solve: SolverOptions = field(default_factory=SolverOptions)

    @property
    def groups(self) -> tuple[PictureOptions, LossOptions, SolverOptions]:
        """All three."""
        return self.picture, self.loss, self.solve


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check_kinds(group: object) -> None:
    """Refuse words that are no choice of an option's, and one word where there is a list.

    Raises:
        InputError: names the option, its value and what it may be.
    """
    kinds = get_type_hints(type(group))
    for name, value in vars(group).items():
        kind, flag = kinds[name], _flag(name)
        if get_origin(kind) is Literal and value not in get_args(kind):
            words = [str(each) for each in get_args(kind)]
            hint = nearest_hint(str(value), words)
            raise InputError(f"{flag} is {value!r}: give one of {', '.join(words)}{hint}")
        if get_origin(kind) is tuple and isinstance(value, str | int | float):
            raise InputError(f"{flag} is {value!r}: give several, as ({value!r},)")


def check_bounds(group: object) -> None:
    """Refuse values of a dataclass of options that are out of range, or no choice of it.

    Raises:
        InputError: names the option, its number and what it may be.
    """
    _check_kinds(group)
    for each in describe_fields(type(group)):
        if each.bounds is None:
            continue
        value, flag = getattr(group, each.name), _flag(each.name)
        for number in value if isinstance(value, tuple) else (value,):
            if not issubclass(type(number), Real):
                raise InputError(f"{flag} is {number!r}: give a number")
            if not each.bounds.allow(number):
                is_finite = isinstance(number, int) or math.isfinite(number)
                finite = "" if is_finite else "a finite number, "
                large = isinstance(number, int) and math.isinf(each.bounds.at_most)
                most = f", at most {LARGEST_NUMBER}" if large and number > LARGEST_NUMBER else ""
                raise InputError(f"{flag} is {number}: give {finite}{each.bounds}{most}")


def check_shares(name: str, shares: Sequence[float], count: int, what: str) -> None:
    """Refuse relative weights of another number than there are things to weigh, or all 0.

    Raises:
        InputError: names the option.
    """
    if shares and len(shares) != count:
        raise InputError(
            f"{_flag(name)} has {len(shares)} numbers for {count} {what}: give {count}"
        )
    if shares and not sum(shares) > 0:
        raise InputError(f"{_flag(name)} is 0 throughout: make at least one of them positive")


def check_options(options: Options, styles: int) -> None:
    """Refuse values out of range; `styles` is the number of style pictures.

    Raises:
        InputError: names the option, its value and what it may be.
    """
    for group in options.groups:
        check_bounds(group)
    loss = options.loss
    for kind, layers in (("content", loss.content_layers), ("style", loss.style_layers)):
        if not layers:
            raise InputError(f"--{kind}-layers is empty: name at least one (weight 0 turns it off)")
    contents = len(loss.content_layers)
    check_shares("content_layer_weights", loss.content_layer_weights, contents, "content layers")
    textures = len(loss.style_layers)
    check_shares("style_layer_weights", loss.style_layer_weights, textures, "style layers")
    check_shares("style_blend", loss.style_blend, styles, "style pictures")
    if loss.seamless:
        _check_seamless(options)


def _check_seamless(options: Options) -> None:
    """Refuse what a picture that tiles cannot be made with."""
    if options.loss.strip_rows:
        raise InputError(
            f"--strip-rows {options.loss.strip_rows}: a picture made with --seamless is seen as a "
            "whole; leave one out"
        )
    if options.picture.preserve_color == "luminance" and options.picture.color_strength:
        raise InputError(
            "--preserve-color luminance: with --seamless the photograph's colors would end at the "
            "border; give match or histogram"
        )


def normalized_shares(given: Sequence[float], count: int) -> list[float]:
    """Relative weights scaled to a sum of 1; all alike where none are given."""
    given = given or [1.0] * count
    return [share / sum(given) for share in given]


def flatten_options(options: Options) -> dict[str, OptionValue]:
    """All options in one dictionary, tuples as lists (as in JSON)."""
    return flat_values(*options.groups)


def options_from_flat(values: Mapping[str, object]) -> Options:
    """The inverse of `flatten_options`; options that `values` lacks keep their defaults.

    Raises:
        InputError: a name that is not an option (a picture made by another version).
    """
    picture, loss, solve = split_flat(values, PictureOptions, LossOptions, SolverOptions)
    return Options(PictureOptions(**picture), LossOptions(**loss), SolverOptions(**solve))
