"""Converted files against torchvision's own networks; skipped where torch is not installed."""

import sys
import warnings
from typing import Any

import jax
import numpy as np
import pytest
from containers import random_state_dict
from references import old_spelling, photograph, relative_difference, vgg_forward
from safetensors.numpy import save_file

from stylejax.networks.densenet import DenseNet
from stylejax.networks.layers import layer_table
from stylejax.weights.convert import convert_weights, read_weight_file
from stylejax.weights.read import read_weights

torch: Any = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def models():
    """`torchvision.models`; its compiled operators, which no network here uses, may be missing."""
    library = torch.library.Library("torchvision", "DEF")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(9):
            try:
                return pytest.importorskip("torchvision").models
            except RuntimeError as error:
                operator = str(error).split("torchvision::")[1].split()[0]
                library.define(f"{operator}(Tensor x) -> Tensor")
                for name in [name for name in sys.modules if name.startswith("torchvision")]:
                    del sys.modules[name]
    pytest.skip("torchvision cannot be imported")


def as_torch(state):
    return {key: torch.from_numpy(value) for key, value in state.items()}


def normalized(picture):
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    x = (picture - np.array(mean, np.float32)) / np.array(deviation, np.float32)
    return torch.from_numpy(x.transpose(2, 0, 1)[None].copy())


@pytest.fixture(scope="module")
def densenet(models):
    """torchvision's DenseNet-121 with random numbers in all of its parameters and statistics."""
    model = models.densenet121(weights=None)
    missing, unexpected = model.load_state_dict(as_torch(random_state_dict(seed=6)), strict=False)
    assert not unexpected
    assert all(key.startswith("classifier") or "tracked" in key for key in missing)
    return model.eval()


@pytest.fixture(scope="module")
def taps(densenet):
    """Every feature map of torchvision's network for one photograph, by torchvision's names."""
    maps = {}

    def keep(name):
        # The ReLUs work in place: what they overwrite is copied before.
        return lambda module, inputs, output: maps.update({name: output.detach().clone()})

    def keep_input(name):
        def hook(module, inputs):
            maps[name] = inputs[0].detach().clone()

        return hook

    for name, module in densenet.named_modules():
        module.register_forward_hook(keep(name))
        for layer in layer_table().values():
            if layer.torchvision.endswith(".concat"):
                block, index = layer.torchvision.removesuffix(".concat").rsplit("denselayer", 1)
                if name == f"{block}denselayer{int(index) + 1}.norm1":
                    module.register_forward_pre_hook(keep_input(layer.torchvision))
    picture = photograph(64, 96)
    with torch.no_grad():
        features = densenet.features(normalized(picture))
    maps["features.relu5"] = torch.relu(features)
    return {name: value[0].permute(1, 2, 0).numpy() for name, value in maps.items()}


def save_stream(state, path):
    torch.save(state, path, _use_new_zipfile_serialization=False)


def save_old_spelling(state, path):
    torch.save(old_spelling(state), path)


def save_timm(state, path):
    save_file({key: value.numpy() for key, value in state.items()}, path, {"format": "pt"})


SAVERS = {
    "zip.pth": lambda state, path: torch.save(state, path),
    "stream.pth": save_stream,
    "old.pth": save_old_spelling,
    "model.safetensors": save_timm,
}


def test_every_file_torch_writes_gives_the_same_numbers(densenet, tmp_path):
    expected = random_state_dict(seed=6)
    assert len(densenet.state_dict()) == 727
    for name, save in SAVERS.items():
        save(densenet.state_dict(), tmp_path / name)
        tensors = dict(read_weight_file(tmp_path / name).tensors)
        jax.tree.map(np.testing.assert_array_equal, tensors, expected)


def test_every_tap_of_a_converted_file_is_torchvisions_own(densenet, taps, tmp_path):
    save_stream(densenet.state_dict(), tmp_path / "old.pth")
    convert_weights(tmp_path / "old.pth", tmp_path / "new.safetensors")
    weights = read_weights(tmp_path / "new.safetensors")
    preprocessing = weights.variables["preprocessing"]
    x = (photograph(64, 96) - preprocessing["mean"])[None] / preprocessing["standard_deviation"]
    collections = {name: weights.variables[name] for name in ("params", "batch_stats")}
    layers = [layer for layer in layer_table().values() if layer.keras != "input"]
    network = DenseNet(tuple(layer.keras for layer in layers), epsilon=weights.epsilon)
    ours: Any = jax.jit(network.apply)(collections, x)
    for layer in layers:
        difference = relative_difference(np.asarray(ours[layer.keras])[0], taps[layer.torchvision])
        assert difference < 1e-4, layer


@pytest.mark.parametrize("name", ["vgg16", "vgg19", "vgg16_bn", "vgg19_bn"])
def test_vgg_with_and_without_batch_norm(models, tmp_path, name):
    model = getattr(models, name)(weights=None)
    # A classifier of full size is half a gigabyte, and is dropped.
    model.classifier = torch.nn.Sequential(torch.nn.Linear(4, 4))
    state = random_state_dict(name.removesuffix("_bn"), 7, batch_norm=name.endswith("_bn"))
    _, unexpected = model.load_state_dict(as_torch(state), strict=False)
    assert not unexpected
    torch.save(model.state_dict(), tmp_path / "vgg.pth")
    file = read_weight_file(tmp_path / "vgg.pth")
    assert file.network == name.removesuffix("_bn")
    theirs = []
    for module in model.eval().features:
        if isinstance(module, torch.nn.ReLU):
            module.register_forward_hook(lambda module, x, y: theirs.append(y.detach().clone()))
    picture = photograph(48, 64)
    with torch.no_grad():
        model.features(normalized(picture))
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    ours = vgg_forward(file.tensors, picture, np.array(mean), np.array(deviation))
    for index, (got, expected) in enumerate(zip(ours, theirs, strict=True)):
        expected = expected.permute(0, 2, 3, 1).numpy()
        assert relative_difference(got, expected) < 1e-4, index
