"""Rows of weight files: damaged, foreign, evil, of another network, for all that read them."""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from campaigns.rows import Row
from stylejax.runs.painters import bundled_painter
from stylejax.universal.decoder_weights import BUNDLED
from stylejax.weights.read import bundled_folder, read_tensors
from stylejax.weights.write import tensor_bytes

_PAIR = ("content.png", "style.png")


def readers(name: str) -> dict[str, tuple[str, ...]]:
    """Command lines that read a file as weights of a network of one kind or another."""
    output = ("-o", "out.png", "--quiet")
    training = ("train", "style", "style.png", "--photos", "photos", "--steps", "1")
    return {
        "verify": ("weights", "verify", name),
        "convert": ("weights", "convert", name, "-o", "converted.safetensors"),
        "transfer": ("transfer", *_PAIR, "--weights", name, *output),
        "universal": ("universal", *_PAIR, "--weights", name, *output),
        "decoders": ("universal", *_PAIR, "--decoders", name, *output),
        "styles": ("styles", name),
        "figure": ("reconstruct", "--style", "style.png", "--weights", name, *output),
        "base": (*training, "--base", name, "-o", "out.safetensors", "--quiet"),
        "resume": (*training, "--resume", name, "-o", "out.safetensors", "--quiet"),
    }


class _Mkdir:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.mkdir, ("trace",)


def _torch_zip(pickled: bytes, **parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, content in parts.items():
            archive.writestr(f"archive/data/{name.removeprefix('part')}", content)
    return file.getvalue()


def many_views(keys: int, side: int) -> bytes:
    """A torch file of one storage, seen turned over by each of many keys: small, until copied."""
    storage = (
        b"((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuJ"
        + struct.pack("<i", side * side)
        + b"tQ"
    )
    turned = b"(J" + struct.pack("<i", side) + b"J" + struct.pack("<i", side) + b"t"
    turned += b"(K\x01J" + struct.pack("<i", side) + b"t"
    body = b"\x80\x02}("
    for key in range(keys):
        name = f"features.{key}.weight".encode()
        body += b"X" + struct.pack("<I", len(name)) + name
        body += b"ctorch._utils\n_rebuild_tensor_v2\n" + storage + b"K\x00" + turned
        body += b"\x89ccollections\nOrderedDict\n)RtR"
    return _torch_zip(body + b"u.", part0=bytes(4 * side * side))


def _header(text: str, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text.encode() + data


def _files() -> dict[str, bytes]:
    """Files that no reader takes."""
    bundled = (bundled_folder() / "densenet121-random.safetensors").read_bytes()
    tensors = load_file(bundled_folder() / "densenet121-random.safetensors")
    widths = {"stem_channels": "8", "growth_rate": "4", "network": "densenet121"}
    broken = dict(tensors) | {"features.norm0.weight": np.full(8, np.nan, np.float16)}
    lacking = {name: each for name, each in tensors.items() if name != "features.norm0.weight"}
    signed = tensor_bytes(tensors, widths)
    flipped = bytearray(signed)
    flipped[-1000] ^= 4
    floats = '{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}'
    return {
        "empty.safetensors": b"",
        "text.safetensors": b"These are not the weights.\n" * 20,
        "page.pth": b"<html>log in</html>",
        "pointer.pth": b"version https://git-lfs.github.com/spec/v1\n",
        "pickle.pth": pickle.dumps({"a": 1}),
        "evil.pth": _torch_zip(pickle.dumps(_Mkdir(), protocol=2)),
        "evil-model.pth": _torch_zip(b"\x80\x02cbuiltins\neval\n(X\x01\0\0\x001tR."),
        "list.pth": _torch_zip(pickle.dumps([1], protocol=2)),
        "views.pth": many_views(50, 200),
        "zip.pth": _torch_zip(b""),
        "photograph.pth": Path("content.png").read_bytes(),
        "keras.h5": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "start.safetensors": bundled[:1000],
        "cut.safetensors": bundled[:-1],
        "long.safetensors": bundled + b"x",
        "huge-header.safetensors": struct.pack("<Q", 2**60) + b"{}",
        "deep-header.safetensors": _header("[" * 3000),
        "list-header.safetensors": _header("[]"),
        "float8.safetensors": _header(floats, bytes(4)),
        "nothing.safetensors": _header("{}"),
        "flipped.safetensors": bytes(flipped),
        "nan.safetensors": tensor_bytes(broken, widths),
        "lacking.safetensors": tensor_bytes(lacking, widths),
        "widths.safetensors": tensor_bytes(tensors, {}),
        "unknown.safetensors": tensor_bytes(tensors | {"head": np.ones(3)}, widths),
        "complex.safetensors": tensor_bytes(
            tensors | {"features.norm0.weight": np.ones(8, np.complex64)}, widths
        ),
        "network.safetensors": tensor_bytes(tensors, widths | {"network": "resnet50"}),
        "mean.safetensors": tensor_bytes(tensors, widths | {"mean": "[1, 2]"}),
        "deviation.safetensors": tensor_bytes(tensors, widths | {"standard_deviation": "[0,0,0]"}),
    }


def weight_rows() -> Iterator[Row]:
    """Every bad file for every reader, and files of one kind where another is asked for."""
    for name, content in _files().items():
        Path(name).write_bytes(content)
        for reader, line in readers(name).items():
            yield Row(f"{name} for {reader}", line, name)
    for reader, line in readers("gone.safetensors").items():
        yield Row(f"a missing file for {reader}", line, "gone.safetensors")
    for reader, line in readers("folder.png").items():
        yield Row(f"a folder for {reader}", line, "folder.png")
    yield from _painter_rows()
    yield from _statistics_rows()


def _painter_rows() -> Iterator[Row]:
    """Files of learned styles of other versions, or with a damaged record."""
    tensors, metadata = read_tensors(bundled_painter())
    metadata = {name: text for name, text in metadata.items() if name != "data_sha256"}
    record = json.loads(metadata["record"])
    some = dict(list(tensors.items())[1:])
    cases = {
        "later": (tensors, {"version": "2"}, "later version"),
        "versions": (tensors, {"version": "one"}, "damaged"),
        "what": (tensors, {"what": "a cat"}, "no weight file"),
        "no-record": (tensors, {"record": "{"}, "damaged"),
        "deep-record": (tensors, {"record": "[" * 9000}, "damaged"),
        "list-record": (tensors, {"record": "[]"}, "damaged"),
        "no-styles": (tensors, {"record": json.dumps(record | {"styles": []})}, "damaged"),
        "wide": (tensors, {"record": json.dumps(record | {"width": 1e9})}, "damaged"),
        "wordy": (tensors, {"record": json.dumps(record | {"width": "half"})}, "damaged"),
        "numbered": (tensors, {"record": json.dumps(record | {"styles": [1, 2]})}, "damaged"),
        "fewer": (tensors, {"record": json.dumps(record | {"styles": ["a"]})}, "fewer"),
        "part": (some, {}, "missing or unknown"),
        "training": (tensors, {"what": "stylejax painter in training"}, "checkpoint"),
    }
    for name, (parts, change, reason) in cases.items():
        path = Path(f"{name}.safetensors")
        path.write_bytes(tensor_bytes(parts, metadata | change))
        yield Row(f"styles, {name}", ("styles", str(path)), reason)
        line = ("apply", "content.png", "--style", f"{path}:scream", "-o", "out.png")
        yield Row(f"apply, {name}", line, reason)
    whole = bytearray(bundled_painter().read_bytes())
    whole[-100] ^= 1
    signed = bytearray(tensor_bytes(tensors, metadata))
    Path("own-styles.safetensors").write_bytes(signed)
    yield Row("styles of a file", ("styles", "own-styles.safetensors"))
    line = ("apply", "content.png", "--style", "own-styles.safetensors", "-o", "out.png")
    yield Row("which style of a file", line, "name one")
    mixed = (
        "apply",
        "content.png",
        "--style",
        "scream,own-styles.safetensors:udnie",
        "-o",
        "o.png",
    )
    yield Row("styles of two files", mixed, "do not mix")
    signed[-100] ^= 1
    Path("bit-styles.safetensors").write_bytes(signed)
    yield Row("styles with a flipped bit", ("styles", "bit-styles.safetensors"), "bit-styles")


def _statistics_rows() -> Iterator[Row]:
    """Kept statistics and decoders of another encoder, or damaged."""
    tensors, metadata = read_tensors(bundled_folder() / BUNDLED)
    some = dict(list(tensors.items())[1:])
    for name, (parts, change, reason) in {
        "other-decoders": (tensors, {"encoder": "1" * 64}, "trained on the encoder"),
        "form-decoders": (tensors, {"format": "stylejax-decoders-9"}, "not a file of decoders"),
        "part-decoders": (some, {}, "missing or damaged"),
        "step-decoders": (tensors, {"steps": "many"}, "damaged"),
    }.items():
        Path(f"{name}.safetensors").write_bytes(tensor_bytes(parts, metadata | change))
        line = ("universal", *_PAIR, "--decoders", f"{name}.safetensors", "-o", "out.png")
        yield Row(name, line, reason)
    kept = {"format": "stylejax-style-1"}
    for name, change, reason in (
        ("other-style", {"encoder": "1" * 64}, "statistics of the encoder"),
        ("form-style", {"format": "stylejax-style-9"}, "not a file of style statistics"),
        ("part-style", {"encoder": metadata["encoder"]}, "missing or damaged"),
    ):
        content = tensor_bytes({"a": np.ones(3, np.float32)}, kept | change)
        Path(f"{name}.safetensors").write_bytes(content)
        line = ("universal", "content.png", f"{name}.safetensors", "-o", "out.png")
        yield Row(name, line, reason)
