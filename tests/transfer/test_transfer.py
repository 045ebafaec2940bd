"""One call on arrays: what a callback is told, and how a transfer ends before its time."""

import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
from problems import picture

from stylejax.errors import InputError
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions
from stylejax.transfer import problem as problem_module
from stylejax.transfer.interrupt import interruptible
from stylejax.transfer.reconstruction import reconstruct
from stylejax.transfer.transfer import style_transfer
from stylejax.weights.read import read_weights

CONTENT, STYLE = picture(64, 80), picture(64, 64, seed=3)[..., ::-1].copy()
SHALLOW = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))
OPTIONS = Options(loss=SHALLOW, solve=SolverOptions(iterations=7, levels=2))


@pytest.fixture(autouse=True)
def interrupts():
    """Ctrl-C as in a terminal: what a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def whole():
    return style_transfer(CONTENT, [STYLE], options=OPTIONS)


def test_a_callback_is_told_of_each_iteration_of_all_levels(whole):
    seen = []

    def callback(progress):
        seen.append((progress, progress.picture(), progress.terms))

    result = style_transfer(CONTENT, [STYLE], options=OPTIONS, callback=callback)
    # Looking on does not change a bit.
    assert np.array_equal(result.image, whole.image) and not result.stopped
    assert all(np.array_equal(result.history[name], whole.history[name]) for name in whole.history)
    assert [progress.iteration for progress, *_ in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert [progress.level for progress, *_ in seen] == [1] * 4 + [2] * 3
    assert [progress.done for progress, *_ in seen] == [False] * 6 + [True]
    seconds = [progress.seconds for progress, *_ in seen]
    assert seconds == sorted(seconds) and seconds[0] > 0
    for progress, image, terms in seen:
        assert image.shape == CONTENT.shape and (progress.iterations, progress.levels) == (7, 2)
        loss = terms.content + terms.style + terms.total_variation
        loss += sum(terms.terms.values())
        np.testing.assert_allclose(progress.loss, loss, rtol=1e-5)
        assert progress.loss == whole.history["loss"][progress.iteration]
        assert len(progress.history["loss"]) == progress.iteration + 1
        assert progress.seconds_an_iteration > 0
        assert (progress.seconds_left > 0) != progress.done
    assert np.array_equal(seen[-1][1], result.image)
    assert np.abs(seen[0][1] - result.image).max() > 0.02


def test_a_callback_is_called_every_so_many_iterations(whole):
    seen = []
    result = style_transfer(
        CONTENT,
        [STYLE],
        options=OPTIONS,
        callback=lambda progress: seen.append(progress.iteration),
        every=3,
    )
    assert seen == [3, 6] and np.array_equal(result.image, whole.image)
    with pytest.raises(InputError, match="every is 0"):
        style_transfer(CONTENT, [STYLE], options=OPTIONS, callback=print, every=0)


@pytest.mark.parametrize("ends_at", [2, 4, 6, 7])
def test_a_callback_ends_the_transfer_with_the_picture_so_far(whole, ends_at):
    kept = []

    def callback(progress):
        kept.append(progress.picture())
        return progress.iteration == ends_at

    result = style_transfer(CONTENT, [STYLE], options=OPTIONS, callback=callback)
    # An end at the very end is none.
    assert result.stopped == (ends_at < 7) and not result.failed
    assert len(kept) == ends_at and np.array_equal(result.image, kept[-1])
    assert np.array_equal(result.history["loss"], whole.history["loss"][: ends_at + 1])


def test_the_picture_so_far_has_the_colors_of_the_result():
    picture_options = PictureOptions(preserve_color="luminance")
    options = replace(OPTIONS, picture=picture_options, solve=SolverOptions(iterations=1))
    seen = []
    result = style_transfer(
        CONTENT, [STYLE], options=options, callback=lambda now: seen.append(now.picture())
    )
    assert np.array_equal(seen[0], result.image)
    differences = lambda pixels: pixels - pixels.mean(-1, keepdims=True)
    assert np.abs(differences(seen[0]) - differences(CONTENT)).mean() < 0.02


def interrupt(progress):
    if progress.iteration == 2:
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_returns_the_picture_so_far(whole):
    result = style_transfer(CONTENT, [STYLE], options=OPTIONS, callback=interrupt)
    assert result.stopped and len(result.history["loss"]) == 3
    assert result.image.shape == CONTENT.shape
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    kept = reconstruct(
        CONTENT, ["conv1_relu"], read_weights(), kind="content", iterations=40, callback=interrupt
    )
    # It looks up every 16 iterations, so that this one is not seen.
    assert not kept.stopped
    kept = reconstruct(
        CONTENT,
        ["conv1_relu"],
        read_weights(),
        kind="content",
        iterations=40,
        callback=lambda progress: signal.raise_signal(signal.SIGINT),
    )
    assert kept.stopped and len(kept.history["loss"]) == 17


def test_a_second_interrupt_breaks_off():
    with pytest.raises(KeyboardInterrupt), interruptible() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGINT)
        assert asked()
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_handlers_of_others_are_called_too():
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with interruptible() as asked:
            signal.raise_signal(signal.SIGINT)
            assert asked() and seen == [signal.SIGINT]
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with interruptible() as asked:
            signal.raise_signal(signal.SIGINT)
            assert not asked()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_thread_other_than_the_main_one_transfers_too(whole):
    results = []
    work = lambda: results.append(style_transfer(CONTENT, [STYLE], options=OPTIONS))
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout=300)
    assert not thread.is_alive() and results, "the transfer in a thread has not ended, or failed"
    assert np.array_equal(results[0].image, whole.image)


def test_the_network_is_folded_once_for_all_levels(monkeypatch, whole):
    calls, fold = [], problem_module.folded_variables

    def counted(*arguments, **options):
        calls.append(1)
        return fold(*arguments, **options)

    monkeypatch.setattr(problem_module, "folded_variables", counted)
    result = style_transfer(CONTENT, [STYLE], options=OPTIONS)
    assert calls == [1] and np.array_equal(result.image, whole.image)


def test_a_loss_that_is_not_finite_ends_in_the_last_good_picture():
    options = replace(OPTIONS, loss=replace(SHALLOW, style_weight=3e38))
    result = style_transfer(CONTENT, [STYLE], options=options)
    assert result.failed and not result.stopped and result.image.shape == CONTENT.shape
    assert np.isfinite(result.image).all() and list(result.history["level"]) == [1]
