"""The pictures that a browser may see or name: each has an id that tells nothing of its file."""

import json
import secrets
import threading
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from stylejax.errors import InputError, TooManyPixels
from stylejax.images.encoding import encode_jpeg
from stylejax.images.files import replace_file
from stylejax.images.read import decode_picture, read_picture_file

MOST_PIXELS = 50_000_000
"""Of a picture that is sent here; the file's header says how many it has."""
_LONGEST_NAME = 100
_BYTES_OF_AN_ID = 16


def new_id() -> str:
    """An id that cannot be guessed."""
    return secrets.token_hex(_BYTES_OF_AN_ID)


def shown_name(name: str, default: str) -> str:
    """A file's name as its sender has it, to be shown and for nothing else."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:_LONGEST_NAME] or default


class ShownPicture(NamedTuple):
    """A picture file and what it is called on the page.

    `is_ours`: the file was written by a job, so that it may be handed out as it is; any other is
    shown as we encode it.
    """

    id: str
    path: Path
    name: str
    is_ours: bool = False


@lru_cache(maxsize=64)
def _encoded(path: Path, changed: int, longest: int) -> bytes:
    return encode_jpeg(decode_picture(read_picture_file(path), longest).pixels)


# Each takes hundreds of megabytes while it lasts: one at a time.
_decoding = threading.Lock()


def preview(path: Path, longest: int) -> bytes:
    """A picture file as JPEG, its longer side made `longest` pixels at most.

    Raises:
        InputError: the file is missing or damaged.
    """
    file = read_picture_file(path)
    with _decoding:
        longest = min(longest, max(file.height, file.width))
        return _encoded(path, path.stat().st_mtime_ns, longest)


class Pictures:
    """All pictures that browsers have sent, in a folder, and all others that they are shown."""

    def __init__(self, folder: Path) -> None:
        """Find again what was sent before."""
        self.folder = folder
        self.sent: dict[str, ShownPicture] = {}
        self.by_checksum: dict[str, str] = {}
        self._shown: dict[str, ShownPicture] = {}
        self._ids: dict[Path, str] = {}
        for entry in sorted(folder.glob("*.json")):
            try:
                said = json.loads(entry.read_text())
                self._keep(entry.stem, str(said["name"]), str(said["sha256"]))
            except (OSError, ValueError, KeyError):
                continue

    def _path(self, id: str) -> Path:
        return self.folder / f"{id}.picture"

    def _keep(self, id: str, name: str, sha256: str) -> ShownPicture:
        self.sent[id] = ShownPicture(id, self._path(id), name)
        self.by_checksum[sha256] = id
        return self.sent[id]

    def receive(self, content: bytes, name: str) -> ShownPicture:
        """Keep a picture that was sent; the same one twice is kept once.

        Raises:
            InputError: it is no picture, a damaged one, or has too many pixels.
        """
        id, name = new_id(), shown_name(name, "picture")
        path = self._path(id)
        try:
            # The folder may have gone while the server runs.
            self.folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            file = read_picture_file(path)
            pixels = file.height * file.width
            if pixels > MOST_PIXELS:
                raise InputError(
                    f"{path}: {pixels:,} pixels, at most {MOST_PIXELS:,} are taken; scale it down "
                    "first"
                )
            known = self.by_checksum.get(file.sha256)
            if known is not None and self.sent[known].path.exists():
                path.unlink()
                return self.sent[known]
            # Whether all of it is whole.
            preview(path, 64)
            said = json.dumps({"name": name, "sha256": file.sha256})
            replace_file(path.with_suffix(".json"), said.encode())
            return self._keep(id, name, file.sha256)
        except TooManyPixels as error:
            path.unlink(missing_ok=True)
            # Of the two bounds the page's own is the one to keep.
            most = f"more than {MOST_PIXELS:,} pixels; scale it down first"
            raise InputError(f"{name}: {most}") from error
        except InputError as error:
            path.unlink(missing_ok=True)
            raise InputError(str(error).replace(str(path), name)) from error
        except OSError as error:
            path.unlink(missing_ok=True)
            raise InputError(f"{name}: cannot be kept ({error.strerror})") from error

    def show(self, path: Path, name: str, *, is_ours: bool = False) -> ShownPicture:
        """Give a picture file that lies here an id, the same one each time."""
        id = self._ids.setdefault(path, new_id())
        self._shown[id] = ShownPicture(id, path, name, is_ours)
        return self._shown[id]

    def find(self, id: str) -> ShownPicture | None:
        """The picture of an id."""
        return self.sent.get(id) or self._shown.get(id)
