"""What `--like` names besides options: the files of a picture's record, found and put in place.

What is given on the line goes first; only what is not is looked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stylejax.cli.commands import Apply, Command, Demo, Sweep, Transfer, Universal, Upscale
from stylejax.feedforward.options import ApplySettings
from stylejax.runs.metadata import STYLE_SUFFIX, style_in_file
from stylejax.runs.repeated import RecordedFiles, Repeated
from stylejax.weights.read import bundled_folder
from stylejax.weights.zoo import bundled_painter

Names = Mapping[str, object]
"""Fields of a command that a record has given defaults for, with these defaults."""

Changes = dict[str, Any]
"""Fields of a command with what is to stand in them."""


def is_given(arguments: Sequence[str], flag: str) -> bool:
    """Whether an option stands on the line, in either spelling."""
    return any(argument.split("=")[0].replace("_", "-") == flag for argument in arguments)


def _pictures(command: Command, found: RecordedFiles, names: Names) -> Changes:
    """Content, styles and masks: those whose fields have what the record has, and no others."""
    # The very objects: an equal path on the line is given, and means what it says.
    kept = [
        field
        for field, default in names.items()
        if field != "network" and getattr(command, field) is default
    ]
    changes: Changes = {}
    for field in ("content", "photos"):
        if field in kept:
            paths = found.find("content")
            changes[field] = paths[0] if field == "content" else paths
        content = changes.get(field, getattr(command, field, None))
        for path in content if isinstance(content, tuple) else (content,):
            if path is not None:
                found.beside(path)
    for field in kept:
        if field not in ("content", "photos"):
            changes[field] = found.find("styles" if field == "texture" else field)
    return changes


def _solved(command: Transfer | Sweep, found: RecordedFiles, arguments: Sequence[str]) -> Changes:
    """Weights, start and what is to stay of a transfer or a sweep."""
    changes = Changes()
    repeated, picture = found.repeated, command.options.picture
    # Weights of another network than the one that is asked for would be of no use.
    same = command.network in (None, repeated.network)
    if command.weights is None and same:
        changes["weights"] = found.weights()
    if repeated.files["keep"] and command.keep is None and not isinstance(command, Demo):
        (changes["keep"],) = found.find("keep")
    # A preset has a start of its own.
    same = picture.init == repeated.options.picture.init and not is_given(arguments, "--init")
    if repeated.files["init"] and same:
        (start,) = found.find("init")
        changes["options"] = replace(command.options, picture=replace(picture, init=str(start)))
    return changes


def _universal(command: Universal, found: RecordedFiles) -> Changes:
    """Weights of the encoder and the decoders."""
    changes = Changes()
    if command.weights is None:
        changes["weights"] = found.weights()
    if command.decoders is None:
        (decoders,) = found.repeated.files["decoders"]
        (changes["decoders"],) = found.find("decoders", [bundled_folder() / decoders.name])
    return changes


def _applied(command: Apply, found: RecordedFiles, arguments: Sequence[str]) -> Changes:
    """The network of the styles, and the photograph whose statistics are held."""
    repeated, changes = found.repeated, Changes()
    if repeated.files["held"] and command.options.picture.hold_statistics == "first":
        (changes["held"],) = found.find("held")
    if not is_given(arguments, "--style"):
        changes["options"] = _with_styles(command.options, found)
    return changes


def _with_styles(options: ApplySettings, found: RecordedFiles) -> ApplySettings:
    """The styles with the file that has them, the shipped one where none is named."""
    styles, (painter,) = options.paint.style, found.repeated.files["painter"]
    if not any(STYLE_SUFFIX in style for style in styles):
        found.expected.append((bundled_painter(), painter.sha256))
        return options
    (path,) = found.find("painter")
    names = [style_in_file(style) for style in styles]
    named = tuple(f"{path}:{name}" if name else str(path) for name in names)
    return replace(options, paint=replace(options.paint, style=named))


def _enlarged(command: Upscale, found: RecordedFiles, arguments: Sequence[str]) -> Changes:
    """The network that enlarges; with another one its own factor, if none is given."""
    upscale, then = command.options.upscale, found.repeated.options.upscale
    if command.weights is None:
        # A network of another factor than the one that is asked for would be of no use.
        if upscale.factor != then.factor:
            return {}
        (network,) = found.repeated.files["enlarger"]
        (path,) = found.find("enlarger", [bundled_folder() / network.name])
        return {"weights": path}
    if is_given(arguments, "--factor"):
        return {}
    return {"options": replace(command.options, upscale=replace(upscale, factor=0))}


def with_recorded_files(
    command: Command, repeated: Repeated, names: Names, arguments: Sequence[str]
) -> Command:
    """The command with the files of the record that are not given on the line.

    Args:
        command: as it was parsed.
        repeated: the record.
        names: the fields that it has given defaults for, with these very defaults.
        arguments: the line.

    Raises:
        InputError: one of them is not where it is looked for.
    """
    found = RecordedFiles(repeated)
    if isinstance(command, Transfer | Sweep):
        # The demo has its own pictures.
        changes = {} if isinstance(command, Demo) else _pictures(command, found, names)
        changes |= _solved(command, found, arguments)
    elif isinstance(command, Universal):
        changes = _pictures(command, found, names) | _universal(command, found)
    elif isinstance(command, Apply):
        changes = _pictures(command, found, names) | _applied(command, found, arguments)
    elif isinstance(command, Upscale):
        changes = _pictures(command, found, names) | _enlarged(command, found, arguments)
    else:
        return command
    return replace(command, **changes, expected=tuple(found.expected))
