import io
import os
import pickle
import re
import struct
import tarfile
import tracemalloc
import zipfile
from collections import OrderedDict

import containers
import numpy as np
import pytest
from containers import CONTAINERS, write_torch_stream, write_torch_tar, write_torch_zip

from campaigns.inputs_weights import many_views
from stylejax.errors import InputError
from stylejax.weights.convert import recognized_form
from stylejax.weights.formats.torch import read_torch


def numbers(*shape, dtype="float32"):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape) - 3


def state_dict():
    return {
        "a.weight": numbers(4, 3, 2, 2),
        "a.bias": numbers(4, dtype="float64"),
        "b.half": numbers(5, dtype="float16"),
        "b.num_batches_tracked": np.array(7, "int64"),
        "b.empty": np.zeros((0, 3), "float32"),
    }


def assert_same(read, expected):
    assert list(read) == list(expected)
    for key, value in expected.items():
        assert read[key].dtype == value.dtype and read[key].shape == value.shape
        np.testing.assert_array_equal(read[key], value)


@pytest.mark.parametrize("container", CONTAINERS)
def test_each_container_is_recognized_and_read(tmp_path, container):
    path = CONTAINERS[container](tmp_path / "weights", state_dict())
    assert recognized_form(path) == container
    assert_same(read_torch(path, container), state_dict())


@pytest.mark.parametrize("container", CONTAINERS)
def test_torch_reads_what_the_tests_write(tmp_path, container):
    torch = pytest.importorskip("torch")
    path = CONTAINERS[container](tmp_path / "weights", state_dict())
    read = torch.load(path, weights_only=container != "tar")
    assert_same({key: tensor.numpy() for key, tensor in read.items()}, state_dict())


@pytest.mark.parametrize("as_zip", [True, False])
def test_what_torch_writes_is_read(tmp_path, as_zip):
    torch = pytest.importorskip("torch")
    state = OrderedDict((key, torch.from_numpy(value)) for key, value in state_dict().items())
    state["transposed"] = torch.arange(6.0).reshape(2, 3).T
    state["part"] = torch.arange(10.0)[3:7]
    state["shared"] = state["part"]
    state["parameter"] = torch.nn.Parameter(torch.ones(2))
    path = tmp_path / "weights.pth"
    torch.save(state, path, _use_new_zipfile_serialization=as_zip)
    form = recognized_form(path)
    assert form == ("zip" if as_zip else "legacy stream")
    expected = {key: tensor.detach().numpy() for key, tensor in state.items()}
    assert_same(read_torch(path, form), expected)


def test_the_pickle_is_torchs_to_the_byte(tmp_path):
    torch = pytest.importorskip("torch")
    state = OrderedDict((key, torch.from_numpy(value)) for key, value in state_dict().items())
    torch.save(state, tmp_path / "torchs.pth")
    write_torch_zip(tmp_path / "ours.pth", state_dict())
    pickles = []
    for name in ("torchs", "ours"):
        with zipfile.ZipFile(tmp_path / f"{name}.pth") as archive:
            (member,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
            pickles.append(archive.read(member))
    assert pickles[0] == pickles[1]


def test_state_dicts_with_torchs_own_attribute_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    read = read_torch(tmp_path / "weights.pth", "zip")
    assert_same(read, {key: tensor.numpy() for key, tensor in module.state_dict().items()})


class Call:
    """Pickled as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def trap(tmp_path):
    """A pickled value that leaves a file behind when it is loaded, and that file's path."""
    trace = tmp_path / "trace"
    return Call(os.mkdir, str(trace)), trace


def complaint(path, container):
    with pytest.raises(InputError) as error:
        read_torch(path, container)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("container", ["zip", "legacy stream"])
def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path, trap, container):
    evil, trace = trap
    state = {"a.weight": numbers(4)} | {"b.weight": evil}
    path = CONTAINERS[container](tmp_path / "weights", state)
    assert b"mkdir" in path.read_bytes()
    assert re.search(r"asks for (posix|nt)\.mkdir, which could run", complaint(path, container))
    assert not trace.exists()


@pytest.mark.parametrize("part", ["sys_info", "pickle", "tensors", "storages"])
def test_code_in_any_part_of_a_tar_is_refused(tmp_path, trap, monkeypatch, part):
    evil, trace = trap
    parts = containers._tar_parts({"a": numbers(2)}) | {part: pickle.dumps(evil, protocol=2)}
    monkeypatch.setattr(containers, "_tar_parts", lambda state: parts)
    path = write_torch_tar(tmp_path / "weights", {})
    assert "could run code" in complaint(path, "tar")
    assert not trace.exists()


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4])
def test_code_in_any_pickle_of_a_stream_is_refused(tmp_path, trap, at):
    evil, trace = trap
    honest = io.BytesIO(write_torch_stream(tmp_path / "weights", {"a": numbers(2)}).read_bytes())
    before = []
    for _ in range(at):
        start = honest.tell()
        containers_unpickler(honest)
        before.append(honest.getvalue()[start : honest.tell()])
    path = tmp_path / "evil"
    path.write_bytes(b"".join(before) + pickle.dumps(evil, protocol=2))
    assert "could run code" in complaint(path, "legacy stream")
    assert not trace.exists()


def containers_unpickler(stream):
    class Lenient(pickle.Unpickler):
        def find_class(self, module_name, global_name, /):
            return OrderedDict if global_name == "OrderedDict" else lambda *_: None

        def persistent_load(self, pid, /):
            return None

    return Lenient(stream).load()


@pytest.mark.parametrize("name", ["builtins eval", "builtins getattr", "torch load", "os system"])
def test_every_other_name_is_refused(tmp_path, name):
    module, attribute = name.split()
    named = f"\x80\x02c{module}\n{attribute}\n.".encode("latin-1")
    with zipfile.ZipFile(tmp_path / "weights", "w") as archive:
        archive.writestr("archive/data.pkl", named)
    assert f"asks for {module}.{attribute}" in complaint(tmp_path / "weights", "zip")


@pytest.mark.parametrize(
    "claim",
    [
        b"\x96" + struct.pack("<Q", 2**40),  # BYTEARRAY8
        b"\x8e" + struct.pack("<Q", 2**40),  # BINBYTES8
        b"Nr" + struct.pack("<I", 2**31 - 1) + b".",  # LONG_BINPUT
        b"Np2147483647\n.",  # PUT
    ],
)
def test_a_pickle_that_claims_much_memory_is_refused(tmp_path, capfd, claim):
    with zipfile.ZipFile(tmp_path / "weights", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + claim)
    assert complaint(tmp_path / "weights", "zip")
    assert capfd.readouterr().err == ""


def test_a_pickle_cannot_change_what_it_is_given(tmp_path):
    # BUILD sets attributes: here of the function that makes tensors.
    changes = pickle.dumps((None, {"__call__": 1, "__defaults__": (1,)}), protocol=2)[2:-1]
    named = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + changes + b"b."
    with zipfile.ZipFile(tmp_path / "weights", "w") as archive:
        archive.writestr("archive/data.pkl", named)
    complaint(tmp_path / "weights", "zip")
    good = write_torch_zip(tmp_path / "good", state_dict())
    assert_same(read_torch(good, "zip"), state_dict())


@pytest.mark.parametrize("container", CONTAINERS)
def test_truncated_at_every_place(tmp_path, container):
    whole = CONTAINERS[container](tmp_path / "weights", state_dict()).read_bytes()
    path = tmp_path / "short"
    # The end of a tar archive is filled up with zeros that carry nothing.
    end = len(whole) if container != "tar" else len(whole.rstrip(b"\0"))
    for length in range(1, end, 37):
        path.write_bytes(whole[:length])
        assert complaint(path, container)


@pytest.mark.parametrize("container", CONTAINERS)
def test_bytes_changed_anywhere_end_in_one_line_or_in_other_numbers(tmp_path, container):
    whole = CONTAINERS[container](tmp_path / "weights", state_dict()).read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "changed"
    for place in random.integers(0, len(whole), 300):
        changed = bytearray(whole)
        changed[place] ^= int(random.integers(1, 256))
        path.write_bytes(changed)
        try:
            read_torch(path, container)
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((3, 3), (3, 1), 0),
        ((2, 4), (4, 1), 1),
        ((1,), (1,), 8),
        ((2,), (8,), 0),
        ((4, 4), (0, 0), 0),
        ((2,), (-1,), 4),
        ((-2,), (1,), 0),
        ((2,), (1,), -1),
        ((2**40,), (0,), 0),
        ((2.0,), (1,), 0),
        ((2, 2), (1,), 0),
    ],
)
def test_a_tensor_must_lie_within_its_storage(tmp_path, monkeypatch, shape, strides, offset):
    storage = containers._Storage("0", numbers(8))
    tensor = containers._Tensor(storage, shape, strides, offset)
    assert complaint(write_torch_zip(tmp_path / "weights", {"a": tensor}), "zip")


def test_strides_and_offsets_within_the_storage(tmp_path):
    storage = containers._Storage("0", numbers(8))
    tensor = containers._Tensor(storage, (3, 2), (1, 3), 2)
    read = read_torch(write_torch_zip(tmp_path / "weights", {"a": tensor}), "zip")
    np.testing.assert_array_equal(read["a"], [[-1, 2], [0, 3], [1, 4]])


def test_a_storage_shorter_than_announced(tmp_path):
    path = write_torch_zip(tmp_path / "weights", {"a": numbers(8)})
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content[:-4] if name.endswith("data/0") else content)
    assert "storage '0' has 28 bytes for 8 numbers" in complaint(path, "zip")
    stream = bytearray(write_torch_stream(path, {"a": numbers(8)}).read_bytes())
    stream[-40:-32] = struct.pack("<q", 7)
    path.write_bytes(stream[:-4])
    assert "not as long as announced" in complaint(path, "legacy stream")
    path.write_bytes(write_torch_stream(path, {"a": numbers(8)}).read_bytes() + b"more")
    assert "goes on after its last storage" in complaint(path, "legacy stream")


def test_a_compressed_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "weights", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(100_000))
    assert "compressed" in complaint(tmp_path / "weights", "zip")


def test_another_byte_order(tmp_path):
    path = write_torch_zip(tmp_path / "weights", {"a": numbers(8)}, byteorder=b"big")
    assert "big-endian" in complaint(path, "zip")


@pytest.mark.parametrize("value", [7, [1], "text", None, {"x": 1}])
def test_what_is_no_tensor(tmp_path, value):
    path = write_torch_zip(tmp_path / "weights", {"epoch": value})
    assert "key 'epoch' is no tensor" in complaint(path, "zip")


def test_what_is_no_state_dict(tmp_path):
    with zipfile.ZipFile(tmp_path / "weights", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps([1, 2], protocol=2))
    assert "no state dict" in complaint(tmp_path / "weights", "zip")


def test_a_tar_without_a_part(tmp_path):
    with tarfile.open(tmp_path / "weights", "w:") as archive:
        archive.addfile(tarfile.TarInfo("sys_info"))
    assert "not a whole torch file" in complaint(tmp_path / "weights", "tar")


def test_many_views_of_one_storage_take_no_more_memory_than_it(tmp_path):
    path = tmp_path / "views.pth"
    path.write_bytes(many_views(keys=200, side=200))
    tracemalloc.start()
    try:
        read = read_torch(path, "zip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(read) == 200 and read["features.7.weight"].shape == (200, 200)
    # Copied, they would be 200 times the storage.
    assert peak < 10 * path.stat().st_size


def test_parts_that_are_larger_than_the_file_or_sparse(tmp_path, monkeypatch):
    path = write_torch_zip(tmp_path / "weights", {"a": numbers(8)})
    members = [f"part {n}" for n in range(9)]
    monkeypatch.setattr(
        zipfile.ZipFile,
        "infolist",
        lambda self: [overlapping(self.filelist[0], name, path) for name in members],
    )
    assert "larger than the file" in complaint(path, "zip")
    monkeypatch.undo()
    path = write_torch_tar(tmp_path / "weights", {"a": numbers(2)})
    monkeypatch.setattr(tarfile.TarInfo, "issparse", lambda self: True)
    assert "sparse" in complaint(path, "tar")


def overlapping(member, name, path):
    other = zipfile.ZipInfo(name)
    other.file_size, other.compress_type = path.stat().st_size // 2, member.compress_type
    return other
