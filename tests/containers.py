"""Writing weight files as other libraries do, without them: for tests that run everywhere.

torch's three containers are written opcode for opcode as torch writes them, with stand-ins for its
classes in the pickle; `tests/test_torch_files.py` has torch itself read them where it is installed.
"""

import contextlib
import io
import pickle
import struct
import sys
import tarfile
import types
import zipfile
from collections import OrderedDict

import numpy as np

from stylejax.options import NetworkName
from stylejax.weights.formats.state_dict import vgg_shapes
from stylejax.weights.names import expected_shapes

STORAGES = {
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
}


def random_state_dict(network: NetworkName = "densenet121", seed=0, batch_norm=False):
    """Random numbers that keep feature maps of order one, in torchvision's names and order."""
    random = np.random.default_rng(seed)
    shapes = expected_shapes() if network == "densenet121" else vgg_shapes(network, batch_norm)
    tensors = {}
    for key, shape in shapes.items():
        if len(shape) == 4:
            deviation = np.sqrt(2.0 / np.prod(shape[1:]))
            value = random.normal(0.0, deviation, shape)
        elif key.endswith(("running_var", "weight")):
            value = random.uniform(0.5, 1.5, shape)
        else:
            value = random.normal(0.0, 0.3, shape)
        tensors[key] = value.astype(np.float32)
    return tensors


class _Storage:
    def __init__(self, key, data):
        self.key, self.data = key, np.ascontiguousarray(data)


class _Tensor:
    """Pickled as a call of torch's function that makes a tensor from a storage."""

    def __init__(self, storage, shape, strides, offset=0):
        self.storage, self.shape, self.strides, self.offset = storage, shape, strides, offset

    def __reduce__(self):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        arguments = (self.storage, self.offset, self.shape, self.strides, False, OrderedDict())
        return rebuild, arguments


def _element_strides(array):
    return tuple(step // array.itemsize for step in array.strides)


@contextlib.contextmanager
def _stand_ins():
    """Modules of torch's names, so that pickle can write references to them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in {*STORAGES.values(), "FloatTensor", "LongTensor"}:
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError("only to be named")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils.__dict__["_rebuild_tensor_v2"] = _rebuild_tensor_v2
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules |= {"torch": torch, "torch._utils": utils}
    try:
        yield torch
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _pickled(value, legacy):
    """The pickle, and the storages it refers to."""
    storages = {}
    with _stand_ins() as torch:

        class Pickler(pickle.Pickler):
            def persistent_id(self, obj):
                if not isinstance(obj, _Storage):
                    return None
                storages[obj.key] = obj.data
                kind = getattr(torch, STORAGES[obj.data.dtype.name])
                reference = ("storage", kind, obj.key, "cpu", obj.data.size)
                return (*reference, None) if legacy else reference

        buffer = io.BytesIO()
        Pickler(buffer, protocol=2).dump(value)
    return buffer.getvalue(), storages


def _tensors(state):
    return OrderedDict(
        (
            key,
            _Tensor(_Storage(str(number), array), array.shape, _element_strides(array))
            if isinstance(array, np.ndarray)
            else array,
        )
        for number, (key, array) in enumerate(state.items())
    )


def write_torch_zip(path, state, byteorder=b"little"):
    """The container since torch 1.6; values that are no arrays are pickled as they are."""
    pickled, storages = _pickled(_tensors(state), legacy=False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", byteorder)
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data.tobytes())
        archive.writestr("archive/version", b"3\n")
    return path


def _system_info():
    sizes = {"short": 2, "int": 4, "long": 4}
    return {"protocol_version": 1001, "little_endian": True, "type_sizes": sizes}


def write_torch_stream(path, state):
    """The container of 2017 to 2020: pickles, then each storage's length and numbers."""
    pickled, storages = _pickled(_tensors(state), legacy=True)
    with path.open("wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, _system_info()):
            file.write(pickle.dumps(value, protocol=2))
        file.write(pickled)
        keys = sorted(storages)
        file.write(pickle.dumps(keys, protocol=2))
        for key in keys:
            file.write(struct.pack("<q", storages[key].size))
            file.write(storages[key].tobytes())
    return path


def _tar_parts(state):
    with _stand_ins() as torch:
        storages = pickle.dumps(len(state), protocol=2)
        tensors = pickle.dumps(len(state), protocol=2)
        for number, array in enumerate(state.values()):
            kind = getattr(torch, STORAGES[array.dtype.name])
            storages += pickle.dumps((number, "cpu", kind), protocol=2)
            storages += struct.pack("<q", array.size) + array.tobytes()
            tensors += pickle.dumps((1000 + number, number, torch.FloatTensor), protocol=2)
            strides = _element_strides(array)
            tensors += struct.pack("<ii", array.ndim, 0)
            tensors += struct.pack(f"<{2 * array.ndim + 1}q", *array.shape, *strides, 0)
        storages += pickle.dumps([], protocol=2)

    class Reference:
        def __init__(self, number):
            self.number = number

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return str(obj.number) if isinstance(obj, Reference) else None

    buffer = io.BytesIO()
    references = ((key, Reference(1000 + number)) for number, key in enumerate(state))
    Pickler(buffer, protocol=2).dump(OrderedDict(references))
    info = pickle.dumps(_system_info(), protocol=2)
    return {"sys_info": info, "pickle": buffer.getvalue(), "tensors": tensors, "storages": storages}


def write_torch_tar(path, state):
    """The container before 2017: a tar archive of four members."""
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as archive:
        for name, content in _tar_parts(state).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


CONTAINERS = {
    "zip": write_torch_zip,
    "legacy stream": write_torch_stream,
    "tar": write_torch_tar,
}
