"""Rows of metadata: records of other programs and commands, edited, cut and of other types."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from campaigns.inputs_files import picture
from campaigns.rows import Row
from stylejax.feedforward.options import ApplyOptions, ApplySettings
from stylejax.images.write import write_picture
from stylejax.options import Options, flatten_options
from stylejax.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from stylejax.runs.painters import bundled_painter
from stylejax.universal.decoder_weights import BUNDLED
from stylejax.universal.options import UniversalSettings
from stylejax.version import VERSION
from stylejax.weights.read import bundled_folder, default_weights

Record = dict[str, Any]
_WRONG: tuple[Any, ...] = (None, True, 1, 1.5, "x", [], [1], {}, {"a": 1}, [None], [[]])
"""Values of every type that JSON has."""


def _file(path: Path) -> dict[str, str]:
    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _records() -> dict[str, Record]:
    """A whole record of each command, as the product writes it."""
    content, style = Path("content.png"), Path("style.png")
    common: Record = {
        "stylejax": VERSION,
        "content": _file(content),
        "styles": [_file(style)],
        "weights": {**_file(default_weights()), "network": "densenet121"},
        "versions": {"jax": "0.0.1"},
        "device": "cpu",
    }
    decoders = {"decoders": _file(bundled_folder() / BUNDLED)}
    painted = {"painter": _file(bundled_painter())}
    flat = ApplySettings(ApplyOptions(("scream",))).flat
    # Learned styles are in the network's file.
    other = {key: value for key, value in common.items() if key not in ("styles", "weights")}
    return {
        "transfer": {**common, "options": flatten_options(Options())},
        "universal": {
            **common,
            **decoders,
            "method": "universal",
            "options": UniversalSettings().flat,
        },
        "apply": {**other, **painted, "method": "apply", "options": flat},
    }


def _picture_with(name: str, text: str) -> str:
    write_picture(Path(name), picture(), description=text)
    return name


def _line(command: str, like: str) -> tuple[str, ...]:
    return (command, "--like", like, "-o", "out.png", "--quiet")


def _is_texture(record: Record, key: str, value: object) -> bool:
    return record.get("method") == "universal" and key == "content" and value is None


def _edited(record: Record) -> Iterator[tuple[str, Record]]:
    """The record with one thing changed that makes it another or none."""
    for key in record:
        if key not in ("versions", "device", "stylejax", "method"):
            for value in _WRONG:
                # Options that a record lacks have their defaults: earlier versions had fewer.
                if (key, value) != ("options", {}) and not _is_texture(record, key, value):
                    yield f"{key}={json.dumps(value)}", record | {key: value}
    for option, right in record["options"].items():
        for value in ({"a": 1}, [[1]], None, True, "x" if isinstance(right, float | int) else 7):
            # A switch is true or false.
            if not (isinstance(right, bool) and value is True):
                options = record["options"] | {option: value}
                yield f"{option}={json.dumps(value)}", record | {"options": options}
    for name in ("../content.png", "/etc/passwd", "", ".", "..", "a\nb.png", "a\0.png"):
        yield f"content called {name!r}", record | {"content": record["content"] | {"name": name}}
    for sha256 in ("", "0" * 63, "z" * 64, 5):
        entry = record["content"] | {"sha256": sha256}
        yield f"content of {sha256!r}", record | {"content": entry}
    gone = record["content"] | {"name": "gone.png"}
    yield "content that is gone", record | {"content": gone}
    changed = record["content"] | {"sha256": "0" * 64}
    yield "content that has changed", record | {"content": changed}
    yield "an option of a later version", record | {"options": record["options"] | {"glow": 1}}
    yield "a method of a later version", record | {"method": "diffusion"}
    for method in (1, None, [], {}):
        yield f"method={method}", record | {"method": method}


def metadata_rows() -> Iterator[Row]:
    """Records that cannot be repeated, and texts that are none."""
    records = _records()
    for command, record in records.items():
        for number, (name, other) in enumerate(_edited(record)):
            like = _picture_with(f"{command}-{number}.png", json.dumps(other))
            yield Row(f"{command}, {name}", _line(command, like), ".png")
        whole = _picture_with(f"{command}.png", json.dumps(record))
        for other in records:
            if other != command:
                reason = f"was made by `stylejax {command}`"
                yield Row(f"{command} repeated by {other}", _line(other, whole), reason)
        yield Row(f"show {command}", ("show", whole))
    for number, text in enumerate(_TEXTS):
        like = _picture_with(f"text-{number}.png", text)
        for command in records:
            reason = "holds no stylejax settings"
            yield Row(f"{command}, {text[:30]!r}", _line(command, like), reason)
        yield Row(f"show {text[:30]!r}", ("show", like), "holds no stylejax settings")
    yield from _mask_rows(records["transfer"])
    yield from _checkpoint_rows()


_TEXTS = (
    "",
    "A photograph of a cat",
    "{",
    '{"stylejax": "0.1.0", "content": {"na',
    "[1, 2]",
    "null",
    '{"prompt": "a cat", "steps": 20}',
    "[" * 5000,
    '{"a":' * 2000,
    '"stylejax"',
    "Steps: 20, Sampler: Euler a, CFG scale: 7",
    "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    "1" * 5000,
)


def _mask_rows(record: Record) -> Iterator[Row]:
    """Masks and a start that were recorded, and are gone or changed by now."""
    write_picture(Path("here.png"), np.ones((64, 64, 3), np.float32))
    here, gone = _file(Path("here.png")), {"name": "nowhere.png", "sha256": "0" * 64}
    changed = here | {"sha256": "1" * 64}
    started = {"options": record["options"] | {"init": "here.png"}}
    cases: dict[str, tuple[Record, str]] = {
        "a mask is gone": ({"content_masks": [gone]}, "nowhere.png"),
        "a mask has changed": ({"content_masks": [changed]}, "is not the file"),
        "a style mask is gone": ({"content_masks": [here], "style_masks": [gone]}, "nowhere.png"),
        "a style mask has changed": (
            {"content_masks": [here], "style_masks": [changed]},
            "is not the file",
        ),
        "the start is gone": ({"init": gone} | started, "nowhere.png"),
        "the start has changed": ({"init": changed} | started, "is not the file"),
        "a start without a checksum": (started, "checksum"),
        "weights are gone": ({"weights": gone | {"network": "densenet121"}}, "nowhere.png"),
        "weights have changed": (
            {"weights": record["weights"] | {"sha256": "2" * 64}},
            "is not the file",
        ),
    }
    for number, (name, (change, reason)) in enumerate(cases.items()):
        like = _picture_with(f"masked-{number}.png", json.dumps(record | change))
        yield Row(name, _line("transfer", like), reason)
        yield Row(f"{name}, in a sweep", ("sweep", "--like", like, "-o", "out"), reason)


_SETTINGS: Record = {"stylejax": VERSION, "options": {"size": 64}, "versions": {"jax": "1"}}


def _loaded(path: Path, **changes: object) -> Checkpoint:
    return load_checkpoint(path, _SETTINGS | changes, 2)


def _checkpoint_rows() -> Iterator[Row]:
    """Checkpoints with changed bytes, cut off, exchanged, and of another run."""
    history = {"iteration": np.arange(3), "loss": np.ones(3)}
    leaves = [np.arange(12, dtype=np.float32), np.zeros((3, 4), np.float32)]
    path = Path("whole.npz")
    save_checkpoint(path, _SETTINGS, Checkpoint(1, leaves, history))
    whole = path.read_bytes()
    yield Row("a whole checkpoint", lambda: _loaded(path).level == 1)
    yield Row(
        "after an upgrade", lambda: "jax 1, now 2" in _loaded(path, versions={"jax": "2"}).upgrade
    )
    yield Row("of another run", lambda: _loaded(path, options={"size": 65}), "belongs to another")
    numbers = np.random.default_rng(0)
    damaged = {f"cut at {n}": whole[:n] for n in range(0, len(whole), len(whole) // 20)}
    for place in numbers.integers(0, len(whole), 30):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(numbers.integers(0, 8))
        damaged[f"bit at {place}"] = bytes(changed)
    for _ in range(10):
        one, two = sorted(numbers.integers(0, len(whole) - 64, 2))
        swapped = bytearray(whole)
        swapped[one : one + 64], swapped[two : two + 64] = (
            whole[two : two + 64],
            whole[one : one + 64],
        )
        damaged[f"{one} and {two} exchanged"] = bytes(swapped)
    for number, (name, content) in enumerate(damaged.items()):
        other = Path(f"checkpoint-{number}.npz")
        other.write_bytes(content)
        # A changed bit may be one that means nothing, as the date of a part.
        yield Row(f"checkpoint, {name}", lambda other=other: _refused_or_equal(other, leaves))


def _refused_or_equal(path: Path, leaves: list[np.ndarray]) -> bool:
    from stylejax.errors import InputError

    try:
        state = _loaded(path).state
    except InputError as error:
        return "\n" not in str(error)
    assert isinstance(state, list)
    return all(np.array_equal(one, two) for one, two in zip(state, leaves, strict=True))
