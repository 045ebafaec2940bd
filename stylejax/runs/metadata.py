"""What a picture was made of and how: the record that travels in its metadata.

It holds every option that decides the pixels, names and checksums of the inputs, the weights,
versions, the kind of device and the final loss; no time and no path, so that equal runs
write equal bytes. `stylejax show` prints it, `--like` repeats it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from stylejax.errors import InputError
from stylejax.feedforward.options import ApplySettings
from stylejax.feedforward.options import settings_from_flat as apply_settings_from_flat
from stylejax.images.read import PictureFile, read_description
from stylejax.options import (
    NetworkName,
    Options,
    OptionValue,
    flatten_options,
    options_from_flat,
)
from stylejax.superresolution.options import UpscaleSettings
from stylejax.superresolution.options import settings_from_flat as upscale_settings_from_flat
from stylejax.sweep.combinations import OptionsOf
from stylejax.universal.decoder_weights import Decoders
from stylejax.universal.options import UniversalSettings, settings_from_flat
from stylejax.version import VERSION
from stylejax.weights.read import Weights

Record = dict[str, Any]
TRANSFER, UNIVERSAL, APPLY, UPSCALE = "transfer", "universal", "apply", "upscale"
"""The methods that a record knows."""

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "jaxopt", "numpy", "pillow")


def file_entry(file: PictureFile) -> dict[str, str]:
    """How a file that a run reads is recorded: by name and checksum."""
    return {"name": file.path.name, "sha256": file.sha256}


def _weights_entry(weights: Weights) -> dict[str, str]:
    network = weights.architecture.network
    return {"name": weights.name, "sha256": weights.sha256, "network": network}


def _versions() -> dict[str, str]:
    return {package: metadata.version(package) for package in _PACKAGES}


def make_record(
    options: Options,
    content: PictureFile,
    styles: Sequence[PictureFile],
    weights: Weights,
    device_kind: str,
    init: PictureFile | None = None,
) -> Record:
    """The record of a run, before it has a result."""
    values = flatten_options(options)
    if init is not None:
        # The picture's name and checksum stand for it: its path would differ between machines.
        values["init"] = init.path.name
    settings: Record = {
        "stylejax": VERSION,
        "content": file_entry(content),
        "styles": [file_entry(style) for style in styles],
        "weights": _weights_entry(weights),
        "options": values,
        "versions": _versions(),
        "device": device_kind,
    }
    if init is not None:
        settings["init"] = file_entry(init)
    return settings


def make_universal_record(
    options: Mapping[str, OptionValue],
    content: Mapping[str, str] | None,
    styles: Sequence[Mapping[str, str]],
    weights: Weights,
    decoders: Decoders,
    device_kind: str,
) -> Record:
    """The record of a picture made by universal style transfer; of a texture without content.

    Args:
        options: all that decide the pixels, flat.
        content: the photograph's `file_entry`.
        styles: likewise.
        weights: of the encoder.
        decoders: of the same encoder.
        device_kind: as JAX names it.
    """
    return {
        "stylejax": VERSION,
        "method": UNIVERSAL,
        **({} if content is None else {"content": dict(content)}),
        "styles": [dict(style) for style in styles],
        "weights": _weights_entry(weights),
        "decoders": {"name": decoders.name, "sha256": decoders.sha256},
        "options": dict(options),
        "versions": _versions(),
        "device": device_kind,
    }


def make_apply_record(
    options: Mapping[str, OptionValue],
    content: Mapping[str, str],
    painter: Mapping[str, str],
    content_masks: Sequence[Mapping[str, str]],
    held: Mapping[str, str] | None,
    device_kind: str,
) -> Record:
    """The record of a picture painted in learned styles.

    Args:
        options: all that decide the pixels, flat; files of styles without their folders.
        content: the photograph's `file_entry`.
        painter: name and checksum of the network's weight file.
        content_masks: likewise.
        held: likewise of the photograph whose statistics were used, where it is another one.
        device_kind: as JAX names it.
    """
    return {
        "stylejax": VERSION,
        "method": APPLY,
        "content": dict(content),
        "painter": dict(painter),
        **({"content_masks": list(map(dict, content_masks))} if content_masks else {}),
        **({} if held is None else {"held": dict(held)}),
        "options": dict(options),
        "versions": _versions(),
        "device": device_kind,
    }


def make_upscale_record(
    options: Mapping[str, OptionValue],
    content: Mapping[str, str],
    enlarger: Mapping[str, str],
    device_kind: str,
) -> Record:
    """The record of an enlarged picture; `enlarger` is its network's weight file."""
    return {
        "stylejax": VERSION,
        "method": UPSCALE,
        "content": dict(content),
        "enlarger": dict(enlarger),
        "options": dict(options),
        "versions": _versions(),
        "device": device_kind,
    }


def method_of(settings: Record) -> str:
    """By which method a picture was made: `transfer` where its record does not say."""
    return settings.get("method", TRANSFER)


def record_with_options(settings: Record, options: Options) -> Record:
    """The record of a run like another one but for its options; both start alike."""
    start = settings["options"]["init"]
    return {**settings, "options": {**flatten_options(options), "init": start}}


def record_text(settings: Record, result: Mapping[str, int | float]) -> str:
    """The text that is stored in a picture: the record and its result."""
    return json.dumps({**settings, "result": result}, ensure_ascii=True)


def read_record(path: Path) -> Record:
    """The record stored in a picture.

    Raises:
        InputError: the file is not a picture, or holds no record of stylejax.
    """
    text = read_description(path)
    try:
        settings = json.loads(text or "")
        if isinstance(settings, dict) and "stylejax" in settings:
            return settings
    except ValueError:
        pass
    raise InputError(f"{path}: holds no stylejax settings; name a picture that stylejax wrote")


def options_like(path: Path, settings: Record) -> Options:
    """The options that a picture was made with, from its settings.

    Raises:
        InputError: the options are of another version.
    """
    return _repeated(path, settings, TRANSFER, options_from_flat)


def universal_like(path: Path, settings: Record) -> UniversalSettings:
    """The options that a picture of universal style transfer was made with.

    Raises:
        InputError: it was made by another method, or the options are of another version.
    """
    return _repeated(path, settings, UNIVERSAL, settings_from_flat)


def apply_like(path: Path, settings: Record) -> ApplySettings:
    """The options that a picture was painted with in learned styles.

    Raises:
        InputError: it was made by another method, or the options are of another version.
    """
    return _repeated(path, settings, APPLY, apply_settings_from_flat)


def upscale_like(path: Path, settings: Record) -> UpscaleSettings:
    """The options that a picture was enlarged with.

    Raises:
        InputError: it was made by another method, or the options are of another version.
    """
    return _repeated(path, settings, UPSCALE, upscale_settings_from_flat)


def _repeated(
    path: Path,
    settings: Record,
    method: str,
    from_flat: Callable[[Mapping[str, OptionValue]], OptionsOf],
) -> OptionsOf:
    """The options in a record of this method."""
    if method_of(settings) != method:
        raise InputError(
            f"{path}: was made by `stylejax {method_of(settings)}`; repeat it with that command"
        )
    try:
        return from_flat(settings["options"])
    except (InputError, KeyError, TypeError) as error:
        raise InputError(f"{path}: its settings cannot be repeated ({error})") from error


def network_like(settings: Record) -> NetworkName:
    """The network that a picture was made with (early versions had but one, and did not say)."""
    return settings.get("weights", {}).get("network", "densenet121")
