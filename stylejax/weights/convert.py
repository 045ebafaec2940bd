"""Weight files in every published form: recognize, check, write in stylejax's own form, describe.

What a file is, its content tells; its name only says which checksum it should have.
stylejax's own form is a safetensors file with torchvision's names, whose metadata hold the network,
preprocessing, epsilon, and where the numbers came from.
"""

import hashlib
import json
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import save

from stylejax.errors import ZIP_ERRORS, InputError
from stylejax.images.files import check_not_inputs, check_writable, replace_file
from stylejax.images.paths import is_folder, is_special, path_exists
from stylejax.options import NetworkName
from stylejax.weights.formats.keras import HDF5_START, read_keras
from stylejax.weights.formats.state_dict import keras_state_dict, standard_state_dict
from stylejax.weights.formats.torch import STREAM_START, read_torch
from stylejax.weights.read import manifest, read_tensors, read_weights
from stylejax.weights.zoo import (
    CAFFE,
    IMAGENET,
    Published,
    PublishedFile,
    published_files,
)

# The batch norms of keras.applications' DenseNet have this number, and files do not say so.
_KERAS_EPSILON = 1.001e-5
# The default of torch.nn.BatchNorm2d, which torchvision and timm leave as it is.
_TORCH_EPSILON = 1e-5
_OWN_ENTRIES = {"network", "mean", "standard_deviation", "epsilon", "stem_channels", "growth_rate"}
_STRANGERS = {
    b"<": "a web page, not weights: the address is wrong or wants a login",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself: run `git lfs pull`",
    b"\x80": "a pickle, but not as torch writes it: refused, since a pickle can run code",
    b"": "none of the known forms (safetensors, torch, Keras): is the name right?",
}


class Checksums(NamedTuple):
    """Of a whole file, in hexadecimal digits."""

    sha256: str
    md5: str


class WeightFile(NamedTuple):
    """A file that has been read, recognized and found whole.

    `tensors` are in stylejax's own form, `metadata` what is to be written beside them; `own` says
    that the file is in stylejax's own form already.
    """

    form: str
    network: NetworkName
    tensors: Mapping[str, np.ndarray]
    metadata: Mapping[str, str]
    checksums: Checksums
    published: Published | None
    own: bool = False


def checksums(path: Path) -> Checksums:
    """SHA-256 and MD5 of a file."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        return Checksums(sha256, hashlib.file_digest(file, "md5").hexdigest())


def check_name(name: str, sums: Checksums) -> None:
    """Refuse a file whose name promises a checksum that it has not.

    torchvision's names end in the first eight digits of the SHA-256; Keras's are known.

    Raises:
        InputError: the checksum is another one.
    """
    expected = {file.name: file for _, file in published_files()}.get(name)
    digits = re.search(r"-([0-9a-f]{8})\.pth?$", name)
    if expected is None and digits is not None:
        expected = PublishedFile(name, sha256=digits[1])
    if expected is not None and not expected.is_it(*sums):
        kind, wanted, seen = (
            ("sha256", expected.sha256, sums.sha256)
            if expected.sha256
            else ("MD5", expected.md5, sums.md5)
        )
        raise InputError(
            f"{kind} is {seen[:16]}..., that of the published {name} begins with {wanted[:16]}: "
            "truncated or changed, get it again"
        )


def _zip_form(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except ZIP_ERRORS as error:
        raise InputError("a truncated or damaged zip archive: get the file again") from error
    if "model.weights.h5" in names:
        return "keras"
    if any(name.split("/", 1)[-1] == "data.pkl" for name in names):
        return "zip"
    raise InputError("a zip archive, but neither torch's nor Keras's")


def recognized_form(path: Path) -> str:
    """What a file is by its content: `safetensors`, `keras`, or the name of a torch container.

    Raises:
        InputError: it is none of them.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith(HDF5_START):
        return "keras"
    if start.startswith(b"PK\x03\x04"):
        return _zip_form(path)
    if start.startswith(STREAM_START):
        return "legacy stream"
    # A tar header has its mark at byte 257; safetensors is the length of its JSON, then the JSON.
    if start[257:262] == b"ustar":
        return "tar"
    if start[8:9] == b"{":
        return "safetensors"
    if not start:
        raise InputError("is empty: get the file again")
    raise InputError(
        next(what for mark, what in _STRANGERS.items() if start.lstrip().startswith(mark))
    )


def _own_file(path: Path, metadata: Mapping[str, str], sums: Checksums) -> WeightFile:
    with path.open("rb") as file:
        file.seek(8 + struct.unpack("<Q", file.read(8))[0])
        # Behind the header: the numbers alone, whatever the metadata say.
        data = hashlib.file_digest(file, "sha256").hexdigest()
    if metadata.get("data_sha256", data) != data:
        raise InputError("the numbers are not those that were written: damaged, convert it again")
    network = read_weights(path).architecture.network
    tensors, _ = read_tensors(path)
    published = _identified(metadata.get("source_sha256", ""), metadata.get("source_md5", ""))
    return WeightFile("stylejax", network, tensors, metadata, sums, published, own=True)


def _identified(sha256: str, md5: str) -> Published | None:
    return next((known for known, file in published_files() if file.is_it(sha256, md5)), None)


def _metadata(
    network: NetworkName,
    form: str,
    source: str,
    sums: Checksums,
    published: Published | None,
) -> dict[str, str]:
    from_keras = "keras" in form.lower()
    # keras.applications has VGG as Caffe trained it, and DenseNet as torch did.
    preprocessing = CAFFE if from_keras and network != "densenet121" else IMAGENET
    if published is not None:
        preprocessing = published.preprocessing
    metadata = {
        "network": network,
        "mean": json.dumps(preprocessing.mean),
        "standard_deviation": json.dumps(preprocessing.standard_deviation),
        "source": source,
        "source_sha256": sums.sha256,
        "source_md5": sums.md5,
    }
    if network == "densenet121":
        metadata["epsilon"] = json.dumps(_KERAS_EPSILON if from_keras else _TORCH_EPSILON)
    if published is not None:
        metadata |= {"published": published.name, "licence": published.license}
    return metadata


def _read(path: Path, source: str, published: Published | None) -> WeightFile:
    sums = checksums(path)
    check_name(path.name, sums)
    form = recognized_form(path)
    if form == "safetensors":
        tensors, metadata = read_tensors(path)
        if _OWN_ENTRIES & metadata.keys():
            return _own_file(path, metadata, sums)
    elif form == "keras":
        form, layers = read_keras(path)
        tensors = keras_state_dict(layers)
    else:
        tensors = read_torch(path, form)
        form = f"torch state dict ({form})"
    network, tensors = standard_state_dict(tensors)
    published = published or _identified(*sums)
    if published is not None and published.network != network:
        raise InputError(f"holds {network}, expected {published.network}")
    metadata = _metadata(network, form, source, sums, published)
    return WeightFile(form, network, tensors, metadata, sums, published)


def read_weight_file(
    path: Path, source: str | None = None, published: Published | None = None
) -> WeightFile:
    """Read weights in whatever form, and check that they are whole.

    `source` is what is recorded as their origin, the file's name unless given. `published` is what
    the file is known to be; without it the checksum decides.

    Raises:
        InputError: the file is missing, damaged, of an unknown form, not one of the known networks,
            or wants to run code; the message names the file and the first key at fault.
    """
    if not path_exists(path):
        raise InputError(f"weights {path}: no such file; name a weight file")
    if is_folder(path) or is_special(path):
        what = "a folder" if is_folder(path) else "a pipe or a device"
        raise InputError(f"weights {path}: is {what}; name a weight file")
    try:
        return _read(path, source or path.name, published)
    except (InputError, OSError) as error:
        message = str(error).removeprefix(f"weights {path}: ")
        raise InputError(f"weights {path}: {message}") from error


def weight_file_bytes(file: WeightFile) -> bytes:
    """A file in stylejax's own form; the same tensors and metadata give the same bytes."""
    content = save(dict(file.tensors))
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    # The library writes metadata in an order that changes from run to run.
    metadata = {**file.metadata, "data_sha256": hashlib.sha256(data).hexdigest()}
    text = json.dumps({"__metadata__": dict(sorted(metadata.items())), **header})
    # The numbers begin at a multiple of eight bytes, as the format recommends.
    encoded = text.encode() + b" " * (-len(text.encode()) % 8)
    return struct.pack("<Q", len(encoded)) + encoded + data


def convert_weights(path: Path, output: Path) -> WeightFile:
    """Write the weights of a file of any known form as a file that `--weights` takes.

    Raises:
        InputError: the file cannot be used, or the output not written; nothing is left then.
    """
    check_writable(output)
    check_not_inputs([output], [path])
    file = read_weight_file(path)
    if file.own:
        raise InputError(f"weights {path}: is in stylejax's form already; give it to --weights")
    replace_file(output, weight_file_bytes(file))
    return file


def describe_weights(path: Path) -> list[str]:
    """What a weight file is, in lines to print, after it has been checked throughout.

    Raises:
        InputError: it is damaged, incomplete, or no weight file.
    """
    file = read_weight_file(path)
    numbers = sum(tensor.size for tensor in file.tensors.values())
    lines = [
        f"{path}",
        f"  form     {file.form}",
        f"  network  {file.network}, whole: {len(file.tensors)} tensors, {numbers:,} numbers",
        f"  sha256   {file.checksums.sha256}",
    ]
    if "keras" in file.form.lower():
        lines.append(f"  MD5      {file.checksums.md5}")
    if file.own and "source" in file.metadata:
        origin = file.metadata.get("source_sha256", "unknown")
        lines.append(f"  made of  {file.metadata['source']} (sha256 {origin[:16]}...)")
    bundled = (
        name for name, entry in manifest()["files"].items() if entry["sha256"] == file.checksums[0]
    )
    known = file.published.name if file.published else file.metadata.get("published")
    known = known or next(bundled, "no: its checksum is that of no published file we know")
    return [*lines, f"  known    {known}"]
