"""The decoders' training: its pictures, its start in closed form, and runs that go on."""

import io
import zipfile
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from problems import SHORT_DENSENET, write_densenet
from small_decoders import picture

from stylejax.networks.densenet import DenseNet
from stylejax.networks.features import folded_variables
from stylejax.universal.decoders import BLOCKS, CHANNELS, LEVELS, enlarged
from stylejax.weights.read import read_weights
from training.decoder_batches import draw_batch, read_sources
from training.decoder_features import MARGIN, Pairs, encode, statistics, transformed
from training.decoder_losses import Weights
from training.decoder_pictures import mosaics, paintings, recolored, window
from training.decoder_start import neighborhoods, straight_parts
from training.decoder_step import begin, make_step, optimizer, read_checkpoint, save_checkpoint
from training.decoders_run import prepare


def bytes_of(pixels: np.ndarray) -> np.ndarray:
    return (255.0 * pixels + 0.5).astype(np.uint8)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")

    def archive(name, pictures):
        with zipfile.ZipFile(folder / name, "w") as file:
            for number, pixels in enumerate(pictures):
                stream = io.BytesIO()
                Image.fromarray(bytes_of(pixels)).save(stream, "PNG")
                file.writestr(f"{number:04}.png", stream.getvalue())
        return folder / name

    photographs = archive("photographs.zip", [picture(seed, 300, 320) for seed in range(2)])
    tiles = archive("tiles.zip", [picture(seed, 64, 64) for seed in range(40)])
    return read_sources(photographs, [tiles], styles=3, seed=0)


def test_windows_are_cuts_of_their_pictures():
    random, given = np.random.default_rng(0), bytes_of(picture(0, 200, 300))
    for _ in range(20):
        found = window(random, given, 96)
        assert found.shape == (96, 96, 3)
        assert found.dtype == np.uint8
        assert given.min() <= found.min() <= found.max() <= given.max()
    # At its own size there is only one window.
    whole = window(random, given[:96, :96], 96)
    assert np.array_equal(whole, given[:96, :96]) or np.array_equal(whole, given[:96, 95::-1])


def test_pictures_follow_from_the_seed():
    photographs = [bytes_of(picture(seed, 100, 100)) for seed in range(2)]
    first, again = (paintings(photographs, 3, 64, 5) for _ in range(2))
    other = paintings(photographs, 3, 64, 6)
    np.testing.assert_array_equal(first, again)
    assert np.abs(np.asarray(first, np.int32) - np.asarray(other, np.int32)).max() > 20
    tiles = [np.full((8, 8, 3), 10 * number, np.uint8) for number in range(9)]
    (laid,) = mosaics(tiles, 1, 3, 0)
    assert laid.shape == (24, 24, 3)
    assert np.all(np.ptp(laid.reshape(3, 8, 3, 8, 3), axis=(1, 3, 4)) == 0)
    assert recolored(np.random.default_rng(0), photographs[0]).shape == (100, 100, 3)


def test_batches_are_those_of_their_step(sources):
    given = {"plain": 2, "groups": 2, "content": 3, "size": 32, "seed": 7}
    first, again, next_one = (draw_batch(sources, step, **given) for step in (4, 4, 5))
    for ours, theirs in zip(first, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert first.plain.shape == (2, 32 + 2 * MARGIN, 32 + 2 * MARGIN, 3)
    assert first.content.shape[:2] == (2, 3)
    assert first.pair.shape == first.deepest.shape == (2,)
    assert not np.array_equal(first.content, next_one.content)


@pytest.fixture
def short_encoder(tmp_path, monkeypatch):
    """An encoder with few layers, and its deviations."""
    path = write_densenet(tmp_path / "encoder.safetensors", monkeypatch, SHORT_DENSENET)
    short = partial(DenseNet, architecture=SHORT_DENSENET)
    monkeypatch.setattr("training.decoder_features.DenseNet", short)
    return encoder_and_deviations(path)


def test_bank_gives_the_statistics_of_the_style(sources, short_encoder):
    encoder, deviations = short_encoder
    frozen = prepare(encoder, sources, deviations)
    chosen = jax.tree.map(lambda leaf: leaf[0], frozen.pairs)
    assert isinstance(chosen, Pairs)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 5, 3)), jnp.float32)
    found = transformed({"input": x}, chosen)["input"]
    wanted = (x - chosen.own["input"]) @ chosen.linear["input"] + chosen.mean["input"]
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert chosen.linear["pool3_relu"].shape == (512, 512)
    # The photograph's own statistics become the style's, as far as the ridge allows.
    inner = sources.styles[0][None, MARGIN:-MARGIN, MARGIN:-MARGIN]
    style = statistics(jnp.asarray(inner, jnp.float32) / 255.0 / 0.25)
    np.testing.assert_allclose(chosen.mean["input"], style.mean, atol=1e-4)


def encoder_and_deviations(path=None):
    encoder = folded_variables(read_weights(path), LEVELS[::-1])
    return encoder, {level: np.ones(CHANNELS[level], np.float32) for level in LEVELS}


def test_start_is_the_least_squares_solution():
    encoder, deviations = encoder_and_deviations()
    windows = np.stack([bytes_of(picture(seed, 96, 96)) for seed in range(6)])
    found = straight_parts(encoder, deviations, [windows[:3], windows[3:]])
    for level in LEVELS:
        block = BLOCKS[level]
        shapes = jax.eval_shape(
            block.init, jax.random.key(0), jnp.zeros((1, 4, 4, CHANNELS[level]))
        )
        wanted = jax.tree.map(lambda leaf: leaf.shape, shapes["params"]["straight"])
        assert jax.tree.map(np.shape, found[level]) == wanted
    # The linear map of the last block beats the best constant by far.
    maps = encode(encoder, jnp.asarray(windows, jnp.float32) / 255.0)
    kernel, bias = found["conv1_relu"]["kernel"], found["conv1_relu"]["bias"]
    got = neighborhoods(maps["conv1_relu"]) @ kernel.reshape(-1, 12) + bias
    target = maps["input"].reshape(6, 32, 2, 32, 2, 3).transpose(0, 1, 3, 2, 4, 5)
    target = target.reshape(6, 32, 32, 12) - 0.5
    assert jnp.mean((got - target) ** 2) < 0.1 * jnp.var(target)
    assert enlarged(maps["pool3_relu"]).shape == maps["pool2_relu"].shape[:3] + (512,)


def test_run_goes_on_to_the_same_bytes(sources, short_encoder, tmp_path):
    encoder, deviations = short_encoder
    frozen = prepare(encoder, sources, deviations)
    transform = optimizer()
    step = make_step(transform, Weights())
    of_one = {"plain": 1, "groups": 1, "content": 1, "size": 32, "seed": 0}
    batch = lambda number: draw_batch(sources, number, **of_one)
    state = begin(0, transform)
    for number in range(3):
        if number == 2:
            save_checkpoint(tmp_path / "run", state, deviations)
        state, errors = step(state, frozen, batch(number), np.float32(1e-3))
        assert all(np.isfinite(float(value)) for value in errors.values())
    again, kept = read_checkpoint(tmp_path / "run", begin(1, transform))
    jax.tree.map(np.testing.assert_array_equal, kept, deviations)
    again, _ = step(again, frozen, batch(2), np.float32(1e-3))
    jax.tree.map(np.testing.assert_array_equal, again, state)
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), state.parameters, state.average)
    assert max(jax.tree.leaves(moved)) > 0.0
