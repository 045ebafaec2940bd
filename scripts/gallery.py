"""Make the pictures of docs/gallery.md from the very commands that stand there.

python scripts/gallery.py
python scripts/gallery.py canyon-udnie pier-foam
"""

import argparse
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from stylejax.cli.entry import main as run_command

ROOT = Path(__file__).resolve().parent.parent
# Of the pictures that are kept, in pixels and bytes: a page holds many.
LONGEST, LARGEST = 640, 120_000


def commands(page: str) -> dict[str, list[str]]:
    """The words of each command of a page, without `stylejax`, by the stem of what it writes."""
    found = {}
    for line in re.findall(r"^stylejax .*$", page, re.MULTILINE):
        words = shlex.split(line, comments=True)[1:]
        if "-o" in words:
            found[Path(words[words.index("-o") + 1]).stem] = words
    return found


def keep(made: Path, kept: Path) -> None:
    """Reduce a picture to a small JPEG: the best quality that is small enough."""
    with Image.open(made) as picture:
        reduced = picture.convert("RGB")
    reduced.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    for quality in range(92, 40, -4):
        reduced.save(kept, quality=quality, optimize=True)
        if kept.stat().st_size <= LARGEST:
            break


def main() -> int:
    """Run those commands that are named, or all; the exit code is that of the first that fails."""
    told = commands((ROOT / "docs" / "gallery.md").read_text())
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*told, []], metavar="NAME")
    names = parser.parse_args().names or told
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            made, words = Path(folder, f"{name}.png"), list(told[name])
            words[words.index("-o") + 1] = str(made)
            words = [str(ROOT / word) if word.startswith("docs/") else word for word in words]
            begin = time.monotonic()
            code = run_command([*words, "--quiet"])
            if code:
                return code
            keep(made, ROOT / "docs" / "gallery" / f"{name}.jpg")
            print(f"{name}: {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
