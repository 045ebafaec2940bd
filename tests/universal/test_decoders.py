"""The chain of decoders: its operations against naive ones, and its weight file."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from small_decoders import make_decoders

from stylejax.errors import InputError
from stylejax.networks.layers import layer_table
from stylejax.universal.decoder_weights import read_decoders, write_decoders
from stylejax.universal.decoders import (
    CHANNELS,
    LEVELS,
    REACH,
    STRIDES,
    enlarged,
    interleaved,
    run_block,
    upsampled_convolution,
)


def naive_convolution(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Each output as the sum over a 3x3 window of the map padded by reflection."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    result = np.zeros((*x.shape[:3], kernel.shape[-1]))
    for row in range(x.shape[1]):
        for column in range(x.shape[2]):
            patch = padded[:, row : row + 3, column : column + 3]
            result[:, row, column] = np.einsum("nijc,ijcd->nd", patch, kernel)
    return result


def test_upsampled_convolution_is_that_of_the_nearest_neighbors():
    random = np.random.default_rng(0)
    x, kernel = random.normal(size=(2, 4, 5, 3)), random.normal(size=(3, 3, 3, 6))
    wanted = naive_convolution(x.repeat(2, axis=1).repeat(2, axis=2), kernel)
    got = upsampled_convolution(jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32))
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_enlarged_is_linear_interpolation():
    x = jnp.asarray(np.random.default_rng(1).normal(size=(2, 4, 5, 3)), jnp.float32)
    wanted = jax.image.resize(x, (2, 8, 10, 3), "linear")
    np.testing.assert_allclose(enlarged(x), wanted, atol=1e-6)


def test_interleaved_lays_out_fours_of_channels_as_squares():
    x = jnp.arange(2 * 3 * 8, dtype=jnp.float32).reshape(1, 2, 3, 8)
    found = interleaved(x)
    assert found.shape == (1, 4, 6, 2)
    np.testing.assert_array_equal(found[0, 2:4, 2:4].reshape(4, 2).ravel(), x[0, 1, 1])


@pytest.mark.parametrize("level", LEVELS)
def test_blocks_double_the_size_and_keep_even_maps_even(level):
    decoders = make_decoders()
    x = jnp.full((1, 3, 5, CHANNELS[level]), 0.7)
    found = run_block(level, decoders.parameters[level], x)
    assert found.shape[1:3] == (6, 10)
    # Equal everywhere but for the phase of the 2x2 pixels: no border, no grid of another period.
    np.testing.assert_allclose(found, jnp.tile(found[:, 2:4, 2:4], (1, 3, 5, 1)), atol=1e-5)
    if level == "conv1_relu":
        assert float(found.min()) >= 0.0
        assert float(found.max()) <= 1.0


@pytest.mark.parametrize("level", LEVELS)
def test_reach_is_how_far_the_chain_sees(level):
    decoders, stride = make_decoders(), STRIDES[level]
    size = 2 * (REACH[level] // stride) + 5
    middle = size // 2

    @jax.jit
    def pixels(x):
        for name in LEVELS[LEVELS.index(level) :]:
            x = run_block(name, decoders.parameters[name], x)
        return x

    random = np.random.default_rng(2)
    x = jnp.asarray(random.normal(size=(1, size, size, CHANNELS[level])), jnp.float32)
    differs = np.asarray(pixels(x) != pixels(x.at[0, middle, middle].add(9.0)))
    rows = np.argwhere(differs)[:, 1]
    assert stride * middle - rows.min() <= REACH[level]
    assert rows.max() - stride * middle - stride + 1 <= REACH[level]


def test_file_holds_float16_and_comes_back(tmp_path):
    decoders = make_decoders()
    write_decoders(tmp_path / "decoders.safetensors", decoders)
    found = read_decoders(tmp_path / "decoders.safetensors", encoder=decoders.encoder)
    assert (found.encoder, found.steps, found.name) == ("a" * 64, 7, "decoders.safetensors")
    assert (tmp_path / "decoders.safetensors").stat().st_size < 8 * 2**20
    rounded = jax.tree.map(lambda leaf: np.float32(np.float16(leaf)), decoders.parameters)
    jax.tree.map(np.testing.assert_array_equal, found.parameters, rounded)
    jax.tree.map(np.testing.assert_array_equal, found.deviations, dict(decoders.deviations))


def test_files_of_another_encoder_or_damaged_are_refused(tmp_path):
    path = tmp_path / "decoders.safetensors"
    write_decoders(path, make_decoders())
    with pytest.raises(InputError, match="trained on the encoder with sha256 aaaa"):
        read_decoders(path, encoder="b" * 64)
    tensors = load_file(path)
    metadata = {"format": "stylejax-decoders-1", "encoder": "a" * 64}
    key = "pool2_relu.leave.bias"
    for damaged in (
        {name: value for name, value in tensors.items() if name != key},
        tensors | {key: tensors[key][:-1]},
        tensors | {key: np.full_like(tensors[key], np.nan)},
    ):
        save_file(damaged, path, metadata)
        with pytest.raises(InputError, match=f"{key} is missing or damaged"):
            read_decoders(path)
    save_file(tensors, path)
    with pytest.raises(InputError, match="not a file of decoders"):
        read_decoders(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        read_decoders(path)


def test_strides_and_channels_are_the_encoders(tmp_path):
    for level in LEVELS:
        layer = layer_table()[level]
        assert (layer.stride, layer.channels) == (STRIDES[level], CHANNELS[level])
