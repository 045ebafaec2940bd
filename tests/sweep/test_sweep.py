"""A sweep on arrays: each combination is what a transfer makes of it, however they are batched."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from problems import picture

from stylejax.errors import InputError
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions
from stylejax.sweep import sweep as sweep_module
from stylejax.sweep.sweep import style_sweep
from stylejax.transfer.transfer import style_transfer

CONTENT, STYLE = picture(64, 64), picture(64, 64, seed=3)[..., ::-1].copy()
SHALLOW = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))
OPTIONS = Options(loss=SHALLOW, solve=SolverOptions(iterations=5, levels=2))


def with_weight(style_weight):
    return replace(OPTIONS, loss=replace(SHALLOW, style_weight=style_weight))


WEIGHTS = (5.0, 20.0, 80.0)
COMBINATIONS = [with_weight(weight) for weight in WEIGHTS]


@pytest.fixture(scope="module")
def swept():
    return style_sweep(CONTENT, [STYLE], COMBINATIONS)


def test_each_result_is_that_of_a_transfer(swept):
    assert len(swept) == 3
    for options, result in zip(COMBINATIONS, swept, strict=True):
        alone = style_transfer(CONTENT, [STYLE], options=options)
        assert not result.failed and not result.stopped
        assert result.image.shape == CONTENT.shape
        assert np.abs(result.image - alone.image).max() < 4 / 255
        assert list(result.history) == list(alone.history)
        for name in ("iteration", "level", "evaluations"):
            assert np.array_equal(result.history[name], alone.history[name])
        np.testing.assert_allclose(result.history["loss"], alone.history["loss"], rtol=1e-2)
        np.testing.assert_allclose(
            result.history["style:input"], alone.history["style:input"], rtol=2e-2
        )


def test_batches_are_as_small_as_memory_demands(swept, monkeypatch):
    monkeypatch.setattr(sweep_module, "memory_room", lambda device, count: 1.0)
    seen = []

    def callback(progress):
        seen.append([options.loss.style_weight for options in progress.lanes])

    again = style_sweep(CONTENT, [STYLE], COMBINATIONS, callback=callback)
    assert {tuple(lanes) for lanes in seen} == {(5.0,), (20.0,), (80.0,)}
    for one, other in zip(swept, again, strict=True):
        assert np.abs(one.image - other.image).max() < 4 / 255


def test_a_callback_sees_pictures_and_ends_the_sweep(monkeypatch):
    kept = []

    def callback(progress):
        kept.append((progress.iterations.tolist(), progress.losses, progress.pictures()))
        return progress.iterations.max() >= 1

    results = style_sweep(CONTENT, [STYLE], COMBINATIONS, callback=callback)
    iterations, losses, pictures = kept[-1]
    assert kept[0][0] == [0, 0, 0] and iterations == [1, 1, 1] and len(kept) == 2
    assert [result.stopped for result in results] == [True] * 3
    for result, loss, image in zip(results, losses, pictures, strict=True):
        assert np.array_equal(result.image, image)
        assert result.history["loss"].tolist()[1:] == [loss] and image.shape == CONTENT.shape
    # Of what had not begun there is nothing.
    monkeypatch.setattr(sweep_module, "memory_room", lambda device, count: 1.0)
    stop = lambda progress: progress.lanes[0].loss.style_weight == 20.0
    results = style_sweep(CONTENT, [STYLE], COMBINATIONS, callback=stop)
    assert [result.stopped for result in results] == [False, True]


def test_seeds_and_blends_are_lanes_too():
    red = np.full((64, 64, 3), (0.9, 0.1, 0.1), np.float32)
    base = replace(OPTIONS, picture=PictureOptions(init="noise"))
    lanes = [
        replace(base, picture=replace(base.picture, seed=seed), loss=replace(SHALLOW, **given))
        for seed, given in (
            (0, {"style_blend": (1.0, 0.0)}),
            (1, {"style_blend": (1.0, 0.0)}),
            (0, {"style_blend": (0.0, 1.0), "content_weight": 0.0}),
        )
    ]
    first, second, plain = (result.image for result in style_sweep(CONTENT, [STYLE, red], lanes))
    assert np.abs(first - second).max() > 0.02
    assert plain[..., 0].mean() > first[..., 0].mean() + 0.05


@pytest.mark.parametrize(
    ("lanes", "message"),
    [
        ([], "no options"),
        ([OPTIONS, replace(OPTIONS, solve=SolverOptions(iterations=6))], "iterations is 6 and 5"),
        (
            [OPTIONS, replace(OPTIONS, loss=replace(SHALLOW, style_layers=("input",)))],
            "style_layer",
        ),
        ([OPTIONS, with_weight(-1.0)], "--style-weight is -1"),
    ],
)
def test_what_cannot_be_one_program_is_refused(lanes, message):
    with pytest.raises(InputError, match=message):
        style_sweep(CONTENT, [STYLE], lanes)


def test_the_devices_may_be_named(swept):
    results = style_sweep(CONTENT, [STYLE], COMBINATIONS[:1], devices=jax.devices()[:1])
    assert np.abs(results[0].image - swept[0].image).max() < 4 / 255
