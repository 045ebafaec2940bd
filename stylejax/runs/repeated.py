"""A picture's record taken up again: what it says is checked, and the files that it names found.

Records come from anywhere: from other programs, from editors, from later versions, cut off. Nothing
in them is believed before it is known to be of the right type, and no name of a file may be a path.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple

from stylejax.errors import InputError
from stylejax.fields import OptionValue, split_flat
from stylejax.images.samples import samples_folder
from stylejax.networks.architectures import ARCHITECTURES
from stylejax.options import STARTS, NetworkName
from stylejax.runs.metadata import APPLY, TRANSFER, UNIVERSAL, UPSCALE, Record, read_record
from stylejax.runs.printing import PrintOptions
from stylejax.sweep.combinations import OptionsOf
from stylejax.version import VERSION
from stylejax.weights.read import bundled_folder
from stylejax.weights.zoo import WEIGHTS_VARIABLE, cached_path

Expected = tuple[tuple[Path, str], ...]
"""Files that a run is to read, each with the sha256 that it must have."""

_ROLES = {
    "content": "the content picture",
    "styles": "the style picture",
    "content_masks": "the mask",
    "style_masks": "the mask",
    "keep": "the mask of --keep",
    "weights": "the weights",
    "decoders": "the decoders",
    "init": "the start picture",
    "painter": "the network",
    "held": "the statistics of",
    "enlarger": "the network",
}
"""What a record has files for, and what a message calls each."""
_ADVICE = {
    "content": "name a picture on the line",
    "styles": "name a picture on the line",
    "content_masks": "name one with --content-mask (without a name after it: no masks)",
    "style_masks": "name one with --style-mask (without a name after it: no masks)",
    "keep": "name one with --keep",
    "weights": "name others with --weights",
    "decoders": "name others with --decoders",
    "init": "name another start with --init",
    "painter": "name another style with --style",
    "held": "give --hold-statistics none",
    "enlarger": "name another with --weights",
}
_SEVERAL = ("styles", "content_masks", "style_masks")
_NEEDED = {
    TRANSFER: ("content", "styles", "weights"),
    UNIVERSAL: ("styles", "weights", "decoders"),
    APPLY: ("content", "painter"),
    UPSCALE: ("content", "enlarger"),
}


_BEFORE: Mapping[str, Mapping[str, OptionValue]] = {TRANSFER: {"placement": 0.0}}
"""What pictures were made with that say nothing of it: options that came later and do something."""


class RecordedFile(NamedTuple):
    """A file as a record has it."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Repeated(Generic[OptionsOf]):
    """What the record of a picture says to do again.

    Attributes:
        picture: the picture.
        options: all that decide the pixels.
        files: by what they are for, as in the record; several in order.
        network: that pictures were compared through.
        paper: the size that the picture has as a print.
    """

    picture: Path
    options: OptionsOf
    files: Mapping[str, tuple[RecordedFile, ...]]
    network: NetworkName
    paper: PrintOptions = PrintOptions()

    def named(self, role: str) -> tuple[Path, ...]:
        """The files for something by their bare names."""
        return tuple(Path(file.name) for file in self.files.get(role, ()))


def repeat_record(
    path: Path,
    method: str,
    from_flat: Callable[[Mapping[str, OptionValue]], OptionsOf],
) -> Repeated[OptionsOf]:
    """What a picture's record says, once it is known to be one of this method.

    Args:
        path: the picture.
        method: of those that a record knows.
        from_flat: the inverse of how its options are recorded.

    Raises:
        InputError: the picture holds no record, or one that another command must repeat, or one
            that is damaged or of a later version.
    """
    record = read_record(path)
    made_by = record.get("method", TRANSFER)
    if made_by != method:
        if isinstance(made_by, str) and made_by in _NEEDED:
            raise InputError(
                f"{path}: was made by `stylejax {made_by}`; repeat it with that command"
            )
        raise _unrepeatable(path, record, f"method {made_by!r:.40}")
    files = {role: _files(path, record, role) for role in _ROLES}
    for role in _NEEDED[method]:
        if not files[role]:
            raise _unrepeatable(path, record, f"no {role} in it")
    flat = record.get("options")
    if not isinstance(flat, dict):
        raise _unrepeatable(path, record, "no options in it")
    try:
        options = from_flat({**_BEFORE.get(method, {}), **flat})
    except InputError as error:
        raise _unrepeatable(path, record, str(error)) from error
    if flat.get("init", "content") not in STARTS and not files["init"]:
        raise _unrepeatable(path, record, "a start picture without a checksum")
    return Repeated(path, options, files, _network(path, record), _paper(path, record))


def _paper(path: Path, record: Record) -> PrintOptions:
    """The size that a record has of a print, if it has one."""
    given = record.get("print", {})
    try:
        (values,) = split_flat(given if isinstance(given, dict) else {"print": given}, PrintOptions)
        paper = PrintOptions(**values)
        paper.check()
    except InputError as error:
        raise _unrepeatable(path, record, str(error)) from error
    return paper


def _unrepeatable(path: Path, record: Record, why: str) -> InputError:
    by = record["stylejax"]
    other = "" if by == VERSION else f"; it was made by stylejax {by!r:.20}, and this is {VERSION}"
    return InputError(f"{path}: its settings cannot be repeated ({why}){other}")


def _files(path: Path, record: Record, role: str) -> tuple[RecordedFile, ...]:
    """The files that a record has for something.

    Raises:
        InputError: what stands there is no file.
    """
    entries = record.get(role, [] if role in _SEVERAL else None)
    if role not in _SEVERAL:
        entries = [] if entries is None else [entries]
    if not isinstance(entries, list):
        raise _unrepeatable(path, record, f"{role} is {entries!r:.40}")
    files = []
    for entry in entries:
        name, sha256 = (
            (str(entry.get(key)) for key in RecordedFile._fields)
            if isinstance(entry, dict)
            else ("", "")
        )
        if not _is_name(name) or re.fullmatch("[0-9a-f]{64}", sha256) is None:
            raise _unrepeatable(path, record, f"{role} has {entry!r:.60}")
        files.append(RecordedFile(name, sha256))
    return tuple(files)


def _is_name(name: str) -> bool:
    """Whether this is the name of a file, and not a path to it."""
    whole = name not in ("", ".", "..") and "/" not in name
    return whole and all(ord(letter) >= 32 for letter in name)


def _network(path: Path, record: Record) -> NetworkName:
    """The network of a record (early versions had but one, and did not say)."""
    weights = record.get("weights", {})
    named = weights.get("network", "densenet121") if isinstance(weights, dict) else weights
    for network in ARCHITECTURES:
        if network == named:
            return network
    raise _unrepeatable(path, record, f"network {named!r:.40}")


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # A name too long, or a folder that may not be entered.
        return False


def _has(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


class RecordedFiles:
    """Finds the files of a record again, and keeps what they must be when they are read."""

    def __init__(self, repeated: Repeated) -> None:
        """Look at nothing yet."""
        self.repeated, self.expected = repeated, list[tuple[Path, str]]()
        self.folders = [repeated.picture.parent, Path()]

    def beside(self, content: Path) -> None:
        """Look beside the content picture too, before the current folder."""
        self.folders.insert(1, content.parent)

    def find(self, role: str, more: Iterable[Path] = ()) -> tuple[Path, ...]:
        """The files for something: beside the picture and the content, here, or at `more` places.

        Where several places have a file of that name, the one with the right content is taken.

        Raises:
            InputError: a file is at none of them.
        """
        return tuple(self._found(role, file, list(more)) for file in self.repeated.files[role])

    def weights(self) -> Path:
        """The weights, which may also be where weights are kept.

        Raises:
            InputError: they are nowhere.
        """
        (file,) = self.repeated.files["weights"]
        given = Path(os.environ.get(WEIGHTS_VARIABLE, ""))
        kept = [given] if given.name == file.name else []
        kept += [bundled_folder() / file.name, cached_path(Path(file.name).stem)]
        (path,) = self.find("weights", kept)
        return path

    def _found(self, role: str, file: RecordedFile, more: Sequence[Path]) -> Path:
        places = [folder / file.name for folder in self.folders] + list(more)
        if role in ("content", "styles"):
            places.append(samples_folder() / file.name)
        # A picture is often called as its content is: it is not its own input.
        itself = self.repeated.picture.resolve()
        there = [path for path in dict.fromkeys(places) if _exists(path)]
        there = [path for path in there if path.resolve() != itself]
        if not there:
            folders = dict.fromkeys(folder.absolute() for folder in self.folders)
            where = " or in ".join(map(str, folders))
            raise InputError(
                f"{self.repeated.picture}: was made with {_ROLES[role]} {file.name} (sha256 "
                f"{file.sha256[:12]}...), which is not in {where}; bring it there, or "
                f"{_ADVICE[role]}"
            )
        right = [path for path in there if len(there) > 1 and _has(path, file.sha256)]
        path = (right or there)[0]
        self.expected.append((path, file.sha256))
        return path


def check_expected(expected: Expected, found: Mapping[Path, str]) -> None:
    """Refuse files that are not those that a picture was made with.

    Args:
        expected: what they must be.
        found: the sha256 of what has been read.

    Raises:
        InputError: names the file.
    """
    for path, sha256 in expected:
        if found.get(path, sha256) != sha256:
            raise InputError(
                f"{path}: is not the file that the picture of --like was made with (sha256 "
                f"{found[path][:12]}..., then {sha256[:12]}...); bring that one back, or say on "
                "the line that this one is meant"
            )
