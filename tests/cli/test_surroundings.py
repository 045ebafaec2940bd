"""What is around a run: signals, streams, names of files, JAX's modes, the environment."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import jax
import platformdirs
import pytest
from problems import picture, random_weights
from processes import printed, started

from stylejax.cli import screen, surroundings
from stylejax.cli.display import figure_display
from stylejax.cli.entry import main
from stylejax.cli.screen import complain, print_text
from stylejax.cli.surroundings import MOST_CACHED_BYTES, ordinary_modes, use_compile_cache
from stylejax.images.write import write_picture
from stylejax.strict_json import json_text

# A test run in the background hands on that SIGINT is ignored.
ANSWERED = """
import hashlib, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
from stylejax.cli.interrupts import answered_interrupts
with answered_interrupts(lambda: "interrupted at once", ends=True):
    # Said when the work below is under way: before it, Python itself would see to the signal.
    threading.Timer(0.5, print, ["ready"], {"flush": True}).start()
    # As XLA's compiler, this is no Python, and does not look after signals.
    hashlib.pbkdf2_hmac("sha256", b"", b"", 500_000_000)
"""
IMPORTING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from stylejax import __main__
# The first of the imports, so that there is no race with the signal.
import importlib.abc, sys
class Waits(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "jax":
            print("importing", flush=True)
            import time
            time.sleep(30)
sys.meta_path.insert(0, Waits())
sys.argv = ["stylejax", "styles"]
__main__.run()
"""


@pytest.fixture
def pair(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    write_picture(tmp_path / "photo.png", picture(48, 64, seed=1))
    write_picture(tmp_path / "painting.png", picture(48, 64, seed=2))
    return ["photo.png", "painting.png"]


def set_to(name):
    """What one of JAX's settings is."""
    return getattr(jax.config, name)


def test_ctrl_c_is_answered_while_no_python_runs_and_a_second_one_ends():
    with started([sys.executable, "-c", ANSWERED]) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert "Ctrl-C again ends at once" in process.stderr.readline()
        assert time.monotonic() - began < 5
        process.send_signal(signal.SIGINT)
        _, said = printed(process)
    assert process.returncode == 130 and said == "stylejax: interrupted at once\n"


def test_ctrl_c_during_imports_is_one_line():
    with started([sys.executable, "-c", IMPORTING]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        _, said = printed(process)
    assert process.returncode == 130 and said == "stylejax: interrupted\n"


def test_a_checkpoint_is_spoken_of_only_where_there_is_one(pair, capsys, monkeypatch):
    def interrupted(command):
        raise KeyboardInterrupt

    monkeypatch.setattr("stylejax.cli.transfer_command.run_transfer_command", interrupted)
    arguments = ["transfer", *pair, "-o", "out.png"]
    assert main(arguments) == 130
    assert capsys.readouterr().err == "stylejax: interrupted at once\n"
    open("out.png.checkpoint.npz", "w").close()
    assert main(arguments) == 130
    assert "--resume goes on" in capsys.readouterr().err


def test_the_command_line_works_outside_of_the_main_thread(capsys):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(main(["layers"])))
    thread.start()
    thread.join()
    assert codes == [0] and "conv1_relu" in capsys.readouterr().out


class Full(io.StringIO):
    def flush(self):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_output_that_takes_no_more_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["layers"]) == 1
    said = "stylejax: error: standard output: No space left on device\n"
    assert capsys.readouterr().err == said
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["layers"]) == 0


def test_a_full_device_as_output_of_the_program():
    command = [sys.executable, "-m", "stylejax", "layers"]
    with open("/dev/full", "w") as full:
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert run.returncode == 1 and run.stderr.count("\n") == 1 and "No space left" in run.stderr


def test_what_an_encoding_lacks_is_escaped(monkeypatch, capsys):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii", write_through=True))
    print_text(f"ä {os.fsdecode(bytes([233]))}.png\nb")
    assert written.getvalue() == b"\\xe4 \\xe9.png\nb\n"
    monkeypatch.undo()
    complain("two\nlines of caf\udce9")
    assert capsys.readouterr().err == "stylejax: two\\nlines of caf\\xe9\n"


def test_names_are_no_markup(capsys):
    with figure_display() as show:
        show("[/red]:smile:[b].png", 0, 1)
    assert "[/red]:smile:[b].png" in capsys.readouterr().err
    assert screen.shown("a\x1b[31m") == "a\\x1b[31m"


def test_json_has_no_numbers_that_json_has_not():
    values = {"a": float("inf"), "b": [float("nan"), 1.5], "c": {"d": -float("inf")}, "e": "ä"}
    text = json_text(values)
    expected = {"a": None, "b": [None, 1.5], "c": {"d": None}, "e": "ä"}
    assert json.loads(text, parse_constant=pytest.fail) == expected and text.isascii()


LONG = "x" * 300
COMMANDS = [
    ["transfer", LONG, "painting.png", "-o", "out.png"],
    ["transfer", "photo.png", LONG, "-o", "out.png"],
    ["transfer", "photo.png", "painting.png", "-o", f"{LONG}.png"],
    # The name of the checkpoint is longer still.
    ["transfer", "photo.png", "painting.png", "-o", f"{LONG[:245]}.png"],
    ["transfer", "photo.png", "painting.png", "-o", "out.png", "--history", LONG],
    ["transfer", "photo.png", "painting.png", "-o", "out.png", "--init", LONG],
    ["transfer", "photo.png", "painting.png", "-o", "out.png", "--weights", LONG],
    ["transfer", "photo.png", "painting.png", "-o", "out.png", "--like", LONG],
    ["sweep", "photo.png", "painting.png", "-o", LONG],
    ["universal", LONG, "painting.png", "-o", "out.png"],
    ["universal", "photo.png", "painting.png", "-o", "out.png", "--decoders", LONG],
    [
        "universal",
        "photo.png",
        "painting.png",
        "-o",
        "o.png",
        "--save-style",
        f"{LONG}.safetensors",
    ],
    ["apply", LONG, "--style", "scream", "-o", "out.png"],
    ["apply", "photo.png", "--style", f"{LONG}.safetensors", "-o", "out.png"],
    ["apply", "photo.png", "--style", "scream", "-o", LONG],
    ["reconstruct", "--content", LONG, "-o", "out.png"],
    ["train", "style", LONG, "--photos", ".", "-o", "o.safetensors", "--steps", "1"],
    ["train", "style", "photo.png", "--photos", LONG, "-o", "o.safetensors", "--steps", "1"],
    ["styles", LONG],
    ["show", LONG],
    ["weights", "verify", LONG],
    ["weights", "convert", LONG, "-o", "o.safetensors"],
]
ODD = {"a\0b.png": "null byte", "loop.png": "symbolic links", "photo.png/x.png": "no such file"}


def refused(arguments, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.startswith("stylejax: error: ")
    return said.err


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda words: f"{words[0]} {len(words)}")
def test_names_that_are_too_long_are_one_line(pair, tmp_path, capsys, arguments):
    before = sorted(tmp_path.iterdir())
    assert LONG[:40] in refused(arguments, capsys)
    assert sorted(tmp_path.iterdir()) == before


def test_odd_names_are_one_line(pair, tmp_path, capsys):
    (tmp_path / "loop.png").symlink_to("loop.png")
    for name, reason in ODD.items():
        assert reason in refused(["show", name], capsys)
        assert reason in refused(["reconstruct", "--style", name, "-o", "out.png"], capsys)
    assert "caf\\xe9.png" in refused(["show", os.fsdecode(b"caf\xe9.png")], capsys)


def test_weights_that_are_nowhere_leave_the_help(pair, capsys, monkeypatch):
    monkeypatch.setenv("STYLEJAX_WEIGHTS", "nowhere/weights.safetensors")
    with pytest.raises(SystemExit) as end:
        main(["transfer", "--help"])
    assert end.value.code == 0 and "--style-weight" in capsys.readouterr().out
    assert "no such file" in refused(["transfer", *pair, "-o", "out.png"], capsys)


def test_devices_that_are_nowhere_are_one_line(pair, tmp_path):
    environment = {**os.environ, "JAX_PLATFORMS": "nonsense"}
    command = [sys.executable, "-m", "stylejax", "transfer", *pair, "-o", "out.png"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 2 and run.stderr.count("\n") == 1, run.stderr
    assert "JAX_PLATFORMS=nonsense" in run.stderr and not (tmp_path / "out.png").exists()


def test_jaxs_strict_modes_are_off_while_a_command_runs():
    before = set_to("jax_numpy_rank_promotion")
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_debug_nans", True)
    try:
        with ordinary_modes():
            assert jax.numpy.ones(3) @ jax.numpy.ones((2, 3, 1)) is not None
            assert not set_to("jax_debug_nans") and not set_to("jax_disable_jit")
        assert set_to("jax_numpy_rank_promotion") == "raise" and set_to("jax_debug_nans")
    finally:
        jax.config.update("jax_numpy_rank_promotion", before)
        jax.config.update("jax_debug_nans", False)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """The folder of compiled programs, as of a user who has not named one."""
    names = ("dir", "max_size")
    before = {f"jax_compilation_cache_{name}": None for name in names}
    before = {name: getattr(jax.config, name) for name in before}
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    folder = tmp_path / "cache"
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: folder)
    yield folder / "compiled"
    for name, value in before.items():
        jax.config.update(name, value)


def test_the_compile_cache_has_a_bound_and_is_made_whole(own_cache):
    own_cache.mkdir(parents=True)
    (own_cache / "killed-cache").write_bytes(b"half")
    use_compile_cache()
    assert set_to("jax_compilation_cache_dir") == str(own_cache)
    assert set_to("jax_compilation_cache_max_size") == MOST_CACHED_BYTES
    assert (own_cache / "killed-atime").read_bytes() == bytes(8)


@pytest.mark.parametrize("place", ["~/cache", "/dev/null/cache"])
def test_without_a_place_for_it_nothing_is_kept(own_cache, monkeypatch, tmp_path, place):
    monkeypatch.chdir(tmp_path)
    before = set_to("jax_compilation_cache_dir")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: surroundings.Path(place))
    use_compile_cache()
    assert set_to("jax_compilation_cache_dir") == before and list(tmp_path.iterdir()) == []
