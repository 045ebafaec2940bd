import subprocess
import sys

import numpy as np
from safetensors.numpy import load, load_file, save_file

from stylejax.weights.write import tensor_bytes

TENSORS = {"b": np.arange(6, dtype=np.float16).reshape(2, 3), "a": np.ones(5, np.float32)}
METADATA = {"what": "x", "version": "1", "record": "{}", "zero": "0"}


def test_it_is_a_safetensors_file(tmp_path):
    path = tmp_path / "file.safetensors"
    path.write_bytes(tensor_bytes(TENSORS, METADATA))
    for name, tensor in load_file(path).items():
        np.testing.assert_array_equal(tensor, TENSORS[name])
        assert tensor.dtype == TENSORS[name].dtype
    # The checksum of the numbers is added.
    save_file(TENSORS, tmp_path / "theirs.safetensors", METADATA | {"data_sha256": "0" * 64})
    assert path.stat().st_size == (tmp_path / "theirs.safetensors").stat().st_size
    assert set(load(path.read_bytes())) == {"a", "b"}


def test_the_bytes_are_the_same_in_every_process():
    code = (
        "import sys, numpy as np; from stylejax.weights.write import tensor_bytes;"
        f"sys.stdout.buffer.write(tensor_bytes({{'a': np.ones(3)}}, {METADATA!r}))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    reordered = dict(reversed(METADATA.items()))
    assert other == tensor_bytes({"a": np.ones(3)}, reordered)
