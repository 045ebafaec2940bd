import hashlib
import re
import shutil
import struct

import jax
import numpy as np
import pytest
from problems import NARROW_VGG16, NARROW_VGG19, random_weights, vgg_tensors, write_vgg
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from stylejax.errors import InputError
from stylejax.networks.layers import Architecture
from stylejax.weights import read as weights
from stylejax.weights.names import variables_from_state_dict
from stylejax.weights.read import default_weights, manifest, read_network, read_weights
from stylejax.weights.write import tensor_bytes

NARROW = Architecture(stem_channels=8, growth_rate=4)
METADATA = {"stem_channels": "8", "growth_rate": "4"}


@pytest.fixture(scope="module")
def bundled():
    return read_weights(random_weights())


@pytest.fixture
def tensors():
    return load_file(random_weights())


def written(path, tensors, **metadata):
    save_file(tensors, path, METADATA | metadata)
    return path


def complaint(path):
    """The message of a refusal without the file's name, which it must begin with."""
    with pytest.raises(InputError) as error:
        read_weights(path)
    message = str(error.value)
    assert message.startswith(f"weights {path}: ") and "\n" not in message
    return message.removeprefix(f"weights {path}: ")


def assert_equal(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize(
    ("path", "architecture", "trained"),
    [(random_weights(), NARROW, False), (default_weights(), Architecture(), True)],
)
def test_bundled_files_are_what_the_manifest_says(path, architecture, trained):
    entry, bundled = manifest()["files"][path.name], read_weights(path)
    assert bundled.name == path.name
    assert bundled.sha256 == entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert bundled.trained is entry["trained"] is trained
    assert bundled.architecture == architecture
    assert bundled.epsilon == entry["epsilon"]
    preprocessing = bundled.variables["preprocessing"]
    for name in ("mean", "standard_deviation"):
        np.testing.assert_array_equal(
            preprocessing[name], np.array(entry["preprocessing"][name], np.float32)
        )
    assert_equal(
        {name: bundled.variables[name] for name in ("params", "batch_stats")},
        variables_from_state_dict(load_file(path), architecture),
    )
    assert {leaf.dtype for leaf in jax.tree.leaves(bundled.variables)} == {np.dtype(np.float32)}


def test_the_trained_file_is_the_default_and_small():
    path = default_weights()
    assert read_weights().name == path.name == manifest()["default"]
    assert path.stat().st_size <= 15e6
    assert {value.dtype for value in load_file(path).values()} == {np.dtype(np.float16)}


@pytest.fixture
def copied_folder(tmp_path, monkeypatch):
    folder = tmp_path / "bundled"
    shutil.copytree(weights.bundled_folder(), folder)
    monkeypatch.setattr(weights, "bundled_folder", lambda: folder)
    return folder


def change_last_byte(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_a_damaged_bundled_file_is_refused(copied_folder):
    path = default_weights()
    assert path.parent == copied_folder
    assert read_weights().trained
    change_last_byte(path)
    assert "damaged" in complaint(path)
    with pytest.raises(InputError, match="sha256"):
        read_weights()


def test_a_damaged_bundled_file_is_refused_through_a_link(copied_folder, tmp_path):
    link = tmp_path / "link.safetensors"
    link.symlink_to(random_weights())
    assert not read_weights(link).trained
    change_last_byte(random_weights())
    assert "damaged" in complaint(link)


def test_files_the_manifest_does_not_list_are_not_verified(copied_folder, tmp_path):
    for path in (copied_folder / "own.safetensors", tmp_path / random_weights().name):
        shutil.copy(random_weights(), path)
        change_last_byte(path)
        assert read_weights(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_installation_without_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(weights.resources, "files", lambda package: tmp_path / package)
    with pytest.raises(InputError, match="no bundled weights"):
        read_weights()


def test_a_missing_file(tmp_path):
    assert "no such file" in complaint(tmp_path / "none.safetensors")


def test_a_folder(tmp_path):
    assert "is a folder" in complaint(tmp_path)


@pytest.mark.parametrize("length", [0, 5, 1000, -1])
def test_a_truncated_file(tmp_path, length):
    path = tmp_path / "short.safetensors"
    path.write_bytes(random_weights().read_bytes()[:length])
    assert "not a whole safetensors file" in complaint(path)


def test_a_text_file(tmp_path):
    path = tmp_path / "readme.txt"
    path.write_text("These are not\nthe weights.\n" * 9)
    assert "not a whole safetensors file" in complaint(path)


def test_numbers_of_a_kind_that_numpy_has_not(tmp_path):
    path = tmp_path / "float8.safetensors"
    header = b'{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}'
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    assert complaint(path)


def test_other_keys(tmp_path, tensors):
    path = written(tmp_path / "x.safetensors", tensors | {"head.weight": np.zeros(3)})
    assert "'head.weight'" in complaint(path)
    path = written(tmp_path / "y.safetensors", {"features.norm0.weight": np.ones(8)})
    assert "'features.conv0.weight' is missing" in complaint(path)


def test_other_shapes(tmp_path, tensors):
    tensors["features.norm5.bias"] = tensors["features.norm5.bias"][1:]
    path = written(tmp_path / "x.safetensors", tensors)
    assert "'features.norm5.bias' has shape" in complaint(path)


def test_widths_other_than_the_files(tmp_path, tensors):
    path = tmp_path / "x.safetensors"
    save_file(tensors, path)
    assert "'features.conv0.weight' has shape (8, 3, 7, 7), expected (64," in complaint(path)
    save_file(tensors, path, METADATA | {"growth_rate": "5"})
    assert "'features.denseblock1.denselayer1.conv1.weight' has shape" in complaint(path)


def test_numbers_that_are_not_finite(tmp_path, tensors):
    tensors["features.transition2.conv.weight"][1, 2, 0, 0] = np.nan
    path = written(tmp_path / "x.safetensors", tensors)
    assert "'features.transition2.conv.weight' holds numbers that are not finite" in complaint(path)


def test_metadata_is_used(tmp_path, tensors, bundled):
    path = written(
        tmp_path / "x.safetensors",
        tensors,
        mean="[-0.5, 0, 0.25]",
        standard_deviation="[1, 2, 0.125]",
        epsilon="1.001e-5",
    )
    read = read_weights(path)
    preprocessing = read.variables["preprocessing"]
    np.testing.assert_array_equal(preprocessing["mean"], [-0.5, 0.0, 0.25])
    np.testing.assert_array_equal(preprocessing["standard_deviation"], [1.0, 2.0, 0.125])
    assert read.epsilon == 1.001e-5
    assert read.name == "x.safetensors"
    assert_equal(read.variables["params"], bundled.variables["params"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mean", "0.5, 0.5, 0.5"),
        ("mean", "0.5"),
        ("mean", "[0.5, 0.5]"),
        ("mean", "[0.5, [0.5], 0.5]"),
        ("mean", '["a", "b", "c"]'),
        ("mean", "[NaN, 0.5, 0.5]"),
        ("standard_deviation", "[Infinity, 1, 1]"),
        ("standard_deviation", "[0.5, 0, 0.5]"),
        ("standard_deviation", "[0.5, 0.5, -0.5]"),
        ("standard_deviation", ""),
        ("epsilon", "[1e-5]"),
        ("epsilon", "null"),
        ("epsilon", '"1e-5"'),
        ("epsilon", "0"),
        ("epsilon", "-1e-5"),
        ("epsilon", "{}"),
        ("stem_channels", "eight"),
        ("stem_channels", "0"),
        ("growth_rate", "-4"),
    ],
)
def test_bad_metadata_is_refused(tmp_path, tensors, key, value):
    path = written(tmp_path / "x.safetensors", tensors, **{key: value})
    assert complaint(path).startswith(f"metadata {key!r} is {value!r}, expected something like ")


def test_precision_of_the_file_does_not_matter(tmp_path, tensors, bundled):
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float16)}
    for kind in (np.float32, np.float64):
        wide = {key: tensor.astype(kind) for key, tensor in tensors.items()}
        read = read_weights(written(tmp_path / "wide.safetensors", wide))
        assert_equal(read.variables, bundled.variables)
        assert jax.tree.leaves(read.variables)[0].dtype == np.float32


@pytest.mark.parametrize("architecture", [NARROW_VGG16, NARROW_VGG19], ids=["vgg16", "vgg19"])
@pytest.mark.parametrize("said", [True, False])
def test_which_vgg_is_told_by_metadata_or_keys(tmp_path, architecture, said):
    metadata = {"network": architecture.network} if said else {}
    tensors = vgg_tensors(architecture)
    # The classifier is not looked at.
    tensors |= {"classifier.6.bias": np.zeros(10), "classifier.0.weight": np.zeros((4, 2))}
    path = write_vgg(tmp_path / "x.safetensors", architecture, tensors, **metadata)
    assert read_network(path) == architecture.network
    read = read_weights(path, network=architecture.network)
    assert read.architecture == architecture
    assert set(read.variables) == {"params", "preprocessing"}
    kernel = read.variables["params"]["2"]["kernel"]
    np.testing.assert_array_equal(kernel, tensors["features.2.weight"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(read.variables["params"]["2"]["bias"], tensors["features.2.bias"])


def test_what_is_wrong_with_a_vgg_file_is_named(tmp_path):
    path, tensors = tmp_path / "x.safetensors", vgg_tensors(NARROW_VGG19)
    write_vgg(path, NARROW_VGG19, tensors, network="resnet50")
    assert complaint(path).startswith("metadata 'network' is 'resnet50', expected one of")
    with pytest.raises(InputError, match="'resnet50'"):
        read_network(path)
    write_vgg(path, NARROW_VGG19, tensors, network="vgg16")
    assert re.match(r"unknown key 'features\.16\.\w+': not a VGG-16", complaint(path))
    write_vgg(path, NARROW_VGG16, tensors)
    del tensors["features.34.bias"]
    write_vgg(path, NARROW_VGG19, tensors)
    assert "'features.34.bias' is missing: not a whole VGG-19" in complaint(path)
    save_file(tensors, path)
    assert "'features.0.weight' has shape (4, 3, 3, 3), expected (64, 3, 3, 3)" in complaint(path)


def test_another_network_than_asked_for(tmp_path):
    path = write_vgg(tmp_path / "x.safetensors", NARROW_VGG19)
    with pytest.raises(InputError, match="hold a vgg19, but a vgg16 is asked for"):
        read_weights(path, network="vgg16")
    with pytest.raises(InputError, match="hold a densenet121, but a vgg16 is asked for"):
        read_weights(default_weights(), network="vgg16")
    with pytest.raises(InputError, match="no vgg19 weights are bundled: name a file"):
        read_weights(network="vgg19")
    assert read_weights(network="densenet121").name == default_weights().name


def test_one_flipped_bit_is_found_wherever_the_numbers_say_their_checksum(tmp_path, tensors):
    path = tmp_path / "own.safetensors"
    whole = tensor_bytes(tensors, METADATA)
    path.write_bytes(whole)
    read_weights(path)
    for place in (-1, -len(whole) // 2, -len(whole) // 4):
        changed = bytearray(whole)
        changed[place] ^= 8
        path.write_bytes(changed)
        assert "the numbers are not those that were written" in complaint(path)
    copy = tmp_path / "copy.safetensors"
    shutil.copy(default_weights(), copy)
    change_last_byte(copy)
    assert "the numbers are not those that were written" in complaint(copy)


def test_the_learned_files_that_ship_are_verified_by_the_manifest(copied_folder):
    for name in manifest()["learned"]:
        path = copied_folder / name
        assert weights.read_tensor_file(path, "")[2] == manifest()["learned"][name]["sha256"]
        whole = path.read_bytes()
        with safe_open(path, "np") as file:
            recorded = file.metadata()
        # Whole, but another file.
        save_file(load_file(path), path, recorded | {"note": "changed"})
        with pytest.raises(InputError, match="the manifest says"):
            weights.read_tensor_file(path, "")
        path.write_bytes(whole)
        change_last_byte(path)
        # A file that says what its numbers are is refused by itself, before the manifest is asked.
        has_digest = "data_sha256" in recorded
        says = "not those that were written" if has_digest else "the manifest says"
        with pytest.raises(InputError, match=says):
            weights.read_tensor_file(path, "")


def test_what_is_huge_and_no_weights_is_not_read(tmp_path):
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(InputError):
        read_weights(path)
