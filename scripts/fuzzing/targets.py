"""The readers that are fuzzed: each takes a file's bytes, and nothing but InputError may come out.

Seeds are small files made by program. Where a file is an archive whose checksums would refuse any
changed byte, its members are changed and it is packed anew.
"""

import io
import json
import pickle
import random
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from stylejax.errors import InputError
from stylejax.feedforward.options import settings_from_flat as apply_from_flat
from stylejax.images.read import MINIMUM_SIDE, read_description, read_picture
from stylejax.options import Options, flatten_options, options_from_flat
from stylejax.runs import checkpoint, metadata, repeated
from stylejax.runs.painter_file import read_painter
from stylejax.solvers.state import SolverState, first_state
from stylejax.universal.decoder_weights import read_decoders
from stylejax.universal.options import UniversalSettings
from stylejax.universal.options import settings_from_flat as universal_from_flat
from stylejax.universal.style_file import read_style
from stylejax.weights.convert import read_weight_file
from stylejax.weights.read import read_weights
from stylejax.weights.write import tensor_bytes

LARGEST_PICTURE = 2**20
"""Pixels: larger ones are refused while fuzzing, which would spend its time on decoding them."""
_SUMS = "0" * 64


class Target(NamedTuple):
    """A reader under test: what it does with a file, and files to begin from."""

    read: Callable[[Path], object]
    seeds: Callable[[], Iterator[bytes]]


def _read_pictures(path: Path) -> None:
    Image.MAX_IMAGE_PIXELS = LARGEST_PICTURE
    read_picture(path)


def _picture_seeds() -> Iterator[bytes]:
    numbers = np.random.default_rng(0)
    color = Image.fromarray(numbers.integers(0, 256, (18, 20, 3), np.uint8))
    deep = Image.fromarray(numbers.integers(0, 2**16, (18, 20), np.uint16))
    pictures = {
        "PNG": [color, color.convert("P"), color.convert("LA"), color.convert("1"), deep],
        "JPEG": [color, color.convert("L"), color.convert("CMYK")],
        "TIFF": [color, deep, color.convert("CMYK"), color.convert("1")],
        "WEBP": [color],
        "GIF": [color],
        "BMP": [color],
        "AVIF": [color],
    }
    for kind, each in pictures.items():
        for picture in each:
            file = io.BytesIO()
            try:
                picture.save(file, kind)
            except (KeyError, OSError):  # Not every Pillow writes every kind.
                continue
            yield file.getvalue()


def _read_metadata(path: Path) -> None:
    """A file's own description, or the bytes themselves as the text of one."""
    content = path.read_bytes()
    if content[:1] in (b"{", b"["):
        text = content.decode("utf-8", "surrogateescape")
        metadata.read_description = lambda path: text
        for method, from_flat in _METHODS.items():
            try:
                repeated.repeat_record(path, method, from_flat)
            except InputError as error:
                _check_line(error)
        record = metadata.read_record(path)
        json.dumps(metadata.decisive(record))
        metadata.upgrade_of(record, {"versions": {"jax": "1"}})
    else:
        read_description(path)


_METHODS: dict[str, Callable[..., Any]] = {
    metadata.TRANSFER: options_from_flat,
    metadata.UNIVERSAL: universal_from_flat,
    metadata.APPLY: apply_from_flat,
}


def _metadata_seeds() -> Iterator[bytes]:
    file = {"name": "a.png", "sha256": _SUMS}
    record = {
        "stylejax": "0.1.0",
        "content": file,
        "styles": [file],
        "content_masks": [file],
        "weights": {**file, "network": "densenet121"},
        "options": flatten_options(Options()),
        "versions": {"jax": "0.10.2"},
        "device": "cpu",
    }
    yield json.dumps(record).encode()
    other = {"method": "universal", "decoders": file, "options": UniversalSettings().flat}
    yield json.dumps(record | other).encode()
    painted = {"style": ["a.safetensors:b"], "strength": 0.5, "size": 0}
    yield json.dumps(record | {"method": "apply", "painter": file, "options": painted}).encode()
    yield from _picture_seeds()


def _state() -> SolverState:
    zeros = jnp.zeros((2, 3, 3))
    return first_state(zeros, jnp.zeros(()), {"content": jnp.zeros(())}, (zeros, zeros))


_SETTINGS = {"stylejax": "0.1.0", "options": {"size": 64}, "versions": {"jax": "1"}}


def _read_checkpoints(path: Path) -> None:
    found = checkpoint.load_checkpoint(path, _SETTINGS, 2)
    if isinstance(found.state, list):
        checkpoint.restore_state(found.state, jax.eval_shape(_state))


def _checkpoint_seeds() -> Iterator[bytes]:
    history = {"iteration": np.arange(3), "loss": np.ones(3), "evaluations": np.arange(3)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.npz"
        for saved in (
            checkpoint.Checkpoint(1, None, {}),
            checkpoint.Checkpoint(2, _state(), history),
        ):
            checkpoint.save_checkpoint(path, _SETTINGS, saved)
            yield path.read_bytes()


def _read_weights(path: Path) -> None:
    readers: list[Callable[[Path], object]] = [
        read_weight_file,
        read_weights,
        read_painter,
        read_decoders,
        lambda path: read_style(path, encoder=_SUMS),
    ]
    for read in readers:
        try:
            read(path)
        except InputError as error:
            _check_line(error)


def _weight_seeds() -> Iterator[bytes]:
    tensors = {
        "features.conv0.weight": np.ones((4, 3, 7, 7), np.float32),
        "b": np.ones(4, np.float16),
    }
    own = {"network": "densenet121", "mean": "[0.4, 0.5, 0.6]", "epsilon": "1e-5"}
    record = json.dumps({"styles": ["a", "b"], "width": 0.5, "steps": 3, "progress": 0.1})
    yield tensor_bytes(tensors, {})
    yield tensor_bytes(tensors, own | {"stem_channels": "4", "growth_rate": "2"})
    yield tensor_bytes(tensors, {"what": "stylejax painter", "version": "1", "record": record})
    yield tensor_bytes(tensors, {"format": "stylejax-decoders-1", "encoder": _SUMS, "steps": "5"})
    yield tensor_bytes(tensors, {"format": "stylejax-style-1", "encoder": _SUMS})
    # torch's containers, opcode for opcode: a dictionary of one tensor of two numbers.
    storage = b"((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x02t"
    whole = (
        b"\x80\x02}X\x01\0\0\0ac"
        + b"torch._utils\n_rebuild_tensor_v2\n"
        + storage
        + b"QK\0(K\x02t(K\x01t\x89ccollections\nOrderedDict\n)RtRs."
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", whole)
        file.writestr("archive/data/0", np.ones(2, np.float32).tobytes())
    yield archive.getvalue()
    info = {"protocol_version": 1001, "little_endian": True}
    parts = [pickle.dumps(each, protocol=2) for each in (0x1950A86A20F9469CFC6C, 1001, info)]
    stream = b"".join(parts) + whole + pickle.dumps(["0"], protocol=2)
    yield stream + struct.pack("<q", 2) + np.ones(2, np.float32).tobytes()
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:") as file:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            content = parts[2] if name == "sys_info" else pickle.dumps(0, protocol=2)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    yield tar.getvalue()


TARGETS = {
    "pictures": Target(_read_pictures, _picture_seeds),
    "metadata": Target(_read_metadata, _metadata_seeds),
    "checkpoints": Target(_read_checkpoints, _checkpoint_seeds),
    "weights": Target(_read_weights, _weight_seeds),
}
"""By the name on the line."""


def _check_line(error: InputError) -> None:
    assert str(error) and "\n" not in str(error), f"not one line: {error}"


def run_target(target: Target, path: Path, content: bytes) -> None:
    """Read a file of this content.

    Raises:
        Exception: any but InputError is a finding.
    """
    path.write_bytes(content)
    try:
        target.read(path)
    except InputError as error:
        _check_line(error)


def repacked(content: bytes, mutate: Callable[[bytes], bytes], seed: int) -> bytes | None:
    """An archive with one member changed or two exchanged; None where it is no archive."""
    chance, packed = random.Random(seed), io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        names = list(parts)
        if not names or sum(map(len, parts.values())) > 2**20:
            return None
        one, two = chance.choice(names), chance.choice(names)
        if chance.random() < 0.2:
            parts[one], parts[two] = parts[two], parts[one]
        else:
            parts[one] = mutate(parts[one])
        with zipfile.ZipFile(packed, "w") as archive:
            for name, part in parts.items():
                archive.writestr(zipfile.ZipInfo(name), part)
    except Exception:  # Damaged in one of the many ways.
        return None
    return packed.getvalue()


assert MINIMUM_SIDE <= 18, "the seeds would be refused for their size alone"
