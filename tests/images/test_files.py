import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stylejax.errors import InputError
from stylejax.images import files
from stylejax.images.files import check_writable, replace_file
from stylejax.images.paths import read_bytes, shown

WRITER = """
import sys
from pathlib import Path
from stylejax.images.files import replace_file
path, byte, rounds = Path(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])
for _ in range(rounds):
    replace_file(path, byte * 50_000)
"""


def test_a_file_is_put_in_place_and_nothing_stays_beside_it(tmp_path):
    path = tmp_path / "out.bin"
    replace_file(path, b"first")
    replace_file(path, b"second")
    assert path.read_bytes() == b"second" and list(tmp_path.iterdir()) == [path]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_an_output_that_is_a_link_is_written_through(tmp_path):
    real, link = tmp_path / "real.bin", tmp_path / "link.bin"
    link.symlink_to(real)
    check_writable(link)
    replace_file(link, b"through")
    assert link.is_symlink() and real.read_bytes() == b"through"


def test_the_temporarys_name_cannot_be_foreseen(tmp_path, monkeypatch):
    names = []
    real_open = os.open

    def watching(path, flags, *rest, **named):
        if str(path).endswith(".tmp"):
            names.append(Path(path).name)
            assert flags & os.O_EXCL and flags & os.O_CREAT
        return real_open(path, flags, *rest, **named)

    monkeypatch.setattr(files.os, "open", watching)
    for _ in range(2):
        replace_file(tmp_path / "out.bin", b"x")
    assert len(set(names)) == 2


def test_a_link_planted_under_a_known_name_is_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    monkeypatch.setattr(files.secrets, "token_hex", lambda n: "known")
    name = f"{files._prefix(tmp_path / 'out.bin')}{os.getpid()}-known.tmp"
    (tmp_path / name).symlink_to(victim)
    with pytest.raises(InputError, match="cannot be written"):
        replace_file(tmp_path / "out.bin", b"x")
    assert victim.read_bytes() == b"precious"


def test_what_killed_writers_left_is_removed_and_other_files_are_not(tmp_path):
    path = tmp_path / "out.bin"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f"{files._prefix(path)}{ended.pid}-00.tmp"
    at_work = tmp_path / f"{files._prefix(path)}{os.getpid()}-00.tmp"
    others = tmp_path / f"{files._prefix(tmp_path / 'other')}{ended.pid}-00.tmp"
    for each in (left, at_work, others):
        each.write_bytes(b"half")
    replace_file(path, b"whole")
    assert not left.exists() and at_work.exists() and others.exists()


def test_two_writers_at_once_both_end_well_and_no_file_is_torn(tmp_path):
    path, rounds = tmp_path / "out.bin", 150
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), byte, str(rounds)])
        for byte in "ab"
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            content = path.read_bytes()
            assert content in (b"a" * 50_000, b"b" * 50_000)
            seen.add(content[:1])
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen and list(tmp_path.iterdir()) == [path]


def test_devices_and_pipes_are_written_to_and_never_replaced(tmp_path):
    before = os.stat("/dev/null").st_mode
    check_writable(Path("/dev/null"))
    replace_file(Path("/dev/null"), b"gone")
    assert os.stat("/dev/null").st_mode == before and stat.S_ISCHR(before)
    with pytest.raises(InputError, match="/dev/full: No space left"):
        replace_file(Path("/dev/full"), b"x" * 100_000)
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    replace_file(pipe, b"through the pipe")
    assert reader.communicate()[0] == b"through the pipe"


@pytest.mark.parametrize("name", ["x" * 300, "ä" * 200, "a\0b", "missing/out.bin"])
def test_what_cannot_be_written_is_one_line_before_and_after(tmp_path, name):
    for call in (check_writable, lambda path: replace_file(path, b"x")):
        with pytest.raises(InputError) as caught:
            call(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_reading_takes_pipes_and_says_what_is_wrong(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = subprocess.Popen(["sh", "-c", f"printf hello > '{pipe}'"])
    assert read_bytes(pipe) == b"hello" and writer.wait() == 0
    (tmp_path / "empty").touch()
    wrong = {"empty": "is empty", "nothing": "no such file", ".": "is a folder", "y" * 300: "long"}
    for name, message in wrong.items():
        with pytest.raises(InputError, match=message):
            read_bytes(tmp_path / name)


def test_names_that_are_no_text_can_be_shown():
    assert shown(Path(os.fsdecode(b"caf\xe9.png"))) == "caf\\xe9.png"
    assert shown(Path("café.png")) == "café.png"
