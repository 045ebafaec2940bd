"""Where the defaults of a run come from: a picture, a preset, or the network that is used."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stylejax.cli.commands import Apply, Demo, Sweep, Transfer, Universal, Upscale
from stylejax.feedforward.options import ApplyOptions, ApplyPictureOptions
from stylejax.feedforward.options import settings_from_flat as apply_from_flat
from stylejax.networks.architectures import ARCHITECTURES
from stylejax.options import (
    LossOptions,
    NetworkName,
    Options,
    PictureOptions,
    SolverOptions,
    options_from_flat,
)
from stylejax.runs.metadata import APPLY, TRANSFER, UNIVERSAL, UPSCALE
from stylejax.runs.own_presets import over_options, read_preset
from stylejax.runs.printing import PrintOptions
from stylejax.runs.repeated import Repeated, repeat_record
from stylejax.superresolution.options import UpscaleOptions, UpscalePictureOptions
from stylejax.superresolution.options import settings_from_flat as upscale_from_flat
from stylejax.sweep.combinations import SweptLossOptions, SweptPictureOptions, as_lists
from stylejax.transfer.presets import PRESETS, network_options, preset_options
from stylejax.universal.options import UniversalOptions, UniversalPictureOptions
from stylejax.universal.options import settings_from_flat as universal_from_flat
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


def defaults_for(arguments: Sequence[str]) -> tuple[Defaults, Repeated | None]:
    """The defaults of this run, and what it repeats.

    They are those of the picture that `--like` names, else of the network; `--preset` goes over
    them.

    Raises:
        InputError: the picture that is named has no record that this command can repeat.
    """
    like, preset = _given(arguments, "--like"), _given(arguments, "--preset")
    one_pass = {
        "universal": _universal_defaults,
        "apply": _apply_defaults,
        "upscale": _upscale_defaults,
    }
    if arguments and arguments[0] in one_pass:
        return ({}, None) if like is None else one_pass[arguments[0]](Path(like))
    weights, network = _given(arguments, "--weights"), _given(arguments, "--network")
    asked: NetworkName | None = None
    pictures: dict[str, Path | tuple[Path, ...]] = {}
    options: Options | None = None
    repeated: Repeated[Options] | None = None
    if like is not None:
        repeated = repeat_record(Path(like), TRANSFER, options_from_flat)
        options, asked = repeated.options, repeated.network
        pictures = _pictures(repeated, "content", "styles")
    # The other commands solve nothing, and must work where the named weights are missing.
    solves = bool(arguments) and arguments[0] in ("transfer", "demo", "sweep")
    own = read_preset(preset) if solves and preset not in (None, *PRESETS) else None
    if preset in PRESETS:
        options, asked = preset_options(preset, options), PRESETS[preset].network
    elif own is not None and own.network is not None:
        options, asked = options or network_options(own.network), own.network
    if options is None:
        file = find_weights(Path(weights) if weights else None) if solves else None
        held = read_network(file) if file else "densenet121"
        options = network_options(network if network in ARCHITECTURES else held)
    options = options if own is None else over_options(own, options)
    lists = as_lists(options)
    defaults = {
        **dict.fromkeys((Transfer, Sweep), {"network": asked, **pictures}),
        Demo: {"network": asked},
        PictureOptions: vars(options.picture),
        LossOptions: vars(options.loss),
        SolverOptions: vars(options.solve),
        PrintOptions: {} if repeated is None else vars(repeated.paper),
        SweptPictureOptions: vars(lists.picture),
        SweptLossOptions: vars(lists.loss),
    }
    return defaults, repeated


def _universal_defaults(like: Path) -> tuple[Defaults, Repeated]:
    """Those of universal style transfer: all that the picture that `--like` names was made with."""
    repeated = repeat_record(like, UNIVERSAL, universal_from_flat)
    settings, is_texture = repeated.options, not repeated.files["content"]
    pictures = _pictures(repeated, *([] if is_texture else ["content", "styles"]))
    if is_texture:
        pictures["texture"] = repeated.named("styles")
    defaults = {
        Universal: pictures,
        UniversalOptions: vars(settings.transfer),
        UniversalPictureOptions: vars(settings.picture),
        PrintOptions: vars(repeated.paper),
    }
    return defaults, repeated


def _apply_defaults(like: Path) -> tuple[Defaults, Repeated]:
    """Those of painting in learned styles, likewise."""
    repeated = repeat_record(like, APPLY, apply_from_flat)
    settings = repeated.options
    defaults = {
        Apply: {
            "photos": repeated.named("content"),
            "content_masks": repeated.named("content_masks"),
        },
        ApplyOptions: vars(settings.paint),
        ApplyPictureOptions: vars(settings.picture),
        PrintOptions: vars(repeated.paper),
    }
    return defaults, repeated


def _upscale_defaults(like: Path) -> tuple[Defaults, Repeated]:
    """Those of enlarging, likewise."""
    repeated = repeat_record(like, UPSCALE, upscale_from_flat)
    settings = repeated.options
    defaults = {
        Upscale: {"photos": repeated.named("content")},
        UpscaleOptions: vars(settings.upscale),
        UpscalePictureOptions: vars(settings.picture),
    }
    return defaults, repeated


def _pictures(repeated: Repeated, *inputs: str) -> dict[str, Path | tuple[Path, ...]]:
    """The pictures that a record names, and their masks."""
    named = {role: repeated.named(role) for role in (*inputs, "content_masks", "style_masks")}
    return {role: each[0] if role == "content" else each for role, each in named.items()}
