import json
import re
import shutil
import sys
import zipfile
from functools import partial
from typing import Any

import h5py
import jax
import keras
import numpy as np
import pytest
from containers import random_state_dict, write_torch_zip
from keras.src.legacy.saving import legacy_h5_format
from references import module_of, photograph, relative_difference, vgg_forward

from stylejax.errors import InputError
from stylejax.networks.densenet import DenseNet
from stylejax.networks.features import feature_extractor
from stylejax.networks.layers import layer_table
from stylejax.weights.convert import convert_weights, read_weight_file, recognized_form
from stylejax.weights.formats import keras as keras_files
from stylejax.weights.formats.keras import read_keras
from stylejax.weights.formats.state_dict import keras_state_dict
from stylejax.weights.read import read_weights

# Keras 3.15.1 on JAX turns its arrays into NumPy's in the way of before NumPy 2 (seen 2026-11-25).
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
applications: Any = keras.applications
# Where numbers go is asked of every layer; what is computed with them, of two blocks out of four.
TWO_BLOCKS = list(layer_table())[: list(layer_table()).index("pool3_relu") + 1]
VGG_INDICES = {
    "vgg16": [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28],
    "vgg19": [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34],
}


def parameters(layer, state):
    """What a Keras layer is to hold: gamma, beta, mean, variance; or kernel and bias."""
    module = f"features.{module_of(layer.name)}" if not layer.name.startswith("block") else None
    if isinstance(layer, keras.layers.BatchNormalization):
        entries = ("weight", "bias", "running_mean", "running_var")
        return [state[f"{module}.{entry}"] for entry in entries]
    return [state[f"{module}.weight"].transpose(2, 3, 1, 0)]


@pytest.fixture(scope="module")
def densenet():
    """Keras's DenseNet-121 and the same random numbers in torchvision's names."""
    state = random_state_dict(seed=4)
    model = applications.DenseNet121(weights=None, include_top=False, input_shape=(64, 96, 3))
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(parameters(layer, state))
    return model, state


@pytest.fixture(scope="module", params=VGG_INDICES)
def vgg(request):
    """Keras's VGG and the same random numbers in torchvision's names, for RGB."""
    state = random_state_dict(request.param, seed=5)
    build = {"vgg16": applications.VGG16, "vgg19": applications.VGG19}[request.param]
    model = build(weights=None, include_top=False, input_shape=(48, 64, 3))
    indices = iter(VGG_INDICES[request.param])
    for layer in model.layers:
        if layer.weights:
            index = next(indices)
            kernel = state[f"features.{index}.weight"].transpose(2, 3, 1, 0)
            # Keras's first kernel takes blue, green, red.
            kernel = kernel[:, :, ::-1] if index == 0 else kernel
            layer.set_weights([kernel, state[f"features.{index}.bias"]])
    return request.param, model, state


def save_legacy(model, path):
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


SAVERS = {
    "legacy.h5": save_legacy,
    "model.h5": lambda model, path: legacy_h5_format.save_model_to_hdf5(model, path),
    "three.weights.h5": lambda model, path: model.save_weights(path),
    "three.keras": lambda model, path: model.save(path),
}
FORMS = {
    "legacy.h5": "Keras legacy HDF5 (weights)",
    "model.h5": "Keras legacy HDF5 (whole model)",
    "three.weights.h5": "Keras 3 weights",
    "three.keras": "Keras 3 weights (.keras)",
    "published.h5": "Keras legacy HDF5 (weights)",
    "nameless.weights.h5": "Keras 3 weights",
    "tf.weights.h5": "tf.keras 2.13 weights",
    "tf.keras": "tf.keras 2.13 weights (.keras)",
}


def save_as_published(model, path):
    """As the files of 2017: slashes, `:0`, byte strings, a list of layers too long for one."""
    with h5py.File(path, "w") as file:
        names = []
        for layer in model.layers:
            name = re.sub(r"^conv1_(conv|bn)$", r"conv1/\1", layer.name)
            names.append(name.encode())
            group = file.create_group(name)
            weights = []
            for number, value in enumerate(layer.get_weights()):
                weights.append(f"{name}_W_{number}:0".encode())
                group.create_dataset(weights[-1].decode(), data=value)
            group.attrs["weight_names"] = np.array(weights, "S")
        for part, chunk in enumerate(np.array_split(names, 3)):
            file.attrs[f"layer_names{part}"] = chunk


def without_names(source, path):
    """As Keras before 3.15, which wrote no layer names."""
    shutil.copy(source, path)
    with h5py.File(path, "r+") as file:
        layers: Any = file["layers"]
        for group in layers.values():
            if "vars" in group and "name" in group["vars"].attrs:
                del group["vars"].attrs["name"]


def save_as_tf(source, path):
    """As tf.keras 2.13: the same groups without names under its own root, `vars` beside it."""
    with h5py.File(source) as read, h5py.File(path, "w") as file:
        layers: Any = read["layers"]
        for name, group in layers.items():
            stored = file.create_group(f"_layer_checkpoint_dependencies/{name}/vars")
            for number, dataset in group["vars"].items():
                stored.create_dataset(number, data=dataset[()])
        file.create_group("vars")


@pytest.fixture(scope="module")
def densenet_files(densenet, tmp_path_factory):
    model, _ = densenet
    folder = tmp_path_factory.mktemp("densenet")
    for name, save in SAVERS.items():
        save(model, folder / name)
    save_as_published(model, folder / "published.h5")
    without_names(folder / "three.weights.h5", folder / "nameless.weights.h5")
    save_as_tf(folder / "three.weights.h5", folder / "tf.weights.h5")
    with zipfile.ZipFile(folder / "tf.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", "{}")
        archive.write(folder / "tf.weights.h5", "model.weights.h5")
    return folder


def assert_same(tensors, state):
    assert tensors.keys() == state.keys()
    for key, value in state.items():
        np.testing.assert_array_equal(tensors[key], value, err_msg=key)


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_numbers(densenet, densenet_files, name):
    file = read_weight_file(densenet_files / name)
    assert recognized_form(densenet_files / name) == "keras"
    assert (file.form, file.network) == (FORMS[name], "densenet121")
    assert_same(file.tensors, densenet[1])


def test_the_present_form_numbers_layers_in_an_order_hdf5_does_not_keep(densenet_files):
    with h5py.File(densenet_files / "nameless.weights.h5") as file:
        layers: Any = file["layers"]
        names = [name for name in layers if name.startswith("conv2d_")]
        assert names.index("conv2d_10") < names.index("conv2d_2")
        assert not any(group["vars"].attrs for group in layers.values() if "vars" in group)


def keras_maps(model, outputs, x):
    """What Keras computes, compiled at once."""
    whole: Any = keras.Model(model.inputs, outputs)
    forward = jax.jit(partial(whole.stateless_call, training=False))
    values = (
        [variable.value for variable in variables]
        for variables in (whole.trainable_variables, whole.non_trainable_variables)
    )
    maps, _ = forward(*values, [x])
    return maps


def test_the_taps_of_a_converted_file_are_keras_own(densenet, densenet_files, tmp_path):
    model, _ = densenet
    convert_weights(densenet_files / "model.h5", tmp_path / "converted.safetensors")
    weights = read_weights(tmp_path / "converted.safetensors")
    assert weights.epsilon == 1.001e-5
    picture = photograph(64, 96)
    theirs_in = applications.densenet.preprocess_input(picture[None] * np.float32(255))
    outputs = {layer.name: layer.output for layer in model.layers if layer.name in TWO_BLOCKS}
    theirs = keras_maps(model, outputs, theirs_in)
    preprocessing = weights.variables["preprocessing"]
    x = (picture - preprocessing["mean"])[None] / preprocessing["standard_deviation"]
    collections = {name: weights.variables[name] for name in ("params", "batch_stats")}
    network = DenseNet(tuple(outputs), epsilon=weights.epsilon)
    ours: Any = jax.jit(network.apply)(collections, x)
    assert len(outputs) == len(TWO_BLOCKS) - 1
    for name, expected in theirs.items():
        assert relative_difference(np.asarray(ours[name]), np.asarray(expected)) < 1e-4, name


def test_keras_and_torchvisions_file_of_the_same_numbers_agree(densenet, densenet_files, tmp_path):
    _, state = densenet
    files = {
        "keras": densenet_files / "three.keras",
        "torch": write_torch_zip(tmp_path / "torch.pth", state),
    }
    maps: dict[str, Any] = {}
    for name, path in files.items():
        convert_weights(path, tmp_path / name)
        weights = read_weights(tmp_path / name)
        extract = feature_extractor(TWO_BLOCKS, epsilon=weights.epsilon)
        maps[name] = jax.device_get(jax.jit(extract)(weights.variables, photograph(32, 48)))
    for name, expected in maps["torch"].items():
        assert relative_difference(maps["keras"][name], expected) < 1e-4, name


def test_vgg_in_red_green_blue_is_keras_vgg(vgg, tmp_path):
    network, model, state = vgg
    files = []
    for name, save in SAVERS.items():
        save(model, tmp_path / name)
        files.append(read_weight_file(tmp_path / name))
        assert files[-1].network == network and "epsilon" not in files[-1].metadata
        assert_same(files[-1].tensors, state)
        (tmp_path / name).unlink()
    mean, deviation = (
        np.array(json.loads(files[0].metadata[entry])) for entry in ("mean", "standard_deviation")
    )
    np.testing.assert_allclose(mean * 255, [123.68, 116.779, 103.939])
    np.testing.assert_allclose(deviation, [1 / 255] * 3)
    picture = photograph(48, 64)
    theirs_in = applications.vgg16.preprocess_input(picture[None] * np.float32(255))
    layers = [layer.output for layer in model.layers if "conv" in layer.name]
    theirs = keras_maps(model, layers, theirs_in)
    ours = vgg_forward(files[0].tensors, picture, mean, deviation)
    for index, (got, expected) in enumerate(zip(ours, theirs, strict=True)):
        assert relative_difference(got, np.asarray(expected)) < 1e-4, index


def test_vgg_as_published_and_without_names(vgg, tmp_path):
    network, model, state = vgg
    save_as_published(model, tmp_path / "published.h5")
    model.save_weights(tmp_path / "three.weights.h5")
    without_names(tmp_path / "three.weights.h5", tmp_path / "nameless.weights.h5")
    for name in ("published.h5", "nameless.weights.h5"):
        file = read_weight_file(tmp_path / name)
        assert file.network == network
        assert_same(file.tensors, state)


def test_the_classifier_is_dropped(vgg):
    network, model, state = vgg
    layers = [
        keras_files.KerasLayer(layer.name, layer.get_weights())
        for layer in model.layers
        if layer.weights
    ]
    top = [
        keras_files.KerasLayer(name, [np.zeros((4, 5)), np.zeros(5)])
        for name in ("fc1", "fc2", "predictions")
    ]
    assert_same(keras_state_dict([*layers, *top]), state)
    nameless = [layer._replace(name=None) for layer in (*layers, *top)]
    assert_same(keras_state_dict(nameless), state)


def small_file(path, layers):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = list(layers)
        for name, arrays in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"w{number}" for number in range(len(arrays))]
            for number, value in enumerate(arrays):
                group[f"w{number}"] = value
    return path


def complaint(path):
    with pytest.raises(InputError) as error:
        read_weight_file(path)
    message = str(error.value)
    assert message.startswith(f"weights {path}: ") and "\n" not in message
    return message


def test_other_models_are_refused(tmp_path):
    path = small_file(tmp_path / "a.h5", {"conv9_conv": [np.zeros((3, 3, 3, 8))]})
    assert "unknown layer 'conv9_conv'" in complaint(path)
    path = small_file(tmp_path / "b.h5", {"block1_conv1": [np.zeros((3, 3, 3, 64)), np.zeros(64)]})
    assert "'features.2.weight' is missing: not a whole VGG-16" in complaint(path)
    path = small_file(tmp_path / "c.h5", {"conv1_conv": [np.zeros((7, 7, 3, 32))]})
    assert "'features.conv0.weight' has shape (32, 3, 7, 7)" in complaint(path)
    model: Any = keras.Sequential([keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])
    model.save_weights(tmp_path / "d.weights.h5")
    assert "layer" in complaint(tmp_path / "d.weights.h5")
    without_names(tmp_path / "d.weights.h5", tmp_path / "e.weights.h5")
    assert "1 convolutions and 0 batch norms" in complaint(tmp_path / "e.weights.h5")


def test_hdf5_of_another_kind(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = [1, 2, 3]
    assert "HDF5, but not the weights of a Keras model" in complaint(tmp_path / "a.h5")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
@pytest.mark.parametrize("name", ["legacy.h5", "three.weights.h5", "three.keras"])
def test_a_truncated_file(densenet_files, tmp_path, name, share):
    content = (densenet_files / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(share * len(content))])
    assert complaint(path)


def test_other_files_are_not_followed(tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["w0"] = np.zeros((7, 7, 3, 64))
    raw = tmp_path / "raw"
    raw.write_bytes(bytes(7 * 7 * 3 * 64 * 4))

    def linked(group):
        group["w0"] = h5py.ExternalLink(str(secret), "w0")

    def external(group):
        shape = (7, 7, 3, 64)
        group.create_dataset("w0", shape, "f4", external=[(str(raw), 0, raw.stat().st_size)])

    def virtual(group):
        layout = h5py.VirtualLayout((7, 7, 3, 64), "f4")
        layout[:] = h5py.VirtualSource(str(secret), "w0", (7, 7, 3, 64))
        group.create_virtual_dataset("w0", layout)

    for make in (linked, external, virtual):
        path = small_file(tmp_path / "a.h5", {"conv1_conv": []})
        with h5py.File(path, "r+") as file:
            group: Any = file["conv1_conv"]
            group.attrs["weight_names"] = ["w0"]
            make(group)
        assert "lies in another file: refused" in complaint(path)


def test_a_layer_too_large_is_not_read(tmp_path):
    path = small_file(tmp_path / "a.h5", {"conv1_conv": []})
    with h5py.File(path, "r+") as file:
        group: Any = file["conv1_conv"]
        group.attrs["weight_names"] = ["w0"]
        group.create_dataset("w0", (2**20, 2**12), "f4", chunks=(1, 4), compression="gzip")
    assert "has 4294967296 numbers" in complaint(path)


def test_no_more_numbers_are_read_than_a_network_has(tmp_path, monkeypatch):
    monkeypatch.setattr("stylejax.weights.formats.keras._MOST_NUMBERS", 100)
    path = small_file(tmp_path / "a.h5", {"conv1_conv": []})
    with h5py.File(path, "r+") as file:
        group: Any = file["conv1_conv"]
        group.attrs["weight_names"] = ["w0"] * 11
        group.create_dataset("w0", (10,), "f4")
    assert "more than any of these networks has" in complaint(path)


def test_without_h5py_it_is_said_how_to_get_it(densenet_files, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"stylejax\[convert\]"):
        read_keras(densenet_files / "legacy.h5")
