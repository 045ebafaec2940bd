import jax
import jax.numpy as jnp
import pytest

from stylejax.devices import memory as device
from stylejax.devices.memory import (
    available_memory,
    check_memory,
    estimated_memory,
    find_devices,
    fitting_strip_rows,
    release_freed_memory,
)
from stylejax.errors import InputError
from stylejax.losses.terms import gram_matrix
from stylejax.networks.densenet import DenseNet
from stylejax.networks.features import feature_extractor
from stylejax.networks.layers import DENSENET121, VGG19, layer_table
from stylejax.networks.vgg import Vgg
from stylejax.solvers.jaxopt_lbfgs import lbfgs
from stylejax.solvers.solver import Solver


def test_the_named_device_or_an_error():
    assert find_devices("cpu")[0].platform == "cpu"
    assert find_devices(None) == jax.devices()
    with pytest.raises(InputError, match="--device tpu: there is none"):
        find_devices("tpu")


def test_some_memory_is_available():
    assert 1e8 < available_memory(jax.devices()[0]) < 1e14


def test_a_run_that_does_not_fit_is_told_what_fits():
    layers = ("conv1_relu", "pool3_relu")
    needed = estimated_memory(4096, 4096, layers, 23, DENSENET121)
    with pytest.raises(InputError) as caught:
        check_memory(needed, needed // 4, 4096)
    fits = int(str(caught.value).rsplit("--size ", 1)[1].split()[0])
    assert 1900 < fits < 2100
    check_memory(estimated_memory(fits, fits, layers, 23, DENSENET121), needed // 4, fits)
    check_memory(needed, needed, 4096)


def test_the_estimate_grows_with_depth_size_and_history():
    estimate = lambda side, layer, kept: estimated_memory(side, side, (layer,), kept, DENSENET121)
    assert estimate(512, "conv1_relu", 23) < estimate(512, "pool2_relu", 23)
    assert estimate(512, "pool2_relu", 23) < estimate(1024, "pool2_relu", 23)
    assert estimate(512, "pool2_relu", 3) < estimate(512, "pool2_relu", 23)


def test_strips_are_as_high_as_the_memory_of_the_device_allows(monkeypatch):
    layers = ("conv1_relu", "pool3_relu")
    needed = lambda rows: estimated_memory(4096, 2048, layers, 23, DENSENET121, strip_rows=rows)

    def chosen(total):
        monkeypatch.setattr(device, "total_memory", lambda device: total)
        return fitting_strip_rows(4096, 2048, layers, 23, DENSENET121, jax.devices()[0])

    assert needed(128) < needed(512) < needed(2048) < needed(0)
    assert chosen(2 * needed(0)) == 0
    rows = chosen(needed(0))
    assert 0 < rows < 4096 and needed(rows) <= 0.7 * needed(0)
    # One strip less would not fit.
    assert needed(4096 // (-(-4096 // rows) - 1)) > 0.7 * needed(0)
    # Where nothing does, strips are still no less high than their halos.
    assert chosen(1e6) == 136


def test_memory_that_was_freed_can_be_given_back():
    release_freed_memory()
    assert device.total_memory(jax.devices()[0]) >= available_memory(jax.devices()[0])


def vgg_extractor(layers):
    return feature_extractor(layers, architecture=VGG19)


@pytest.mark.parametrize(
    ("layers", "network", "extractor", "architecture"),
    [
        (
            ("conv1_relu", "pool3_relu"),
            DenseNet(tuple(layer_table())),
            feature_extractor,
            DENSENET121,
        ),
        (("relu1_1", "relu3_1"), Vgg(("relu3_1",)), vgg_extractor, VGG19),
    ],
    ids=["densenet121", "vgg19"],
)
def test_the_estimate_is_near_what_xla_says_of_the_compiled_solve(
    layers, network, extractor, architecture
):
    side, extract = 256, extractor(layers)
    shape = lambda *sides: jax.ShapeDtypeStruct(sides, jnp.float32)
    variables = jax.eval_shape(network.init, jax.random.key(0), shape(1, 32, 32, 3))
    variables["preprocessing"] = {"mean": shape(3), "standard_deviation": shape(3)}

    def loss(image, variables):
        grams = [gram_matrix(maps) for maps in extract(variables, image).values()]
        return jnp.sum(jnp.stack([jnp.sum(jnp.square(gram)) for gram in grams])), None

    solver = Solver(loss, lbfgs(10))
    state = jax.eval_shape(solver.init, shape(side, side, 3), variables)
    compiled = solver.advance.lower(state, 1, variables).compile().memory_analysis()
    assert compiled is not None
    used = compiled.temp_size_in_bytes + compiled.argument_size_in_bytes
    estimate = estimated_memory(side, side, layers, 23, architecture)
    assert used < estimate < 2.0 * used
