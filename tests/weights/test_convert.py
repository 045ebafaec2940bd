import hashlib
import json
import re
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict

import jax
import numpy as np
import pytest
from containers import CONTAINERS, random_state_dict, write_torch_zip
from references import old_spelling
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from stylejax.cli.entry import main
from stylejax.errors import InputError
from stylejax.images.samples import sample_picture
from stylejax.runs.photographs import read_photographs
from stylejax.weights import convert as conversion
from stylejax.weights import zoo as published
from stylejax.weights.convert import (
    convert_weights,
    describe_weights,
    read_weight_file,
    weight_file_bytes,
)
from stylejax.weights.read import default_weights, read_weights
from stylejax.weights.zoo import PUBLISHED

IMAGENET = {"mean": [0.485, 0.456, 0.406], "standard_deviation": [0.229, 0.224, 0.225]}


@pytest.fixture(scope="module")
def state():
    return random_state_dict()


@pytest.fixture(scope="module")
def pth(state, tmp_path_factory):
    """A DenseNet-121 as torchvision's published file has it: old spelling, counters, classifier."""
    classifier = {
        "classifier.weight": np.zeros((10, 1024), np.float32),
        "classifier.bias": np.zeros(10, np.float32),
    }
    tensors = old_spelling(state) | classifier
    return write_torch_zip(tmp_path_factory.mktemp("torch") / "old.pth", tensors)


@pytest.fixture(scope="module")
def converted(pth):
    convert_weights(pth, pth.with_name("new.safetensors"))
    return pth.with_name("new.safetensors")


def metadata(path):
    with safe_open(path, "numpy") as file:
        return file.metadata()


def complaint(path):
    with pytest.raises(InputError) as error:
        read_weight_file(path)
    message = str(error.value)
    assert message.startswith(f"weights {path}: ") and "\n" not in message
    return message.removeprefix(f"weights {path}: ")


def test_a_converted_file_holds_the_numbers_and_where_they_are_from(pth, converted, state):
    tensors = load_file(converted)
    assert tensors.keys() == state.keys()
    for key, value in state.items():
        np.testing.assert_array_equal(tensors[key], value)
    noted = metadata(converted)
    assert noted["network"] == "densenet121" and noted["source"] == "old.pth"
    assert noted["source_sha256"] == hashlib.sha256(pth.read_bytes()).hexdigest()
    assert {name: json.loads(noted[name]) for name in IMAGENET} == IMAGENET
    assert json.loads(noted["epsilon"]) == 1e-5
    assert read_weights(converted).epsilon == 1e-5


def test_the_same_input_gives_the_same_bytes(pth, converted, tmp_path):
    code = "import sys; from stylejax.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "weights", "convert", pth, "-o", tmp_path / "again"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert (tmp_path / "again").read_bytes() == converted.read_bytes()


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("spelling", [dict, old_spelling])
def test_every_container_and_spelling_gives_the_same_numbers(
    state, converted, tmp_path, container, spelling
):
    file = read_weight_file(CONTAINERS[container](tmp_path / "weights", spelling(state)))
    assert (file.form, file.network) == (f"torch state dict ({container})", "densenet121")
    expected = read_weight_file(converted).tensors
    jax.tree.map(np.testing.assert_array_equal, dict(file.tensors), dict(expected))


@pytest.mark.parametrize("spelling", [dict, old_spelling])
def test_timms_safetensors(state, tmp_path, spelling):
    path = tmp_path / "model.safetensors"
    save_file(spelling(state), path, {"format": "pt"})
    file = read_weight_file(path)
    assert (file.form, file.network, file.own) == ("safetensors", "densenet121", False)
    jax.tree.map(np.testing.assert_array_equal, dict(file.tensors), state)


@pytest.mark.parametrize(("batch_norm", "container"), [(False, "legacy stream"), (True, "zip")])
def test_vgg(tmp_path, batch_norm, container):
    state = random_state_dict("vgg16", batch_norm=batch_norm)
    path = CONTAINERS[container](tmp_path / "vgg.pth", state)
    convert_weights(path, tmp_path / "vgg.safetensors")
    noted = metadata(tmp_path / "vgg.safetensors")
    assert noted["network"] == "vgg16" and "epsilon" not in noted
    assert {name: json.loads(noted[name]) for name in IMAGENET} == IMAGENET
    file = read_weight_file(tmp_path / "vgg.safetensors")
    assert file.own and file.network == "vgg16" and len(file.tensors) == 26
    if not batch_norm:
        jax.tree.map(np.testing.assert_array_equal, dict(file.tensors), state)


def test_convert_and_transfer(pth, tmp_path, monkeypatch, request, capsys):
    monkeypatch.chdir(tmp_path)
    script = request.config.rootpath / "scripts" / "convert_weights.py"
    command = [sys.executable, script, pth, "-o", "new.safetensors"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    assert "densenet121" in done.stdout and done.stderr == ""
    pair = [str(sample_picture(name)) for name in ("astronaut.jpg", "sunlit-field.jpg")]
    arguments = [*pair, "-o", "out.png", "--size", "48", "--iterations", "2", "--json", "--quiet"]
    arguments += ["--content-layers", "pool2_relu", "--style-layers", "input,conv1_relu"]
    assert main(["transfer", *arguments, "--weights", "new.safetensors"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["weights"] == "new.safetensors"
    assert summary["loss_final"] < summary["loss_initial"]


def test_verify_says_what_a_file_is(pth, converted, capsys):
    assert main(["weights", "verify", str(pth)]) == 0
    said = capsys.readouterr().out
    sha256 = hashlib.sha256(pth.read_bytes()).hexdigest()
    for word in (
        "torch state dict (zip)",
        "densenet121, whole: 604 tensors",
        sha256,
        "known    no",
    ):
        assert word in said
    assert main(["weights", "verify", str(converted)]) == 0
    said = capsys.readouterr().out
    assert "stylejax" in said and f"made of  old.pth (sha256 {sha256[:16]}...)" in said
    assert main(["weights", "verify", str(default_weights())]) == 0
    assert default_weights().name in capsys.readouterr().out.splitlines()[-1]


@pytest.fixture
def known(pth, monkeypatch):
    """`pth` as a published file: what the table says of torchvision's, with its own checksum."""
    sha256 = hashlib.sha256(pth.read_bytes()).hexdigest()
    entry = PUBLISHED["densenet121-torchvision"]
    file = entry.file._replace(name=f"densenet121-{sha256[:8]}.pth", sha256=sha256[:8])
    odd = published.Preprocessing((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    monkeypatch.setitem(PUBLISHED, entry.name, entry._replace(file=file, preprocessing=odd))
    return entry.name


def test_a_published_file_is_known_by_its_checksum(pth, known, tmp_path):
    assert describe_weights(pth)[-1] == f"  known    {known}"
    convert_weights(pth, tmp_path / "new")
    noted = metadata(tmp_path / "new")
    assert noted["published"] == known and noted["licence"] == "BSD-3-Clause"
    assert json.loads(noted["mean"]) == [0.1, 0.2, 0.3]
    assert json.loads(noted["standard_deviation"]) == [1.0, 2.0, 3.0]
    assert describe_weights(tmp_path / "new")[-1] == f"  known    {known}"


def test_a_known_md5(monkeypatch):
    name = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
    md5 = "253f8cb515780f3b799900260a226db6"
    conversion.check_name(name, conversion.Checksums("0" * 64, md5))
    with pytest.raises(InputError, match="MD5 is 0000000000000000..., that of the published"):
        conversion.check_name(name, conversion.Checksums("0" * 64, "0" * 32))


@pytest.mark.parametrize("name", ["densenet121-a639ec97.pth", "other-00000000.pt"])
def test_a_checksum_in_the_name_must_be_true(pth, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(pth.read_bytes())
    sha256 = hashlib.sha256(pth.read_bytes()).hexdigest()
    assert complaint(path).startswith(f"sha256 is {sha256[:16]}..., that of the published {name}")
    true = tmp_path / f"other-{sha256[:8]}.pth"
    path.rename(true)
    assert read_weight_file(true).network == "densenet121"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!doctype html><html>not found</html>", "a web page"),
        (b"\n <html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
        (b"\x80\x04K\x01.", "a pickle, but not as torch writes it"),
        (b"PK\x03\x04" + bytes(100), "a truncated or damaged zip archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "not a whole Keras file"),
        (bytes.fromhex("80028a0a6cfc9c46f9206aa85019"), "not a whole torch file"),
        (struct.pack("<Q", 400) + b'{"a":', "not a whole safetensors file"),
        (b"These are not the weights.", "none of the known forms"),
        (bytes(1000), "none of the known forms"),
    ],
)
def test_files_that_are_none(tmp_path, content, message):
    path = tmp_path / "densenet121.safetensors"
    path.write_bytes(content)
    assert message in complaint(path)


@pytest.mark.parametrize(("place", "bits"), [(6, 0x90), (9, 0x08)])
def test_archives_of_an_unknown_version_or_with_a_name_that_is_no_text(tmp_path, place, bits):
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.pkl", b"")
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    # Of the central directory: the version that is needed, the flag of names in UTF-8, the name.
    content[entry + place] |= bits
    content[entry + 46] = 0xFF
    path.write_bytes(content)
    assert "a truncated or damaged zip archive" in complaint(path)
    with pytest.raises(InputError, match="get the archive again"):
        read_photographs([path], 64)


def test_archives_of_another_kind(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros(3))
    assert "neither torch's nor Keras's" in complaint(tmp_path / "a.npz")


def test_missing_files_and_folders(tmp_path):
    assert "no such file" in complaint(tmp_path / "none.pth")
    assert "is a folder" in complaint(tmp_path)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9999])
def test_truncated_files(pth, converted, tmp_path, share):
    for path in (pth, converted):
        content = path.read_bytes()
        (tmp_path / "short").write_bytes(content[: int(share * len(content))])
        assert complaint(tmp_path / "short")


def test_a_changed_number_in_a_converted_file(converted, tmp_path):
    content = bytearray(converted.read_bytes())
    content[-100] ^= 1
    (tmp_path / "changed").write_bytes(content)
    assert "not those that were written" in complaint(tmp_path / "changed")


def test_a_file_that_is_not_the_network_it_says(converted, tmp_path):
    file = read_weight_file(converted)
    messages = {"vgg16": "not a VGG-16", "googlenet": "metadata 'network' is 'googlenet'"}
    for network, message in messages.items():
        lying = file._replace(metadata={**file.metadata, "network": network})
        (tmp_path / "lying").write_bytes(weight_file_bytes(lying))
        assert re.search(message, complaint(tmp_path / "lying"))


def test_what_cannot_be_converted_leaves_nothing(pth, converted, state, tmp_path, capsys):
    incomplete = write_torch_zip(tmp_path / "part.pth", OrderedDict(list(state.items())[:-1]))
    before = sorted(tmp_path.iterdir())
    output = str(tmp_path / "out.safetensors")
    for path, message in (
        (incomplete, "'features.norm5.running_var' is missing"),
        (converted, "is in stylejax's form already"),
        (tmp_path / "none", "no such file"),
    ):
        assert main(["weights", "convert", str(path), "-o", output]) == 2
        shown = capsys.readouterr()
        assert shown.out == "" and shown.err.count("\n") == 1 and message in shown.err
    assert main(["weights", "convert", str(incomplete), "-o", str(incomplete)]) == 2
    assert "name another output" in capsys.readouterr().err
    assert main(["weights", "convert", str(pth), "-o", str(tmp_path / "no" / "out")]) == 2
    assert main(["weights", "verify", str(incomplete)]) == 2
    assert sorted(tmp_path.iterdir()) == before


def test_verify_of_a_broken_file_is_one_line(tmp_path, capsys):
    (tmp_path / "a.pth").write_bytes(b"<html>")
    assert main(["weights", "verify", str(tmp_path / "a.pth")]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and "a web page" in shown.err
