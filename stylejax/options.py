"""The options of a run, as frozen dataclasses: defaults, meanings and ranges in one place.

The command line is made from these classes (field docstrings are its help), and a run is
recorded in, and repeated from, the metadata of its picture by the same fields. No JAX here.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

from stylejax.errors import InputError

SMALLEST_SIZE = 32

DeviceName = Literal["cpu", "gpu", "tpu"]
NetworkName = Literal["densenet121", "vgg16", "vgg19"]
Pooling = Literal["max", "average"]
Precision = Literal["float32", "bfloat16"]
Kernels = Literal["fast", "plain"]
Parameterization = Literal["pixel", "fourier"]
LossForm = Literal["relative", "paper", "mean", "sum"]
PreserveColor = Literal["none", "luminance", "match"]
StyleLoss = Literal["gram", "covariance", "wasserstein"]
TotalVariationForm = Literal["power", "plain", "power-sum", "squared-sum"]

STARTS = ("content", "style", "noise", "uniform", "mean")
"""What `init` may name beside a picture file."""


@dataclass(frozen=True)
class PictureOptions:
    """Size and start of the solved picture, and how it is written."""

    size: int = 512
    """Longest side of the result in pixels, 32 or more; style pictures are scaled to it as well."""
    output_size: str = ""
    """Width x height of the result in place of --size, as 640x480: the content picture is scaled to
    cover it and cropped."""
    style_scale: float = 1.0
    """Size of the strokes: that of the style pictures over that of the result, above 0."""
    preserve_color: PreserveColor = "none"
    """Keep the content picture's colors: `luminance` takes the style in gray and leaves hue and
    saturation as they are; `match` first gives the style pictures the content's colors."""
    init: str = "content"
    """Start from `content`, `style` (of several the heaviest), `noise` (faint, around gray),
    `uniform` (noise of the full range), `mean` (ImageNet's mean color), or the file named here."""
    seed: int = 0
    """Seed of the noise, 0 or more."""
    bits: Literal[8, 16] = 8
    """Bits a channel in the file; 16 for PNG and TIFF."""
    quality: int = 95
    """Quality of JPEG and WebP files, 1 to 100."""

    @property
    def height_and_width(self) -> tuple[int, int] | None:
        """The result's, where `output_size` gives them.

        Raises:
            InputError: it does not.
        """
        if not self.output_size:
            return None
        match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", self.output_size)
        if match is None or min(int(match[1]), int(match[2])) < SMALLEST_SIZE:
            raise InputError(
                f"--output-size {self.output_size}: give width x height as 640x480, "
                f"{SMALLEST_SIZE} or more"
            )
        return int(match[2]), int(match[1])

    @property
    def longest(self) -> int:
        """The longest side of the result."""
        shape = self.height_and_width
        return self.size if shape is None else max(shape)


@dataclass(frozen=True)
class LossOptions:
    """What the picture is solved for."""

    content_weight: float = 1.0
    """Weight of the content term, 0 or more; at 0 the texture alone is synthesized."""
    style_weight: float = 20.0
    """Weight of the style term, 0 or more: try a third and three times this first."""
    tv_weight: float = 100.0
    """Weight of total variation, 0 or more: smooths grain."""
    content_layers: tuple[str, ...] = ("pool3_relu",)
    """Layers where content is compared, separated by commas (`stylejax layers` lists them)."""
    style_layers: tuple[str, ...] = ("input", "conv1_relu", "pool2_relu", "pool3_relu")
    """Layers where Gram matrices are compared, separated by commas."""
    content_layer_weights: tuple[float, ...] = ()
    """Relative weights of the content layers, such as 2,1; all alike unless given."""
    style_layer_weights: tuple[float, ...] = ()
    """Relative weights of the style layers; all alike unless given."""
    style_loss: StyleLoss = "covariance"
    """What is compared at a style layer: `gram` matrices; mean and `covariance`, apart; or the
    `wasserstein` distance of the normal distributions with that mean and covariance."""
    style_blend: tuple[float, ...] = ()
    """Relative weights of several style pictures, such as 3,1; all alike unless given."""
    loss_form: LossForm = "relative"
    """`relative`: a weight means the same for every pair and size. `paper`: raw sums of squares.
    `mean`, `sum`: those of published programs (docs/presets.md)."""
    tv_form: TotalVariationForm = "power"
    """Total variation: `power` (squares to the 1.25) or `plain` (absolute differences), means over
    pixels in [0, 1]; `power-sum`, `squared-sum`: sums over pixels in [0, 255]."""
    pooling: Pooling = "max"
    """The pooling that follows the first convolution of DenseNet, all pools of VGG."""
    precision: Precision = "float32"
    """Inside the network; Gram matrices, losses and the picture are float32 either way."""
    strip_rows: int = 0
    """Rows of pixels that the network sees at a time: fewer take less memory and more time. 0 for
    all of them, or for as many as memory holds."""


@dataclass(frozen=True)
class SolverOptions:
    """How it is solved."""

    iterations: int = 200
    """Iterations, 1 or more; the total, spread over the levels."""
    evaluations: int = 0
    """Most evaluations of loss and gradient, line searches included; 0 for no such limit."""
    levels: int = 0
    """Scales solved one after the other, each twice the last one's size; 0 for as many as there are
    from about 128 pixels up, 1 for the full size alone."""
    level_iterations: tuple[float, ...] = ()
    """Relative shares of the iterations, coarsest level first, such as 3,2,1."""
    level_content_weights: tuple[float, ...] = ()
    """What multiplies the content weight at each level, coarsest first; 1 unless given."""
    level_tv_weights: tuple[float, ...] = ()
    """What multiplies the weight of total variation at each level; 1 unless given."""
    solver: Literal["lbfgs", "optax-lbfgs", "adam"] = "lbfgs"
    """`lbfgs` (jaxopt), `optax-lbfgs`, or `adam` (more iterations: 300 and up)."""
    lbfgs_history: int = 10
    """Pairs of steps and gradients that L-BFGS remembers, 1 or more."""
    learning_rate: float = 0.02
    """Step size of adam, above 0."""
    parameterization: Parameterization = "fourier"
    """The numbers that the solver works on: the `pixel` values, or these with their spatial
    frequencies scaled (`fourier`): low ones up, those of the network's grid down."""


@dataclass(frozen=True)
class Options:
    """Every option that decides the pixels."""

    picture: PictureOptions = field(default_factory=PictureOptions)
    loss: LossOptions = field(default_factory=LossOptions)
    solve: SolverOptions = field(default_factory=SolverOptions)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check_numbers(options: Any) -> None:
    """NaN, infinite and negative numbers are wrong in every option."""
    for entry in fields(options):
        value = getattr(options, entry.name)
        values = value if isinstance(value, tuple) else (value,)
        for number in values:
            if isinstance(number, (int, float)) and not (math.isfinite(number) and number >= 0):
                raise InputError(
                    f"{_flag(entry.name)} is {number}: give a finite number, 0 or more"
                )


def _check_shares(name: str, shares: Sequence[float], count: int, what: str) -> None:
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
    for group in (options.picture, options.loss, options.solve):
        _check_numbers(group)
    at_least = {
        "size": (options.picture.size, SMALLEST_SIZE),
        "quality": (options.picture.quality, 1),
        "iterations": (options.solve.iterations, 1),
        "lbfgs_history": (options.solve.lbfgs_history, 1),
    }
    for name, (value, least) in at_least.items():
        if value < least:
            raise InputError(f"{_flag(name)} is {value}: give {least} or more")
    if options.picture.style_scale == 0:
        raise InputError("--style-scale is 0: give a number above 0")
    if options.picture.quality > 100:
        raise InputError(f"--quality is {options.picture.quality}: give 1 to 100")
    if options.solve.level_iterations and 0 in options.solve.level_iterations:
        raise InputError("--level-iterations holds a 0: give numbers above 0")
    if options.solve.learning_rate == 0:
        raise InputError("--learning-rate is 0: give a number above 0")
    loss = options.loss
    for kind, layers in (("content", loss.content_layers), ("style", loss.style_layers)):
        if not layers:
            raise InputError(f"--{kind}-layers is empty: name at least one (weight 0 turns it off)")
    counted = {
        "content_layer_weights": (len(loss.content_layers), "content layers"),
        "style_layer_weights": (len(loss.style_layers), "style layers"),
        "style_blend": (styles, "style pictures"),
    }
    for name, (count, what) in counted.items():
        _check_shares(name, getattr(loss, name), count, what)


def normalized_shares(given: Sequence[float], count: int) -> list[float]:
    """Relative weights scaled to a sum of 1; all alike where none are given."""
    given = given or [1.0] * count
    return [share / sum(given) for share in given]


def flatten_options(options: Any) -> dict[str, Any]:
    """All fields of nested option classes in one dictionary, tuples as lists (as in JSON)."""
    found: dict[str, Any] = {}
    for entry in fields(options):
        value = getattr(options, entry.name)
        if is_dataclass(value):
            found |= flatten_options(value)
        else:
            found[entry.name] = list(value) if isinstance(value, tuple) else value
    return found


def options_from_flat(values: dict[str, Any]) -> Options:
    """The inverse of `flat`; options that `values` lacks keep their defaults.

    Raises:
        InputError: a name that is no option (a picture made by another version).
    """
    groups: dict[str, Any] = {}
    unknown = dict(values)
    for entry in fields(Options):
        group = entry.default_factory()  # pyright: ignore[reportCallIssue]
        known = {}
        for option in fields(group):
            if option.name in unknown:
                value = unknown.pop(option.name)
                known[option.name] = tuple(value) if isinstance(value, list) else value
        groups[entry.name] = type(group)(**known)
    if unknown:
        raise InputError(f"unknown option {next(iter(unknown))!r}: made by another version?")
    return Options(**groups)
