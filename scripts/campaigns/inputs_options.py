"""Rows of options: every number out of its range, every choice that there is not, for all commands.

The rows are made from the fields of the options themselves, so that a new option is in the table.
"""

from collections.abc import Iterator
from dataclasses import fields
from typing import Literal, get_args, get_origin, get_type_hints

from campaigns.rows import Row
from stylejax.feedforward.options import ApplyOptions, ApplyPictureOptions
from stylejax.fields import Bounds, describe_fields
from stylejax.options import LossOptions, PictureOptions, SolverOptions
from stylejax.runs.request import FigureRequest
from stylejax.runs.style_request import StyleRequest
from stylejax.sweep.combinations import SweptLossOptions, SweptPictureOptions
from stylejax.universal.options import UniversalOptions, UniversalPictureOptions

_PAIR, _OUTPUT = ("content.png", "style.png"), ("-o", "out.png", "--quiet")
_COMMANDS: dict[tuple[str, ...], tuple[type, ...]] = {
    ("transfer", *_PAIR, *_OUTPUT): (PictureOptions, LossOptions, SolverOptions),
    ("universal", *_PAIR, *_OUTPUT): (UniversalOptions, UniversalPictureOptions),
    ("apply", "content.png", "--style", "scream", *_OUTPUT): (ApplyOptions, ApplyPictureOptions),
    ("sweep", *_PAIR, "-o", "out", "--quiet"): (SweptPictureOptions, SweptLossOptions),
    ("reconstruct", "--content", "content.png", *_OUTPUT): (FigureRequest,),
    (
        *("train", "style", "style.png", "--photos", "photos", "--steps", "1"),
        *("-o", "out.safetensors"),
    ): (StyleRequest,),
}


def _bad_numbers(bounds: Bounds, kind: object) -> Iterator[str]:
    yield "x"
    if bounds.at_least > float("-inf"):
        yield f"{bounds.at_least - 1:g}"
    if bounds.above > float("-inf"):
        yield f"{bounds.above:g}"
    if bounds.at_most < float("inf"):
        yield f"{bounds.at_most * 2 + 1:.0f}"
    if kind is int:
        yield "1.5"
    else:
        yield from ("nan", "inf")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def option_rows() -> Iterator[Row]:
    """Bad values of all options, and combinations that make no sense."""
    for line, groups in _COMMANDS.items():
        command = line[0]
        for group in groups:
            hints = get_type_hints(group)
            for each in describe_fields(group):
                kind, flag = hints[each.name], _flag(each.name)
                values: list[str] = []
                if each.bounds is not None:
                    values = list(dict.fromkeys(_bad_numbers(each.bounds, kind)))
                elif get_origin(kind) is Literal or any(
                    get_origin(part) is Literal for part in get_args(kind)
                ):
                    values = ["nonsense", ""]
                for value in values:
                    row = f"{command} {flag}={value}"
                    yield Row(row, (*line, f"{flag}={value}"), each.name.split("_")[-1])
    yield from _senseless_rows()
    yield from _one_pass_rows()


def _senseless_rows() -> Iterator[Row]:
    transfer = ("transfer", *_PAIR, *_OUTPUT)
    for flags, reason in {
        ("--output-size", "64"): "--output-size",
        ("--output-size", "8x8"): "--output-size",
        ("--output-size", "64 x 64"): "--output-size",
        ("--style-blend", "1,2"): "--style-blend",
        ("--style-blend", "0"): "--style-blend",
        ("--content-layers", "conv9"): "conv9",
        ("--content-layers", ""): "--content-layers is empty",
        ("--style-layers", "input,input"): "named twice",
        ("--style-layer-weights", "1"): "--style-layer-weights",
        ("--seed", "9" * 30): "--seed",
        ("--size", "9" * 30): "--size",
        ("--size", "9" * 400): "--size",
        ("--iterations", "1e3"): "--iterations",
        ("--nonsense",): "--nonsense",
        ("--device", "tpu"): "--device tpu",
        ("--devices", "64"): "64",
        ("--style-mask", "mask.png"): "--style-mask without --content-mask",
        ("--content-mask", "mask.png", "mask.png"): "masks for 1 style",
        ("--num-processes", "2"): "--coordinator",
        ("--coordinator", "nowhere"): "--coordinator",
        ("--resume",): "no checkpoint",
        ("--history", "out.png"): "two outputs",
        ("--history", "content.png"): "is an input",
        ("--plot", "plot.pdf"): "--plot",
        ("--preset", "gatys"): "no vgg19 weights",
        ("--network", "vgg16"): "no vgg16 weights",
        ("--weights", "vgg19-caffe"): "vgg19-caffe",
        ("--weights", "densenet12"): "unknown weights",
    }.items():
        yield Row(f"transfer {' '.join(flags)[:40]}", (*transfer, *flags), reason)
    for line, reason in {
        (): "Expected one of",
        ("paint",): "paint",
        ("transfer",): "required",
        ("transfer", "content.png"): "",
        ("layers", "--size", "big"): "--size big",
        ("layers", "--size", "0x5"): "--size 0x5",
        ("weights",): "fetch",
        ("weights", "fetch", "nothing-like-it"): "unknown weights",
        ("train",): "train style",
        ("train", "word"): "train style",
        ("reconstruct", "-o", "out.png"): "nothing to reconstruct",
        ("sweep", *_PAIR, "-o", "out", "--style-weight", "5,5"): "twice",
        ("sweep", *_PAIR, "-o", "out", "--seed", "1,2"): "--seed",
        ("sweep", *_PAIR, "-o", "out", "--style-weight", ""): "--style-weight",
        ("sweep", "content.png", "-o", "out"): "no style",
        ("sweep", *_PAIR, "-o", "out", "--strength", "0,1"): "--strength",
        ("sweep", *_PAIR, "-o", "out", "--method", "universal", "--strength", "0"): "--strength",
        ("sweep", *_PAIR, "-o", "out", "--method", "apply", "--style", "scream"): "no painting",
    }.items():
        yield Row(f"{' '.join(line)[:60] or 'nothing'}", line, reason)


def _one_pass_rows() -> Iterator[Row]:
    """The bad input of the methods that take one pass."""
    universal = ("universal", *_PAIR)
    scream = ("--style", "scream")
    for line, reason in {
        ("universal", "content.png"): "no style",
        ("universal",): "no content",
        (*universal, "--texture", "style.png"): "--texture",
        (*universal, "--alpha", "1.5"): "--alpha",
        (*universal, "--alpha", "-0.1"): "--alpha",
        (*universal, "--level-alphas", "1,1"): "--level-alphas",
        (*universal, "--level-alphas", "1,1,1,2"): "--level-alphas",
        (*universal, "--style-blend", "1,2"): "--style-blend",
        (*universal, "--style-blend", "0"): "--style-blend",
        (*universal, "--content-mask", "mask.png", "mask.png"): "masks for 1 style",
        (*universal, "--style-mask", "mask.png"): "--style-mask",
        (*universal, "--save-style", "kept.png"): "--save-style",
        (*universal, "style.png", "--save-style", "k.safetensors"): "--save-style",
        ("universal", "photos", "style.png", "--content-mask", "mask.png"): "--content-mask",
        ("universal", "--texture", "style.png", "--content-mask", "mask.png"): "no regions",
        ("universal", "--texture", "style.png", "--preserve-color", "match"): "no colors",
        ("apply", "content.png"): "no --style",
        ("apply", *scream): "no photograph",
        ("apply", "content.png", "--style", "screem"): "scream",
        ("apply", "content.png", "--style", "starry-nihgt"): "starry-night",
        ("apply", "content.png", "--style", "scream,scream"): "twice",
        ("apply", "content.png", "--style", "scream,udnie", "--style-blend", "1"): "--style-blend",
        ("apply", "content.png", *scream, "--strength", "2"): "--strength",
        ("apply", "content.png", *scream, "--content-mask", "mask.png", "mask.png"): "masks",
        ("apply", "content.png", "--style", "gone.safetensors"): "gone.safetensors",
    }.items():
        yield Row(f"{' '.join(line)[:60]}", (*line, *_OUTPUT), reason)
    training = ("train", "style", "style.png", "-o", "out.safetensors")
    photos, steps = ("--photos", "photos"), ("--steps", "1")
    for flags, reason in {
        steps: "no --photos",
        photos: "no --steps and no --deadline",
        (*photos, *steps, "--names", "a,b"): "2 names for 1",
        (*photos, *steps, "--names", "a:b"): "style name",
        (*photos, *steps, "--base", "gone.safetensors"): "gone.safetensors",
        (*photos, *steps, "--base", "shipped", "--names", "scream"): "has a style scream",
        (*photos, *steps, "--resume", "gone.safetensors"): "gone.safetensors",
        (*photos, *steps, "--weights", "gone.safetensors"): "gone.safetensors",
        (*photos, *steps, "-o", "out.png"): ".safetensors",
        ("--photos", "none", *steps): "none",
        ("--photos", "mask.png", "folder.png", *steps, "--validation", "text"): "text",
        ("--photos", "text", *steps): "text",
    }.items():
        yield Row(f"train style {' '.join(flags)}", (*training, *flags), reason)
    twice = ("train", "style", "style.png", "twice/a.png", "twice/a.jpg", "-o", "o.safetensors")
    yield Row("train style, equal names", (*twice, *photos, *steps), "a name of its own")


assert all(fields(group) for groups in _COMMANDS.values() for group in groups)
