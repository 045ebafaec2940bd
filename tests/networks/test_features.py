from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import picture, random_weights

from stylejax.errors import InputError
from stylejax.networks.features import MARGIN, feature_extractor, folded_variables, frame_padding
from stylejax.networks.layers import layer_table
from stylejax.weights.read import read_weights

WEIGHTS = read_weights(random_weights())
# One layer of each stride, two of them by torchvision's names.
EACH_STRIDE = {
    "input": 1,
    "features.relu0": 2,
    "pool1": 4,
    "pool2_pool": 8,
    "features.transition2": 16,
    "pool4_pool": 32,
}


def extractor(*layers, **options: Any):
    return feature_extractor(WEIGHTS, layers, **options)


def extract(image, *layers, **options):
    maps = jax.jit(extractor(*layers, **options))(WEIGHTS.variables, jnp.asarray(image))
    return {name: np.asarray(value) for name, value in maps.items()}


def normalized(image):
    preprocessing = WEIGHTS.variables["preprocessing"]
    return (image - preprocessing["mean"]) / preprocessing["standard_deviation"]


@pytest.fixture(scope="module")
def features():
    return extract(picture(45, 61), *EACH_STRIDE)


@pytest.mark.parametrize("size", [(45, 61), (64, 96), (33, 31), (1, 7)])
def test_a_layer_of_stride_s_has_a_position_for_every_s_pixels(size):
    image = jax.ShapeDtypeStruct((*size, 3), jnp.float32)
    shapes = jax.eval_shape(extractor(*EACH_STRIDE), WEIGHTS.variables, image)
    table = layer_table(WEIGHTS.architecture)
    channels = ["input", "conv1_relu", "pool1", "pool2_pool", "pool3_pool", "pool4_pool"]
    for (name, stride), row in zip(EACH_STRIDE.items(), channels, strict=True):
        rows, columns = (-(-length // stride) for length in size)
        assert shapes[name].shape == (rows, columns, table[row].channels)


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("length", [1, 31, 32, 45, 100])
def test_padding_keeps_windows_in_place_and_whole(length, stride):
    before, after = frame_padding(length, stride)
    assert before % stride == 0 and (before + length + after) % stride == 0
    assert min(before, after) >= MARGIN and max(before, after) < MARGIN + 2 * stride


def test_keys_are_the_names_as_asked(features):
    assert set(features) == set(EACH_STRIDE)
    assert list(extractor("pool1", "conv1/relu")(WEIGHTS.variables, jnp.ones((9, 9, 3)))) == [
        "pool1",
        "conv1/relu",
    ]


def test_every_feature_map_says_something(features):
    for name in EACH_STRIDE:
        assert np.isfinite(features[name]).all() and np.ptp(features[name]) > 0.1


def test_input_is_the_normalized_picture(features):
    # Compiled code may multiply by the reciprocal: one unit in the last place.
    np.testing.assert_array_max_ulp(features["input"], normalized(picture(45, 61)), maxulp=2)


def test_first_convolution_sees_the_picture_in_place_and_reflected(features):
    # Position i, j of the first feature map sees the 7 x 7 pixels around pixel 2 i, 2 j.
    image = np.pad(normalized(picture(45, 61)), ((3, 3), (3, 3), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(image, (7, 7), axis=(0, 1))[::2, ::2]
    params, statistics = (WEIGHTS.variables[name] for name in ("params", "batch_stats"))
    conv = np.einsum("ijchw,hwco->ijo", windows, params["conv0"]["kernel"])
    norm, stored = params["norm0"], statistics["norm0"]
    expected = (conv - stored["mean"]) / np.sqrt(stored["var"] + WEIGHTS.epsilon)
    expected = np.maximum(expected * norm["scale"] + norm["bias"], 0)
    np.testing.assert_allclose(features["features.relu0"], expected, rtol=1e-4, atol=1e-5)


def test_asking_for_deeper_layers_does_not_change_a_shallow_one(features):
    alone = extract(picture(45, 61), "conv1_relu", "pool1")
    np.testing.assert_allclose(alone["conv1_relu"], features["features.relu0"], atol=1e-5)
    np.testing.assert_allclose(alone["pool1"], features["pool1"], atol=1e-5)


def test_a_part_of_a_picture_has_the_features_of_that_part():
    image = picture(96, 128)
    name, stride, reach = "conv2_block2_concat", 4, 13
    assert layer_table()[name].receptive_field == 2 * reach + 1
    whole = extract(image, name)[name]
    part = extract(image[24:79, 40:107], name)[name]
    same_place = whole[24 // stride :, 40 // stride :][: part.shape[0], : part.shape[1]]
    # The positions whose receptive field lies inside the part.
    edge = -(-reach // stride)
    inner = slice(edge, -edge)
    assert part[inner, inner].shape == (6, 9, same_place.shape[-1])
    np.testing.assert_allclose(part[inner, inner], same_place[inner, inner], rtol=1e-4, atol=1e-5)
    assert np.abs(part[0] - same_place[0]).max() > 1e-2


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_a_picture_of_one_color_has_no_frame(pooling):
    image = np.full((45, 61, 3), (0.9, 0.2, 0.6), np.float32)
    layers = ("conv1_relu", "pool1", "conv2_block1_concat")
    for feature_map in extract(image, *layers, pooling=pooling).values():
        assert np.abs(feature_map).max() > 0.1
        assert np.ptp(feature_map, axis=(0, 1)).max() < 1e-5


@pytest.mark.parametrize(("pooling", "reduce"), [("max", np.max), ("average", np.mean)])
def test_pooling_and_epsilon_are_the_ones_asked_for(pooling, reduce):
    maps = extract(
        picture(45, 61),
        "conv1_conv",
        "conv1_bn",
        "conv1_relu",
        "pool1",
        pooling=pooling,
        epsilon=0.5,
    )
    norm, stored = (WEIGHTS.variables[name]["norm0"] for name in ("params", "batch_stats"))
    expected = (maps["conv1_conv"] - stored["mean"]) / np.sqrt(stored["var"] + 0.5)
    expected = expected * norm["scale"] + norm["bias"]
    np.testing.assert_allclose(maps["conv1_bn"], expected, rtol=1e-4, atol=1e-5)
    window = maps["conv1_relu"][5:8, 7:10]
    np.testing.assert_allclose(maps["pool1"][3, 4], reduce(window, axis=(0, 1)), rtol=1e-5)


def test_gradient_is_that_of_a_linear_function_up_to_the_border():
    # Before the first ReLU the features are linear in the picture, so any step will do.
    image, other = (jnp.asarray(picture(45, 61, seed)) for seed in (1, 2))
    step = other - image
    extract_bn = extractor("conv1_bn")

    def value(image):
        (feature_map,) = extract_bn(WEIGHTS.variables, image).values()
        weight = jnp.asarray(picture(23, 31, seed=3)[..., :1])
        return jnp.vdot(feature_map, jnp.broadcast_to(weight, feature_map.shape))

    value_and_gradient = jax.jit(jax.value_and_grad(value))
    before, gradient = value_and_gradient(image)
    after, _ = value_and_gradient(other)
    assert jnp.abs(gradient).min() > 0
    np.testing.assert_allclose(jnp.vdot(gradient, step), after - before, rtol=1e-3)


def test_jit_grad_and_vmap_go_together():
    network = extractor("conv1_relu", "conv2_block2_concat")

    def value_and_gradient(image):
        def energy(image):
            maps = network(WEIGHTS.variables, image)
            return sum(jnp.mean(jnp.square(feature_map)) for feature_map in maps.values())

        return jax.value_and_grad(energy)(image)

    images = jnp.stack([jnp.asarray(picture(30, 41, seed)) for seed in (4, 5)])
    together = jax.jit(jax.vmap(value_and_gradient))(images)
    alone = jax.jit(value_and_gradient)
    for index, image in enumerate(images):
        for got, expected in zip(together, alone(image), strict=True):
            assert jnp.abs(expected).max() > 1e-4
            scale = float(jnp.abs(expected).max())
            np.testing.assert_allclose(got[index], expected, atol=1e-4 * scale)


def test_the_function_can_be_differentiated_by_its_weights():
    network = extractor("conv2_block1_2_conv")

    def energy(variables):
        (feature_map,) = network(variables, jnp.asarray(picture(20, 24))).values()
        return jnp.mean(jnp.square(feature_map))

    gradient = jax.jit(jax.grad(energy))(jax.tree.map(jnp.asarray, WEIGHTS.variables))
    for module in ("conv0", "denseblock1.denselayer1.conv2"):
        assert jnp.abs(gradient["params"][module]["kernel"]).max() > 0
    assert not gradient["params"]["norm5"]["scale"].any()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["conv1_relu", "conv9_relu"], "unknown layer 'conv9_relu'"),
        (["conv1_relu", "features.relu0"], "named twice"),
    ],
)
def test_layers_that_cannot_be_had(layers, message):
    with pytest.raises(InputError, match=message):
        extractor(*layers)


def test_bfloat16_inside_is_float32_outside_and_nearly_the_same():
    layers = ("input", "conv1_relu", "pool2_relu")
    exact = extract(picture(45, 61), *layers)
    coarse = extract(picture(45, 61), *layers, precision="bfloat16")
    assert np.array_equal(exact["input"], coarse["input"])
    for layer in layers[1:]:
        assert coarse[layer].dtype == np.float32
        error = np.abs(exact[layer] - coarse[layer]).max() / np.abs(exact[layer]).max()
        assert 1e-5 < error < 0.05, layer


def test_folded_variables_are_numpy_s_and_give_the_same_feature_maps():
    layers = ("conv1_relu", "pool3_relu", "conv4_block2_1_relu")
    folded: Any = folded_variables(WEIGHTS, layers)
    assert {type(leaf) for leaf in jax.tree.leaves(folded)} == {np.ndarray}
    # The third block is looked into, so it stays as it is.
    assert "denseblock2.denselayer1.conv1" not in folded["params"]
    assert "denseblock3.denselayer1.conv1" in folded["params"]
    extract = jax.jit(extractor(*layers))
    maps = [extract(variables, picture(45, 61)) for variables in (WEIGHTS.variables, folded)]
    for plain, same in zip(*map(jax.tree.leaves, maps), strict=True):
        np.testing.assert_allclose(same, plain, rtol=1e-4, atol=1e-4 * np.abs(plain).max())
