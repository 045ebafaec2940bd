"""Two processes that write one file at the same time, again and again, while a third reads it."""

import subprocess
import sys
import tempfile
from pathlib import Path

from stylejax.images.files import replace_file

_BYTES = 50_000


def write_repeatedly(path: Path, byte: str, rounds: int) -> None:
    """Write a file full of one letter so many times, waiting at each for a word from the parent."""
    for number in range(rounds):
        sys.stdin.readline()
        replace_file(path, f"{number:08d}{byte * _BYTES}".encode())
        sys.stdout.write("\n")
        sys.stdout.flush()


def _start(path: Path, byte: str, rounds: int) -> subprocess.Popen[str]:
    here = Path(__file__).resolve().parent.parent
    code = (
        f"import sys; sys.path[:0] = [{str(here)!r}, {str(here.parent)!r}]\n"
        "from pathlib import Path\n"
        "from campaigns.writers import write_repeatedly\n"
        f"write_repeatedly(Path({str(path)!r}), {byte!r}, {rounds})\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _is_whole(content: bytes, number: int) -> bool:
    """Whether this is one writer's file, of this round or of the one before."""
    rounds = [f"{n:08d}".encode() for n in (number, number - 1)]
    return any(content == n + byte * _BYTES for n in rounds for byte in (b"a", b"b"))


def run(rounds: int = 1_000, seed: int = 0) -> tuple[int, int]:
    """So many races of two writers; returns the races and those that went wrong.

    Args:
        rounds: races.
        seed: not used: the system says who is first.
    """
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="stylejax-writers-") as folder:
        path = Path(folder) / "out.bin"
        writers = [_start(path, byte, rounds) for byte in "ab"]
        for number in range(rounds):
            for writer in writers:
                assert writer.stdin is not None
                writer.stdin.write("\n")
                writer.stdin.flush()
            between = path.read_bytes() if path.exists() else None
            ended = [writer.stdout is not None and writer.stdout.readline() for writer in writers]
            reason = None
            if not all(ended):
                reason = "a writer has failed"
            elif between is not None and not _is_whole(between, number):
                reason = "the file was torn"
            elif path.read_bytes()[:8] != f"{number:08d}".encode() or not _is_whole(
                path.read_bytes(), number
            ):
                reason = "the last one has not won"
            elif [each for each in path.parent.iterdir() if each != path]:
                reason = "something is left beside the file"
            if reason is not None:
                wrong += 1
                print(f"race {number}: {reason}")
        for writer in writers:
            writer.communicate(timeout=60)
    return rounds, wrong
