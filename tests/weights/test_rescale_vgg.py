from typing import Any

import jax
import jax.numpy as jnp
import normalize_vgg
import numpy as np
import pytest
from problems import NARROW_VGG16 as NARROW
from problems import picture, vgg_tensors, write_vgg

from stylejax.errors import InputError
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.networks.features import feature_extractor
from stylejax.networks.layers import layer_table
from stylejax.weights.read import read_weights
from stylejax.weights.rescale_vgg import mean_activations, rescaled_variables

# Of different sizes, one of them no multiple of the network's stride.
PICTURES = [picture(40, 56, 1), picture(33, 47, 2)]
DEAD = 3
ALL = tuple(layer_table(NARROW))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A narrow VGG-16 whose first convolution has a channel that is never active."""
    tensors = vgg_tensors(NARROW)
    tensors["features.0.weight"][DEAD] = 0.0
    tensors["features.0.bias"][DEAD] = -1.0
    return write_vgg(tmp_path_factory.mktemp("vgg") / "vgg16.safetensors", NARROW, tensors)


def features(weights, image, names=ALL, pooling: Any = "max"):
    extract = jax.jit(feature_extractor(names, architecture=NARROW, pooling=pooling))
    return jax.device_get(extract(weights.variables, jnp.asarray(image)))


def changed(weights):
    means = mean_activations(weights, PICTURES)
    return means, weights._replace(variables=rescaled_variables(weights.variables, NARROW, means))


def test_means_are_over_positions_of_all_pictures(file):
    weights = read_weights(file)
    means = mean_activations(weights, PICTURES)
    assert list(means) == [name for name in layer_table(NARROW) if name.startswith("relu")]
    # The deepest layer asked for fixes the frame, hence the same layers here.
    maps = [features(weights, image, tuple(means)) for image in PICTURES]
    for name, mean in means.items():
        positions = np.concatenate([of[name].reshape(-1, of[name].shape[-1]) for of in maps])
        np.testing.assert_allclose(mean, positions.mean(axis=0), rtol=1e-4, atol=1e-6)


def test_every_active_channel_has_a_mean_of_1_afterwards(file):
    means, weights = changed(read_weights(file))
    for name, mean in mean_activations(weights, PICTURES).items():
        np.testing.assert_allclose(mean, np.where(means[name] > 0, 1.0, 0.0), rtol=1e-3)
    assert means["relu1_1"][DEAD] == 0.0 and (means["relu2_1"] > 0).any()


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_the_network_is_the_same_up_to_a_factor_for_each_channel(file, pooling):
    """On a picture that the means were not measured on, and with either pooling."""
    before = read_weights(file)
    means, after = changed(before)
    image = picture(32, 48, 9)
    old, new = (features(weights, image, pooling=pooling) for weights in (before, after))
    for name in old:
        if name == "input":
            np.testing.assert_array_equal(old[name], new[name])
            continue
        block = name.removeprefix("conv").removeprefix("relu")
        if name.startswith("pool"):
            size = NARROW.block_sizes[int(name[4:]) - 1]
            block = f"{name[4:]}_{size}"
        mean = means[f"relu{block}"]
        expected = old[name] / np.where(mean > 0, mean, 1.0)
        np.testing.assert_allclose(new[name], expected, rtol=1e-3, atol=1e-3)


def test_only_a_vgg_and_not_without_pictures(file):
    with pytest.raises(InputError, match="hold no VGG"):
        mean_activations(read_weights(), PICTURES)
    with pytest.raises(InputError, match="no picture"):
        mean_activations(read_weights(file), [])


def test_the_script_writes_a_weight_file_of_the_same_network(file, tmp_path, capsys):
    path, output = tmp_path / "photo.png", tmp_path / "normal.safetensors"
    write_picture(path, PICTURES[0])
    given = [str(file), "--pictures", str(path), "--size", "56", "-o", str(output)]
    assert normalize_vgg.main(given) == 0
    read = read_weights(output)
    assert read.architecture == NARROW
    original = read_weights(file).variables["preprocessing"]
    for name, value in read.variables["preprocessing"].items():
        np.testing.assert_array_equal(value, original[name])
    means = mean_activations(read, [read_picture(path).pixels])
    live = [mean[mean > 0] for mean in means.values()]
    np.testing.assert_allclose(np.concatenate(live), 1.0, rtol=1e-3)

    assert normalize_vgg.main([str(path), *given[1:-1], str(tmp_path / "no.safetensors")]) == 2
    shown = capsys.readouterr().err
    assert "not a whole safetensors file" in shown and shown.count("\n") == 1
    assert not (tmp_path / "no.safetensors").exists()
