import jax

from stylejax.cli.entry import main
from stylejax.runs import device_check
from stylejax.runs.device_check import warn_of_wrong_answers


def test_what_is_right_is_asked_once(tmp_path, monkeypatch):
    asked, said = [], []
    monkeypatch.setattr(device_check, "wrong_answers", lambda ours_alone: asked.append(1))
    for _ in range(2):
        warn_of_wrong_answers(jax.devices()[0], tmp_path / "programs", said.append)
    assert asked == [1] and said == []
    warn_of_wrong_answers(jax.devices()[0], None, said.append)
    assert asked == [1, 1] and said == []


def test_what_is_wrong_is_said_each_time(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(device_check, "wrong_answers", lambda ours_alone: ["a sum", "a product"])
    for _ in range(2):
        warn_of_wrong_answers(jax.devices()[0], tmp_path, said.append)
    assert len(said) == 2 and "computes a sum and a product wrong on cpu" in said[0]


def test_info_says_what_there_is(capsys):
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    for word in ("stylejax", "jaxlib", "cpu:0", "GB free", "cache", "programs", "distilled"):
        assert word in shown
    assert main(["info", "--device", "nothing"]) == 2
    assert "--device nothing: there is none (JAX sees: cpu)" in capsys.readouterr().err
