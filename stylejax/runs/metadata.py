"""What a picture was made of and how: the record that travels in its metadata.

It holds every option that decides the pixels, names and checksums of the inputs, the weights,
versions, the kind of device and the final loss; no time and no path, so that equal runs
write equal bytes. `stylejax show` prints it, `--like` repeats it.
"""

import json
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from stylejax.errors import InputError
from stylejax.fields import OptionValue
from stylejax.images.paths import read_bytes
from stylejax.images.read import PictureFile, read_description
from stylejax.options import Options, flatten_options
from stylejax.strict_json import json_text
from stylejax.version import VERSION
from stylejax.weights.read import Weights

Record = dict[str, Any]
TRANSFER, UNIVERSAL, APPLY, UPSCALE = "transfer", "universal", "apply", "upscale"
"""The methods that a record knows."""

STYLE_SUFFIX = ".safetensors"
"""Of weight files that learned styles may be named by."""
_NOT_DECISIVE = ("versions", "stylejax")
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
    decoders: Mapping[str, str],
    device_kind: str,
) -> Record:
    """The record of a picture made by universal style transfer; of a texture without content.

    Args:
        options: all that decide the pixels, flat.
        content: the photograph's `file_entry`.
        styles: likewise.
        weights: of the encoder.
        decoders: name and checksum of their file.
        device_kind: as JAX names it.
    """
    return {
        "stylejax": VERSION,
        "method": UNIVERSAL,
        **({} if content is None else {"content": dict(content)}),
        "styles": [dict(style) for style in styles],
        "weights": _weights_entry(weights),
        "decoders": dict(decoders),
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


def record_with_options(settings: Record, options: Options) -> Record:
    """The record of a run like another one but for its options; both start alike."""
    start = settings["options"]["init"]
    return {**settings, "options": {**flatten_options(options), "init": start}}


def decisive(record: Record) -> Record:
    """A record without what may differ between runs that are the same.

    These are the names of files, whose sha256 stay, and the versions of packages. The records of
    several lanes may stand in a list.
    """
    inside = lambda value: (
        decisive(value)
        if isinstance(value, dict)
        else [inside(each) for each in value]
        if isinstance(value, list)
        else value
    )
    kept = {key: inside(each) for key, each in record.items() if key not in _NOT_DECISIVE}
    if "sha256" in kept:
        kept.pop("name", None)
    options = kept.get("options")
    if isinstance(options, dict) and isinstance(kept.get("init"), dict):
        options["init"] = ""
    if isinstance(options, dict) and isinstance(kept.get("painter"), dict):
        options["style"] = [style_in_file(str(each)) for each in options.get("style") or ()]
    return kept


def style_in_file(style: str) -> str:
    """The name of a learned style within its file, empty where the file has but one."""
    return "" if style.endswith(STYLE_SUFFIX) else style.rpartition(":")[2]


def upgrade_of(before: Record, now: Record) -> str:
    """What has been upgraded between two runs, in words; empty where nothing has."""
    versions = before.get("versions")
    for package, version in versions.items() if isinstance(versions, dict) else ():
        newer = now["versions"].get(package)
        if newer not in (None, version):
            return f"{package} {version}, now {newer}"
    return ""


def record_text(settings: Record, result: Mapping[str, int | float]) -> str:
    """The text that is stored in a picture: the record and its result."""
    return json_text({**settings, "result": result})


def is_shallow(value: object, most: int = 8) -> bool:
    """Whether no more than `most` levels lie within each other, as in every record of ours."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return most > 0 and all(is_shallow(each, most - 1) for each in inner)


def read_record(path: Path) -> Record:
    """The record stored in a picture, or printed by `stylejax show` into a .json file.

    Raises:
        InputError: the file is not a picture, or holds no record of stylejax.
    """
    is_text = path.suffix.lower() == ".json"
    text = read_bytes(path, "file of settings") if is_text else read_description(path)
    try:
        settings = json.loads(text or "")
        if isinstance(settings, dict) and "stylejax" in settings and is_shallow(settings):
            return settings
    except (ValueError, RecursionError):
        pass
    wanted = "what `stylejax show` prints" if is_text else "a picture that stylejax wrote"
    raise InputError(f"{path}: holds no stylejax settings; name {wanted}")
