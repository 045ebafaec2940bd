import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from problems import SAVING, picture, random_weights
from processes import printed, started, wait_until

from stylejax.errors import InputError
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions
from stylejax.runs import checkpoint, metadata
from stylejax.runs.checkpoint_paths import checkpoint_path
from stylejax.runs.checks import snapshot_path
from stylejax.runs.metadata import read_record
from stylejax.runs.observer import Observer
from stylejax.runs.request import Request
from stylejax.runs.transfer import run_transfer

# The stem alone compiles in a second; the whole network is run by test_cli's end-to-end tests,
# which have the same small programs besides.
SHALLOW = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))
OPTIONS = Options(PictureOptions(size=64), SHALLOW, SolverOptions(iterations=6))


@pytest.fixture
def pair(tmp_path):
    content, style = tmp_path / "content.png", tmp_path / "style.png"
    write_picture(content, picture(60, 80, seed=1))
    write_picture(style, picture(90, 70, seed=2)[..., ::-1])
    return content, style


@pytest.fixture
def request_(pair, tmp_path):
    return Request(pair[0], (pair[1],), tmp_path / "out.png", OPTIONS, weights=random_weights())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_result_has_the_contents_shape_and_less_loss(request_):
    summary = run_transfer(request_)
    assert read_picture(request_.output).pixels.shape == (48, 64, 3)
    loss = summary.history["loss"]
    assert len(loss) == 7 and (np.diff(loss) < 0).all()
    assert not summary.failed and not summary.stopped
    assert names(request_.output.parent) == ["content.png", "out.png", "style.png"]


def test_equal_runs_give_equal_bytes_whatever_is_saved_between(request_, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    run_transfer(request_)
    run_transfer(replace(request_, output=other / "renamed.png", save_every=4))
    assert request_.output.read_bytes() == (other / "renamed.png").read_bytes()
    assert names(other) == ["renamed-0004.png", "renamed.png"]


def test_strips_of_rows_make_the_same_picture(request_, tmp_path):
    run_transfer(request_)
    loss = replace(SHALLOW, strip_rows=8)
    cut = replace(request_, options=replace(OPTIONS, loss=loss), output=tmp_path / "cut.png")
    run_transfer(cut)
    whole, strips = (read_picture(path).pixels for path in (request_.output, cut.output))
    assert np.abs(whole - strips).max() <= 2 / 255
    assert read_record(cut.output)["options"]["strip_rows"] == 8
    assert read_record(request_.output)["options"]["strip_rows"] == 0


def test_another_seed_gives_another_picture(request_, tmp_path):
    for seed in (0, 1):
        options = replace(OPTIONS, picture=PictureOptions(size=64, init="noise", seed=seed))
        run_transfer(replace(request_, options=options, output=tmp_path / f"{seed}.png"))
    first, second = (read_picture(tmp_path / f"{seed}.png").pixels for seed in (0, 1))
    assert np.abs(first - second).max() > 0.05


def stop_after(looks):
    count = iter(range(looks + 1))
    return Observer(stop=lambda: next(count, None) is None)


@pytest.mark.parametrize("solver", ["lbfgs", "optax-lbfgs", "adam"])
def test_an_interrupted_run_leaves_its_picture_and_resumes_to_the_same_bytes(
    request_, tmp_path, solver
):
    options = replace(OPTIONS, solve=SolverOptions(iterations=6, solver=solver))
    whole = replace(request_, options=options, output=tmp_path / "whole.png")
    run_transfer(whole)
    parts = replace(request_, options=options, save_every=2, history=tmp_path / "parts.csv")
    summary = run_transfer(parts, stop_after(2))
    assert summary.stopped and read_record(parts.output)["result"]["iterations"] < 6
    assert checkpoint_path(parts.output).exists()
    summary = run_transfer(replace(parts, resume=True))
    assert not summary.stopped and list(summary.history["iteration"]) == list(range(7))
    assert parts.output.read_bytes() == whole.output.read_bytes()
    assert not checkpoint_path(parts.output).exists()


def test_a_run_stopped_before_its_first_step_resumes(request_, tmp_path):
    run_transfer(replace(request_, output=tmp_path / "whole.png"))
    run_transfer(request_, Observer(stop=lambda: True))
    run_transfer(replace(request_, resume=True))
    assert request_.output.read_bytes() == (tmp_path / "whole.png").read_bytes()


@pytest.mark.parametrize("looks", [1, 4])
def test_a_pyramid_is_interrupted_at_any_level_and_resumes_to_the_same_bytes(
    request_, tmp_path, looks
):
    options = replace(OPTIONS, solve=SolverOptions(iterations=6, levels=2))
    options = replace(options, picture=PictureOptions(size=96))
    write_picture(request_.content, picture(72, 96, seed=1))
    whole = replace(request_, options=options, output=tmp_path / "whole.png")
    history = run_transfer(whole).history
    assert list(history["level"]) == [1, 1, 1, 1, 2, 2, 2]
    assert history["evaluations"].sum() == read_record(whole.output)["result"]["evaluations"]
    parts = replace(request_, options=options, save_every=1)
    summary = run_transfer(parts, stop_after(looks))
    assert summary.stopped and summary.history["level"][-1] == (1 if looks == 1 else 2)
    # The picture so far has the size that was asked for, whatever the level.
    assert read_picture(parts.output).pixels.shape == (72, 96, 3)
    resumed = run_transfer(replace(parts, resume=True)).history
    assert parts.output.read_bytes() == whole.output.read_bytes()
    assert all(np.array_equal(resumed[name], history[name]) for name in history)


def test_a_killed_run_resumes_to_the_same_bytes(request_, tmp_path):
    """kill -9 once the first checkpoint with a state in it is there."""
    options = replace(OPTIONS, solve=SolverOptions(iterations=200))
    request = replace(request_, options=options)
    arguments = [str(request.content), str(request.styles[0]), "-o", str(request.output)]
    arguments += ["--size", "64", "--content-layers", "pool1", "--style-layers", "input,conv1_relu"]
    arguments += ["--iterations", "200", "--weights", str(request.weights), "--quiet"]
    checkpoint = checkpoint_path(request.output)
    saved = lambda: checkpoint.exists() and checkpoint.stat().st_size > 100_000
    with started([sys.executable, "-c", SAVING, "transfer", *arguments]) as process:
        wait_until(saved, process, "a checkpoint with a state in it")
        process.send_signal(signal.SIGKILL)
        printed(process)
    assert not request.output.exists()
    # Go on to a point that the killed process had not reached, as the uninterrupted run did.
    resumed = run_transfer(replace(request, resume=True), Observer())
    whole = run_transfer(replace(request, output=tmp_path / "whole.png"))
    assert request.output.read_bytes() == whole.output.read_bytes()
    assert resumed.history["loss"].tobytes() == whole.history["loss"].tobytes()
    assert names(tmp_path) == ["content.png", "out.png", "style.png", "whole.png"]


def test_resuming_needs_the_checkpoint_of_the_same_run(request_):
    with pytest.raises(InputError, match="no checkpoint"):
        run_transfer(replace(request_, resume=True))
    run_transfer(request_, Observer(stop=lambda: True))
    other = replace(OPTIONS, loss=replace(SHALLOW, style_weight=5.0))
    with pytest.raises(InputError, match=r"options style_weight 20.0, now 5.0"):
        run_transfer(replace(request_, options=other, resume=True))
    path = checkpoint_path(request_.output)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="not a whole checkpoint"):
        run_transfer(replace(request_, resume=True))


def test_a_run_goes_on_after_an_upgrade_and_under_a_new_name(request_, tmp_path, monkeypatch):
    run_transfer(replace(request_, output=tmp_path / "whole.png"))
    run_transfer(replace(request_, save_every=2), stop_after(2))
    renamed = request_.content.rename(tmp_path / "renamed.png")
    versions = metadata._versions() | {"jax": "99.0"}
    monkeypatch.setattr(metadata, "_versions", lambda: versions)
    said = []
    resumed = replace(request_, content=renamed, resume=True, save_every=2)
    assert not run_transfer(resumed, Observer(warn=said.append)).stopped
    assert len(said) == 1 and "now 99.0" in said[0] and "bytes may differ" in said[0]
    whole, parts = (read_picture(tmp_path / name).pixels for name in ("whole.png", "out.png"))
    np.testing.assert_array_equal(whole, parts)
    assert read_record(request_.output)["content"]["name"] == "renamed.png"


def test_a_full_disk_ends_no_run_that_can_still_write_its_picture(request_, monkeypatch):
    run_transfer(request_)
    whole, said = request_.output.read_bytes(), []

    def full(path, content):
        raise InputError(f"{path}: cannot be written (No space left on device); elsewhere")

    monkeypatch.setattr(checkpoint, "replace_file", full)
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    run_transfer(replace(request_, save_every=2), Observer(warn=said.append))
    assert request_.output.read_bytes() == whole
    assert len(said) == 1 and "checkpoint.npz: cannot be written" in said[0]


def test_a_loss_that_is_not_finite_leaves_the_last_good_picture(request_):
    options = replace(OPTIONS, loss=replace(SHALLOW, style_weight=3e38))
    summary = run_transfer(replace(request_, options=options))
    assert summary.failed
    start = read_picture(request_.content, 64).pixels
    assert np.abs(read_picture(request_.output).pixels - start).max() < 0.02


def test_start_pictures(request_, tmp_path, pair):
    for init in ("content", "style", "noise", str(pair[1])):
        options = replace(OPTIONS, picture=PictureOptions(size=64, init=init))
        request = replace(request_, options=options, output=tmp_path / "start.png")
        run_transfer(request, Observer(stop=lambda: True))
        found = read_picture(tmp_path / "start.png").pixels
        content = read_picture(pair[0], 64).pixels
        assert (np.abs(found - content).max() < 0.02) == (init == "content")
        if init == "noise":
            assert abs(found.mean() - 0.5) < 0.02 and found.std() < 0.1
        checkpoint_path(request.output).unlink()


def test_alpha_comes_back_and_the_hidden_part_is_white(request_, tmp_path):
    alpha = np.zeros((60, 80), np.float32)
    alpha[:, 40:] = 1.0
    write_picture(request_.content, picture(60, 80), alpha)
    for suffix in (".png", ".webp", ".tiff"):
        output = tmp_path / f"out{suffix}"
        run_transfer(replace(request_, output=output), Observer(stop=lambda: True))
        found = read_picture(output)
        assert found.alpha is not None and found.alpha.shape == (48, 64)
        assert found.alpha[:, :30].max() < 0.05 and found.alpha[:, 34:].min() > 0.95
        checkpoint_path(output).unlink()
    assert read_picture(request_.content).pixels[:, :40].min() == 1.0


def test_sixteen_bits(request_, tmp_path):
    import tifffile

    options = replace(OPTIONS, picture=PictureOptions(size=64, bits=16))
    run_transfer(replace(request_, options=options, output=tmp_path / "deep.tiff"))
    samples = tifffile.imread(tmp_path / "deep.tiff")
    assert samples.dtype == np.uint16 and len(np.unique(samples)) > 1000


def test_the_output_may_be_no_input(request_, pair, tmp_path):
    link = tmp_path / "link.png"
    link.symlink_to(pair[1])
    for output in (*pair, link):
        before = output.read_bytes()
        with pytest.raises(InputError, match="is an input"):
            run_transfer(replace(request_, output=output))
        assert output.read_bytes() == before
    named_as_snapshot = tmp_path / "out-0002.png"
    named_as_snapshot.write_bytes(pair[1].read_bytes())
    with pytest.raises(InputError, match=r"out-0002.png: is an input"):
        run_transfer(replace(request_, styles=(named_as_snapshot,), save_every=2))
    run_transfer(request_)
    run_transfer(request_)  # An earlier output may be replaced.


BAD = {
    "--size 100000 needs about": {"picture": PictureOptions(size=100_000)},
    "--size is 31": {"picture": PictureOptions(size=31)},
    "--seed is -1": {"picture": PictureOptions(seed=-1)},
    "--quality is 101": {"picture": PictureOptions(quality=101)},
    "gone.png: no such file": {"picture": PictureOptions(init="gone.png")},
    "--style-weight is -1": {"loss": LossOptions(style_weight=-1.0)},
    "--content-weight is nan": {"loss": LossOptions(content_weight=float("nan"))},
    "--tv-weight is inf": {"loss": LossOptions(tv_weight=float("inf"))},
    "--style-blend has 2 numbers for 1": {"loss": LossOptions(style_blend=(1.0, 2.0))},
    "--style-blend is 0 throughout": {"loss": LossOptions(style_blend=(0.0,))},
    "--style-layer-weights has 1 numbers for 4": {"loss": LossOptions(style_layer_weights=(1.0,))},
    "unknown layer 'conv9'": {"loss": LossOptions(style_layers=("conv9",))},
    "named twice": {"loss": LossOptions(style_layers=("conv1_relu", "conv1/relu"))},
    "--content-layers is empty": {"loss": LossOptions(content_layers=())},
    "--iterations is 0": {"solve": SolverOptions(iterations=0)},
    "--lbfgs-history is 0": {"solve": SolverOptions(lbfgs_history=0)},
    "--learning-rate is 0": {"solve": SolverOptions(learning_rate=0.0)},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_options_are_one_line_and_write_nothing(request_, message):
    before = names(request_.output.parent)
    with pytest.raises(InputError) as caught:
        run_transfer(replace(request_, options=replace(OPTIONS, **BAD[message])))
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert names(request_.output.parent) == before


def test_bad_files_are_one_line_and_write_nothing(request_, tmp_path):
    empty, text, thin = tmp_path / "empty.jpg", tmp_path / "text.png", tmp_path / "thin.png"
    empty.touch()
    text.write_text("not a picture")
    write_picture(thin, picture(16, 800))
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(request_.content.read_bytes()[:-3000])
    weights = tmp_path / "bad.safetensors"
    weights.write_bytes(b"nothing")
    missing = tmp_path / "missing.png"
    folder = tmp_path / "no-folder"
    before = names(tmp_path)
    for change in (
        *({"content": path} for path in (empty, text, thin, truncated, missing, tmp_path)),
        *({"styles": (path,)} for path in (empty, text, thin, truncated, missing)),
        {"styles": ()},
        {"weights": weights},
        {"weights": missing},
        {"output": folder / "out.png"},
        {"output": tmp_path / "out.gif"},
        {"output": tmp_path},
        {"history": folder / "h.csv"},
        {"history": request_.content},
        {"history": request_.output},
        {"plot": tmp_path / "plot.pdf"},
        {"save_every": -1},
    ):
        with pytest.raises(InputError) as caught:
            run_transfer(replace(request_, **change))
        assert "\n" not in str(caught.value), change
        assert names(tmp_path) == before, change


def test_a_device_that_is_not_there_is_an_error(request_):
    with pytest.raises(InputError, match="--device tpu: there is none"):
        run_transfer(replace(request_, device="tpu"))
    run_transfer(replace(request_, device="cpu"))


def test_history_and_plot_are_written(request_, tmp_path):
    run_transfer(replace(request_, history=tmp_path / "h.csv", plot=tmp_path / "p.png"))
    lines = (tmp_path / "h.csv").read_text().splitlines()
    assert lines[0].startswith("iteration,level,loss,content,style,total_variation,content:pool1,")
    assert len(lines) == 1 + 7
    assert read_picture(tmp_path / "p.png").pixels.shape[2] == 3


def test_a_plot_without_matplotlib_is_refused_before_the_run(request_, tmp_path, monkeypatch):
    monkeypatch.setattr("stylejax.transfer.plotting.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"stylejax\[plot\]"):
        run_transfer(replace(request_, plot=tmp_path / "p.png"))
    assert names(tmp_path) == ["content.png", "style.png"]


def test_snapshots_are_numbered():
    assert snapshot_path(Path("a/out.png"), 10) == Path("a/out-0010.png")
