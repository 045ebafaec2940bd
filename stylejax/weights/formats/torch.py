"""Reading state dicts that torch wrote, without torch and without running what a file asks for.

Three containers are in use: a zip archive (since torch 1.6), a stream of pickles followed by raw
storages (2017 on), and a tar archive (before that). Each describes its tensors in a pickle, a
language that can call any function. The unpickler here knows the handful of names that a state
dict is made of and refuses the file at the first other one, before anything is called. Storages
are read as raw little-endian numbers, and every tensor must lie within its storage.
Format: torch/serialization.py.
"""

import collections
import io
import math
import pickle
import pickletools
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stylejax.errors import InputError

# A pickle of that number is what a file of torch before 1.6 begins with.
STREAM_START = bytes.fromhex("80028a0a6cfc9c46f9206aa85019")
# MAGIC_NUMBER and PROTOCOL_VERSION of torch/serialization.py, and the pickles' own protocol.
_STREAM_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_PICKLE_PROTOCOL = 2
_STORED_TYPES = {
    "Double": "<f8",
    "Float": "<f4",
    "Half": "<f2",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "?",
}


# What a pickle gets in place of torch's classes. Tuples, because an opcode of the pickle language
# sets attributes of what it has been given, and these have none to set.
class _StorageType(NamedTuple):
    dtype: str


class _Storage(NamedTuple):
    key: str
    dtype: str
    start: int
    length: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _RebuildTensor(NamedTuple):
    def __call__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
        return _Tensor(storage, offset, shape, strides)


class _RebuildParameter(NamedTuple):
    def __call__(self, tensor: Any, *_: Any) -> Any:
        return tensor


_KNOWN_NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _RebuildTensor(),
    ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
    ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
}
for _name, _dtype in _STORED_TYPES.items():
    _KNOWN_NAMES["torch", f"{_name}Storage"] = _StorageType(_dtype)
    _KNOWN_NAMES["torch", f"{_name}Tensor"] = _StorageType(_dtype)


class _Unpickler(pickle.Unpickler):
    """Admits what a state dict is made of; `storages` collects those it refers to, by key."""

    def __init__(self, file: io.BytesIO, tensors: Mapping[int, _Tensor] | None = None) -> None:
        super().__init__(file)
        self.file = file
        self.storages: dict[str, _Storage] = {}
        self.tensors = tensors

    def load(self) -> Any:
        """Read a pickle, once its opcodes are known to be of the protocol that torch writes.

        Those of later ones, and a memo numbered beyond what can be in it, claim memory at will.
        """
        start = self.file.tell()
        for opcode, argument, position in pickletools.genops(self.file):
            memo = int(argument or 0) if opcode.name.endswith("PUT") else 0
            if opcode.proto > _PICKLE_PROTOCOL or memo > (position or 0):
                raise InputError("a pickle not as torch writes it: damaged, get the file again")
        self.file.seek(start)
        return super().load()

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Called for every name in the pickle, before it is used."""
        known = _KNOWN_NAMES.get((module_name, global_name))
        if known is None:
            named = " ".join(f"{module_name}.{global_name}".split())
            raise InputError(
                f"the pickle asks for {named}, which could run code: refused; "
                "only a plain state dict of tensors is read"
            )
        return known

    def persistent_load(self, pid: Any, /) -> Any:
        """A storage kept outside the pickle, or, in the tar container, a tensor."""
        if self.tensors is not None:
            return self.tensors[int(pid)]
        kind, storage_type, key, _, length, *view = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise InputError(f"the pickle refers to a {str(kind)[:40]!r}: only tensors are read")
        root = _Storage(str(key), storage_type.dtype, 0, _natural(length))
        self.storages[root.key] = root
        if view and view[0] is not None:
            _, start, size = view[0]
            return root._replace(start=_natural(start), length=_natural(size))
        return root


def _natural(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise InputError(f"the file gives {value!r} as a size or position: damaged, get it again")
    return value


def _array(key: str, tensor: Any, storages: Mapping[str, np.ndarray]) -> np.ndarray:
    """A tensor's numbers, once it is certain that they lie within its storage.

    A view and no copy: many tensors of one storage take no more memory than it does, and what of
    them is asked for is known to whoever knows the network.
    """
    if not isinstance(tensor, _Tensor) or not isinstance(tensor.storage, _Storage):
        raise InputError(f"key {key!r} is no tensor: only a plain state dict of tensors is read")
    storage = tensor.storage
    shape = tuple(_natural(side) for side in tensor.shape)
    strides = tuple(_natural(step) for step in tensor.strides)
    data = storages[storage.key][storage.start : storage.start + storage.length]
    if not math.prod(shape):
        return np.zeros(shape, data.dtype)
    steps = sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
    # A stride of zero could make a small storage look arbitrarily large.
    if _natural(tensor.offset) + steps >= data.size or math.prod(shape) > data.size:
        raise InputError(f"key {key!r} reaches past its storage: damaged, get the file again")
    in_bytes = tuple(step * data.itemsize for step in strides)
    return np.lib.stride_tricks.as_strided(data[tensor.offset :], shape, in_bytes, writeable=False)


def _arrays(state: Any, storages: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if not isinstance(state, dict):
        raise InputError("holds no state dict: save `model.state_dict()`, not the model")
    return {str(key): _array(str(key), tensor, storages) for key, tensor in state.items()}


def _numbers(data: Any, storage: _Storage) -> np.ndarray:
    if len(data) != storage.length * np.dtype(storage.dtype).itemsize:
        raise InputError(
            f"storage {storage.key!r} has {len(data)} bytes for {storage.length} numbers: "
            "truncated, get the file again"
        )
    return np.frombuffer(data, storage.dtype)


def _stored_length(stream: io.BytesIO) -> int:
    """A storage's own count of its numbers, which precedes them."""
    return _natural(struct.unpack("<q", stream.read(8))[0])


def _numbers_at(stream: io.BytesIO, storage: _Storage) -> np.ndarray:
    start = stream.tell()
    end = start + storage.length * np.dtype(storage.dtype).itemsize
    numbers = _numbers(stream.getbuffer()[start:end], storage)
    stream.seek(end)
    return numbers


def _check_system(info: Any) -> None:
    if not (info["protocol_version"] == _PROTOCOL and info["little_endian"] is True):
        raise InputError("written by an unknown version of torch or a big-endian machine")


def _read_zip(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        # Members may lie over each other: then they hold more than the file does.
        stored = [each for each in members.values() if each.compress_type == zipfile.ZIP_STORED]
        if sum(member.file_size for member in stored) > path.stat().st_size:
            raise InputError("its parts are larger than the file: damaged, get the file again")
        (pickled,) = [name for name in members if name.split("/", 1)[-1] == "data.pkl"]
        # The folder in the archive is called as the file was when it was saved.
        prefix = pickled.removesuffix("data.pkl")

        def read(name: str) -> bytes:
            member = members.get(prefix + name)
            if member is None:
                raise InputError(f"{name!r} is missing in the archive: get the file again")
            # torch never compresses; so what is read is bounded by the size of the file.
            if member.compress_type != zipfile.ZIP_STORED:
                raise InputError("a compressed archive: not as torch writes it")
            return archive.read(member)

        if prefix + "byteorder" in members and read("byteorder") != b"little":
            raise InputError("written on a big-endian machine: convert it with torch first")
        unpickler = _Unpickler(io.BytesIO(read("data.pkl")))
        state = unpickler.load()
        storages = {
            key: _numbers(read(f"data/{key}"), storage)
            for key, storage in unpickler.storages.items()
        }
    return _arrays(state, storages)


def _read_stream(path: Path) -> dict[str, np.ndarray]:
    stream = io.BytesIO(path.read_bytes())
    magic, protocol, info = (_Unpickler(stream).load() for _ in range(3))
    if (magic, protocol) != (_STREAM_MAGIC, _PROTOCOL):
        raise InputError("a pickle, but not one of torch's")
    _check_system(info)
    unpickler = _Unpickler(stream)
    state = unpickler.load()
    storages = {}
    # The storages follow in the order of this list.
    for key in _Unpickler(stream).load():
        storage = unpickler.storages[key]
        storages[key] = _numbers_at(stream, storage._replace(length=_stored_length(stream)))
        if storages[key].size != storage.length:
            raise InputError(f"storage {key!r} is not as long as announced: get the file again")
    if stream.read(1):
        raise InputError("goes on after its last storage: damaged, get the file again")
    return _arrays(state, storages)


def _read_tar(path: Path) -> dict[str, np.ndarray]:
    with tarfile.open(path, "r:") as archive:
        parts = {}
        for name in ("sys_info", "storages", "tensors", "pickle"):
            # A sparse member may be as long as its header says, whatever the file's length.
            if archive.getmember(name).issparse():
                raise InputError(f"{name} is sparse: not as torch writes it")
            member = archive.extractfile(name)
            assert member is not None
            parts[name] = io.BytesIO(member.read())
    _check_system(_Unpickler(parts["sys_info"]).load())

    stream = parts["storages"]
    kept: dict[int, _Storage] = {}
    storages: dict[str, np.ndarray] = {}
    for _ in range(_Unpickler(stream).load()):
        key, _, storage_type = _Unpickler(stream).load()
        kept[key] = _Storage(str(key), storage_type.dtype, 0, _stored_length(stream))
        storages[str(key)] = _numbers_at(stream, kept[key])
    # Storages that are a part of another one.
    for key, root, start, length in _Unpickler(stream).load():
        kept[key] = kept[root]._replace(start=_natural(start), length=_natural(length))

    stream = parts["tensors"]
    tensors: dict[int, _Tensor] = {}
    for _ in range(_Unpickler(stream).load()):
        key, storage_key, _ = _Unpickler(stream).load()
        # The rank is a 32-bit number, followed by four bytes without meaning.
        (rank,) = struct.unpack("<i4x", stream.read(8))
        # No network here has more than four; a wild number would ask for wild amounts of memory.
        if not 0 <= rank <= 8:
            raise InputError(f"a tensor of {rank} dimensions: damaged, get the file again")
        numbers = struct.unpack(f"<{2 * rank + 1}q", stream.read(8 * (2 * rank + 1)))
        tensors[key] = _Tensor(kept[storage_key], numbers[-1], numbers[:rank], numbers[rank:-1])
    return _arrays(_Unpickler(parts["pickle"], tensors).load(), storages)


_READERS = {"zip": _read_zip, "legacy stream": _read_stream, "tar": _read_tar}


def read_torch(path: Path, container: str) -> dict[str, np.ndarray]:
    """Read a state dict from one of torch's containers: `zip`, `legacy stream` or `tar`.

    Raises:
        InputError: the file is truncated or damaged, or its pickle names anything but what a
            state dict of tensors is made of; nothing of it has been run then.
    """
    try:
        return _READERS[container](path)
    except InputError:
        raise
    except Exception as error:  # A damaged pickle can fail in any way.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"not a whole torch file ({reason}): get it again") from error
