"""The user's own presets: options in files of a folder, each with the name that it is used by."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, get_args

import platformdirs

from stylejax.errors import InputError
from stylejax.fields import nearest_hint
from stylejax.images.paths import is_folder, list_folder, read_bytes, shown
from stylejax.options import (
    STARTS,
    NetworkName,
    Options,
    flatten_options,
    options_from_flat,
)
from stylejax.runs.metadata import TRANSFER, is_shallow
from stylejax.transfer.presets import PRESETS

_SUFFIX = ".json"


class OwnPreset(NamedTuple):
    """Values of options by their names, and the network that they are for, if it matters."""

    network: NetworkName | None
    values: Mapping[str, object]


def presets_folder() -> Path:
    """Where the user's presets lie."""
    return platformdirs.user_config_path("stylejax") / "presets"


def preset_files() -> dict[str, Path]:
    """The files of the folder by the names of their presets; none where there is no folder.

    Raises:
        InputError: the folder may not be read.
    """
    folder = presets_folder()
    found = list_folder(folder) if is_folder(folder) else []
    return {path.stem: path for path in found if path.suffix == _SUFFIX}


def read_preset(name: str) -> OwnPreset:
    """A preset of the user's: what `stylejax show` printed, or a part of it.

    Raises:
        InputError: there is none of this name, or its file is no preset.
    """
    own = preset_files()
    if name not in own:
        hint = nearest_hint(name, [*PRESETS, *own])
        raise InputError(f"--preset {name}: there is none; `stylejax presets` lists them{hint}")
    path = own[name]
    try:
        record = json.loads(read_bytes(path, "preset").decode("utf-8"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise _useless(path, "it is no JSON") from error
    options = record.get("options") if isinstance(record, dict) else None
    if not isinstance(options, dict) or not is_shallow(record):
        raise _useless(path, "it has no options")
    if record.get("method", TRANSFER) != TRANSFER:
        raise _useless(path, "its options are those of another command, which has --like")
    # A picture to start from belongs to one picture.
    values = {key: options[key] for key in options if key != "init" or options[key] in STARTS}
    try:
        options_from_flat(values)
    except InputError as error:
        raise _useless(path, str(error)) from error
    return OwnPreset(_network(path, record), values)


def over_options(preset: OwnPreset, base: Options) -> Options:
    """The options of a preset, over those of `base`."""
    return options_from_flat(flatten_options(base) | dict(preset.values))


def preset_rows() -> list[tuple[str, ...]]:
    """Name, network and source of every preset: published ones, then the user's.

    A file that is no preset has what is wrong with it in place of its source.

    Raises:
        InputError: the folder may not be read.
    """
    rows = [(name, preset.network, preset.source) for name, preset in PRESETS.items()]
    for name, path in preset_files().items():
        if name in PRESETS:
            rows.append((name, "-", f"{shown(path)}: not used, a published preset has this name"))
            continue
        try:
            rows.append((name, read_preset(name).network or "any", shown(path)))
        except InputError as error:
            rows.append((name, "-", str(error)))
    return rows


def _useless(path: Path, why: str) -> InputError:
    return InputError(
        f"{shown(path)}: is no preset ({why}); make one by `stylejax show PICTURE > FILE`"
    )


def _network(path: Path, record: Mapping[str, object]) -> NetworkName | None:
    weights = record.get("weights")
    given = record.get("network", weights.get("network") if isinstance(weights, dict) else None)
    for network in get_args(NetworkName):
        if network == given:
            return network
    if given is not None:
        raise _useless(path, f"network {given!r:.40}")
    return None
