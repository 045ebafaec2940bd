import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylejax.errors import InputError
from stylejax.networks.densenet import DenseNet
from stylejax.networks.layers import (
    VGG16,
    VGG19,
    Architecture,
    VggArchitecture,
    canonical_layer,
    canonical_layers,
    layer_table,
)
from stylejax.networks.vgg import Vgg

SMALL = Architecture(stem_channels=4, growth_rate=2, block_sizes=(2, 2, 1, 1))
SIDE = 256


@pytest.mark.parametrize(
    ("name", "channels", "stride", "receptive_field"),
    [
        ("input", 3, 1, 1),
        ("conv1_relu", 64, 2, 7),
        ("pool1", 64, 4, 11),
        ("conv2_block1_0_bn", 64, 4, 11),
        ("conv2_block1_1_conv", 128, 4, 11),
        ("conv2_block1_2_conv", 32, 4, 19),
        ("conv2_block6_concat", 256, 4, 59),
        ("pool2_relu", 256, 4, 59),
        ("pool2_pool", 128, 8, 63),
        ("conv3_block12_concat", 512, 8, 255),
        ("pool3_pool", 256, 16, 263),
        ("conv4_block24_concat", 1024, 16, 1031),
        ("pool4_pool", 512, 32, 1047),
        ("relu", 1024, 32, 2071),
    ],
)
def test_geometry_of_densenet121(name, channels, stride, receptive_field):
    layer = layer_table()[name]
    assert (layer.channels, layer.stride, layer.receptive_field) == (
        channels,
        stride,
        receptive_field,
    )


@pytest.mark.parametrize(
    ("name", "channels", "stride", "receptive_field"),
    [
        ("input", 3, 1, 1),
        ("conv1_1", 64, 1, 3),
        ("pool1", 64, 2, 6),
        ("relu2_1", 128, 2, 10),
        ("relu3_1", 256, 4, 24),
        ("relu4_1", 512, 8, 68),
        ("relu4_2", 512, 8, 84),
        ("relu5_1", 512, 16, 156),
        ("pool5", 512, 32, 268),
    ],
)
def test_geometry_of_vgg19(name, channels, stride, receptive_field):
    layer = layer_table(VGG19)[name]
    assert (layer.channels, layer.stride, layer.receptive_field) == (
        channels,
        stride,
        receptive_field,
    )


def gradients_of(network, table):
    """Gradient of the sum over channels at one position of a layer, w.r.t. the picture.

    Every kernel is positive, so no path from a pixel to the position is cut or canceled.
    """
    x = jnp.ones((1, SIDE, SIDE, 3))

    def positive(path, leaf):
        entry = path[-1].key
        if entry == "kernel":
            return jnp.full(leaf.shape, 1.0 / np.prod(leaf.shape[:-1]))
        return jnp.ones(leaf.shape) if entry in ("scale", "var") else jnp.zeros(leaf.shape)

    shapes = jax.eval_shape(network.init, jax.random.key(0), x)
    variables = jax.tree_util.tree_map_with_path(positive, shapes)

    @jax.jit
    def pull_back(position, of_layer):
        def value(x):
            maps = network.apply(variables, x)
            assert isinstance(maps, dict)
            values = [maps[name][0, position, position].sum() for name in table]
            return jnp.vdot(of_layer, jnp.stack(values))

        return jax.grad(value)(x)[0]

    def gradient(name, position):
        of_layer = np.array([float(other == name) for other in table], np.float32)
        return np.asarray(pull_back(position, of_layer))

    return gradient


SMALL_VGG = VggArchitecture((2, 3, 2), (2, 1, 2))


@pytest.fixture(scope="module")
def gradient_at():
    table = layer_table(SMALL)
    return gradients_of(DenseNet(tuple(table), SMALL, pooling="average"), table)


@pytest.fixture(scope="module")
def gradient_of_vgg_at():
    table = layer_table(SMALL_VGG)
    return gradients_of(Vgg(tuple(table), SMALL_VGG, pooling="average"), table)


@pytest.mark.parametrize("name", layer_table(SMALL))
def test_receptive_field_and_stride_are_the_gradients_support(gradient_at, name):
    assert_support(gradient_at, name, layer_table(SMALL)[name])


@pytest.mark.parametrize("name", layer_table(SMALL_VGG))
def test_the_same_of_vgg(gradient_of_vgg_at, name):
    assert_support(gradient_of_vgg_at, name, layer_table(SMALL_VGG)[name])


def assert_support(gradient_at, name, layer):
    first = SIDE // layer.stride // 2 - 1
    starts = []
    for position in (first, first + 1):
        touched = (gradient_at(name, position) > 0).any(axis=-1)
        (rows,), (columns,) = touched.any(axis=1).nonzero(), touched.any(axis=0).nonzero()
        assert rows[-1] - rows[0] + 1 == columns[-1] - columns[0] + 1 == layer.receptive_field
        assert touched.sum() == layer.receptive_field**2
        starts.append(rows[0])
    assert starts[1] - starts[0] == layer.stride


def test_names_of_both_schemes_are_unique_and_find_their_row():
    table = layer_table()
    assert len(table) == 425
    assert len({layer.torchvision for layer in table.values()}) == len(table)
    for name, layer in table.items():
        assert layer.keras == canonical_layer(name) == canonical_layer(layer.torchvision) == name


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("conv1/relu", "conv1_relu"),
        ("conv1/bn", "conv1_bn"),
        ("features.conv0", "conv1_conv"),
        ("features.pool0", "pool1"),
        ("features.denseblock1.denselayer1.norm1", "conv2_block1_0_bn"),
        ("features.denseblock1.denselayer1.norm.1", "conv2_block1_0_bn"),
        ("features.denseblock1.denselayer1.relu.1", "conv2_block1_0_relu"),
        ("features.denseblock2.denselayer12.conv.1", "conv3_block12_1_conv"),
        ("features.denseblock3.denselayer24.norm.2", "conv4_block24_1_bn"),
        ("features.denseblock4.denselayer16.conv.2", "conv5_block16_2_conv"),
        ("features.denseblock1.denselayer1", "conv2_block1_2_conv"),
        ("features.denseblock1.denselayer6", "conv2_block6_2_conv"),
        ("features.denseblock1", "conv2_block6_concat"),
        ("features.denseblock4", "conv5_block16_concat"),
        ("features.transition1.norm", "pool2_bn"),
        ("features.transition1", "pool2_pool"),
        ("features.transition3", "pool4_pool"),
        ("features.norm5", "bn"),
        ("features", "bn"),
    ],
)
def test_other_spellings(spelling, name):
    assert canonical_layer(spelling) == name


@pytest.mark.parametrize(("architecture", "count"), [(VGG16, 32), (VGG19, 38)])
def test_names_of_all_schemes_find_their_row_of_vgg(architecture, count):
    table = layer_table(architecture)
    assert len(table) == count
    for name, layer in table.items():
        assert layer.name == name == canonical_layer(name, architecture)
        assert canonical_layer(layer.torchvision, architecture) == name
        if layer.keras:
            assert canonical_layer(layer.keras, architecture) == name
    assert len({layer.torchvision for layer in table.values()}) == count


@pytest.mark.parametrize(
    ("architecture", "spelling", "name"),
    [
        (VGG16, "features.0", "conv1_1"),
        (VGG16, "features.1", "relu1_1"),
        (VGG16, "features.4", "pool1"),
        (VGG16, "features.28", "conv5_3"),
        (VGG16, "features.30", "pool5"),
        (VGG19, "features.16", "conv3_4"),
        (VGG19, "features.34", "conv5_4"),
        (VGG19, "features.36", "pool5"),
        # Keras's convolutions end in their ReLU.
        (VGG19, "block4_conv2", "relu4_2"),
        (VGG19, "block5_pool", "pool5"),
    ],
)
def test_spellings_of_vgg(architecture, spelling, name):
    assert canonical_layer(spelling, architecture) == name


def test_a_layer_of_the_other_vgg_is_answered_with_the_nearest():
    assert canonical_layer("conv3_4", VGG19) == "conv3_4"
    with pytest.raises(InputError, match=r"of vgg16: .*conv3_3.*layers --network vgg16"):
        canonical_layer("conv3_4", VGG16)
    with pytest.raises(InputError, match="twice"):
        canonical_layers(["relu4_2", "block4_conv2"], VGG19)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("conv2_blok1_0_bn", "conv2_block1_0_bn"),
        ("features.denseblock1.denselayer1.nrm1", "features.denseblock1.denselayer1.norm1"),
        ("pool2relu", "pool2_relu"),
        ("features.transition4.norm", "features.transition3.norm"),
    ],
)
def test_unknown_name_is_answered_with_the_nearest(wrong, near):
    with pytest.raises(InputError) as error:
        canonical_layer(wrong)
    message = str(error.value)
    assert repr(wrong) in message and "\n" not in message
    offered = message.split("did you mean ")[1].split("?")[0].split(", ")
    assert near in offered
    assert all(canonical_layer(name) for name in offered)


@pytest.mark.parametrize("wrong", ["", "zzz", "conv2_block7_0_bn", "features.denseblock5"])
def test_a_layer_that_there_is_not(wrong):
    with pytest.raises(InputError, match="unknown layer"):
        canonical_layer(wrong)


def test_a_layer_of_another_architecture():
    assert canonical_layer("conv2_block3_concat") == "conv2_block3_concat"
    with pytest.raises(InputError, match="conv2_block2_concat"):
        canonical_layer("conv2_block3_concat", SMALL)


def test_several_names_keep_their_order():
    assert canonical_layers(["features.norm5", "conv1/relu", "pool1"]) == (
        "bn",
        "conv1_relu",
        "pool1",
    )


@pytest.mark.parametrize("second", ["features.relu0", "conv1/relu", "conv1_relu"])
def test_one_layer_under_two_names_is_refused(second):
    with pytest.raises(InputError, match=r"'conv1_relu'.*twice|twice.*'conv1_relu'"):
        canonical_layers(["conv1_relu", "pool1", second])
