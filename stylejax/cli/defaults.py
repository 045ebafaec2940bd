"""Where the defaults of a run come from: a picture, a preset, or the network that is used."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stylejax.cli.commands import Apply, Demo, Sweep, Transfer, Universal, Upscale
from stylejax.feedforward.options import ApplyOptions, ApplyPictureOptions
from stylejax.networks.layers import ARCHITECTURES
from stylejax.options import LossOptions, NetworkName, Options, PictureOptions, SolverOptions
from stylejax.runs.metadata import (
    Record,
    apply_like,
    network_like,
    options_like,
    read_record,
    universal_like,
    upscale_like,
)
from stylejax.superresolution.options import UpscaleOptions, UpscalePictureOptions
from stylejax.sweep.combinations import SweptLossOptions, SweptPictureOptions, as_lists
from stylejax.transfer.presets import PRESETS, network_options, preset_options
from stylejax.universal.options import UniversalOptions, UniversalPictureOptions
from stylejax.weights.read import read_network
from stylejax.weights.zoo import find_weights

Defaults = Mapping[type, Mapping[str, object]]
"""Defaults that take the place of a class's own, by field."""


def _given(arguments: Sequence[str], flag: str) -> str | None:
    """The value of an option that must be known before the others can be read; the last counts."""
    value = None
    for index, argument in enumerate(arguments):
        if argument == flag and index + 1 < len(arguments):
            value = arguments[index + 1]
        elif argument.startswith(f"{flag}="):
            value = argument.removeprefix(f"{flag}=")
    return value


def defaults_for(arguments: Sequence[str]) -> Defaults:
    """The defaults of this run.

    They are those of the picture that `--like` names, else of the network; `--preset` goes over
    them.
    """
    like, preset = _given(arguments, "--like"), _given(arguments, "--preset")
    one_pass = {
        "universal": _universal_defaults,
        "apply": _apply_defaults,
        "upscale": _upscale_defaults,
    }
    if arguments and arguments[0] in one_pass:
        return {} if like is None else one_pass[arguments[0]](Path(like))
    weights, network = _given(arguments, "--weights"), _given(arguments, "--network")
    asked: NetworkName | None = None
    pictures: dict[str, Path | tuple[Path, ...]] = {}
    options: Options | None = None
    if like is not None:
        settings = read_record(Path(like))
        options, asked = options_like(Path(like), settings), network_like(settings)
        pictures["content"] = Path(settings["content"]["name"])
        pictures["styles"] = tuple(Path(style["name"]) for style in settings["styles"])
    if preset in PRESETS:
        options, asked = preset_options(preset, options), PRESETS[preset].network
    if options is None:
        # The other commands solve nothing, and must work where the named weights are missing.
        solves = bool(arguments) and arguments[0] in ("transfer", "demo", "sweep")
        file = find_weights(Path(weights) if weights else None) if solves else None
        held = read_network(file) if file else "densenet121"
        options = network_options(network if network in ARCHITECTURES else held)
    lists = as_lists(options)
    return {
        **dict.fromkeys((Transfer, Sweep), {"network": asked, **pictures}),
        Demo: {"network": asked},
        PictureOptions: vars(options.picture),
        LossOptions: vars(options.loss),
        SolverOptions: vars(options.solve),
        SweptPictureOptions: vars(lists.picture),
        SweptLossOptions: vars(lists.loss),
    }


def _universal_defaults(like: Path) -> Defaults:
    """Those of universal style transfer: all that the picture that `--like` names was made with."""
    record = read_record(like)
    settings = universal_like(like, record)
    return {
        Universal: _inputs_like(record),
        UniversalOptions: vars(settings.transfer),
        UniversalPictureOptions: vars(settings.picture),
    }


def _apply_defaults(like: Path) -> Defaults:
    """Those of painting in learned styles, likewise."""
    record = read_record(like)
    settings = apply_like(like, record)
    return {
        Apply: {"photos": (Path(record["content"]["name"]),)},
        ApplyOptions: vars(settings.paint),
        ApplyPictureOptions: vars(settings.picture),
    }


def _upscale_defaults(like: Path) -> Defaults:
    """Those of enlarging, likewise."""
    record = read_record(like)
    settings = upscale_like(like, record)
    return {
        Upscale: {"photos": (Path(record["content"]["name"]),)},
        UpscaleOptions: vars(settings.upscale),
        UpscalePictureOptions: vars(settings.picture),
    }


def _inputs_like(record: Record) -> dict[str, Path | None | tuple[Path, ...]]:
    """The pictures that a record names; a texture has styles alone."""
    styles = tuple(Path(style["name"]) for style in record["styles"])
    if "content" not in record:
        return {"texture": styles}
    return {"content": Path(record["content"]["name"]), "styles": styles}
