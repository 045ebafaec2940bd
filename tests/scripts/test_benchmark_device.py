"""The command that measures a device runs through, and leaves its figures when it is cut short."""

import json
import shutil
import subprocess
import sys

import pytest
from benchmarks import device


@pytest.fixture
def answered(monkeypatch):
    """Steps that are answered at once, by their words; what is not among the answers fails."""
    asked = []

    def run(words, seconds, folder):
        asked.append(words[0])
        if words[0] == "facts":
            return {"versions": {"jax": "1"}, "device": {"platform": "cpu"}}
        if "-o" in words and "--precision" not in words:
            shutil.copy(__file__, words[words.index("-o") + 1])
        return f"not done after {seconds:.0f} s" if words[0] == "sweep" else {"seconds": 1.0}

    monkeypatch.setattr(device, "_run", run)
    return asked


def measured(folder, *words):
    parser = device.argparse.ArgumentParser()
    device.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["device", "-o", str(folder), *words])
    return arguments.run(arguments)


def test_every_step_is_noted_or_skipped(answered, tmp_path, monkeypatch):
    monkeypatch.setattr(device, "find_spec", lambda name: None)
    report = measured(tmp_path / "figures", "--deadline", "10")
    assert json.loads((tmp_path / "figures" / "device.json").read_text()) == report
    assert tuple(report) == device.KEYS
    assert report["versions"] == {"jax": "1"} and report["equal_bytes"] is True
    assert set(report["memory"]) == {"1024", "2048", "4096"}
    assert set(report["large"]) == {"4096", "8192"}
    assert set(report["cold"]) == {"default", "bfloat16"} and set(report["cached"]) == {"default"}
    assert report["skipped"]["lanes: 512"].startswith("not done after")
    assert report["skipped"]["evaluation: 512, beside eager"] == "torch is not installed"


def test_without_time_all_is_skipped(answered, tmp_path):
    report = measured(tmp_path, "--deadline", "0.01")
    assert answered == ["facts"] and report["cold"] == {} and report["equal_bytes"] is None
    assert set(report["skipped"].values()) == {"no time left", "torch is not installed"} or set(
        report["skipped"].values()
    ) == {"no time left"}


def test_a_step_that_takes_too_long_or_fails_says_so(tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, time\n"
        "if sys.argv[1] == 'slow': time.sleep(60)\n"
        "if sys.argv[1] == 'bad': sys.exit('a reason')\n"
        "print('{\"value\": 1}')\n"
    )
    monkeypatch.setattr(device, "SCRIPT", script)
    assert device._run(("good",), 30.0, tmp_path) == {"value": 1}
    assert device._run(("bad",), 30.0, tmp_path) == "exit code 1: a reason"
    assert device._run(("slow",), 0.2, tmp_path) == "not done after 0 s"


def test_it_runs_through_at_small_sizes(tmp_path):
    command = [sys.executable, str(device.SCRIPT), "device", "--tiny", "--deadline", "10"]
    subprocess.run([*command, "-o", str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    report = json.loads((tmp_path / "device.json").read_text())
    assert report["skipped"] == {} and report["equal_bytes"] is True
    cold, cached = (report[key]["default"] for key in ("cold", "cached"))
    assert cold["compiled"] > 3 and cached["compiled"] == 0
    assert {program["name"] for program in cached["programs"]} == {
        program["name"] for program in cached["programs"] if "read" in program
    }
    assert report["lanes"]["64"]["lanes"] == 2 and report["device"]["platform"]
    assert set(report["evaluation"]) == {"64", "64, plain kernels"}
    for key in ("memory", "large"):
        (figures,) = report[key].values()
        assert 0 < figures["estimated_memory_bytes"]
