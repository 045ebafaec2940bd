"""Rows of picture files: every kind of bad file in every place where a picture is named."""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from campaigns.rows import Row
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture

SHALLOW = ("--size", "64", "--content-layers", "pool1", "--style-layers", "input,conv1_relu")
_STRANGERS = {
    "text": b"no picture at all\n" * 9,
    "page.html": b"<!doctype html><html><body>Log in</body></html>",
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'/>",
    "paper.pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n",
    "packed.zip": b"PK\x05\x06" + bytes(18),
    "array.npy": b"\x93NUMPY\x01\x00v\x00" + b" " * 118,
    "program": b"\x7fELF" + bytes(60),
    "zeros.png": bytes(4096),
    "lines.json": b'{"a": [1, 2, 3]}',
    "sound.wav": b"RIFF\x24\0\0\0WAVEfmt ",
    "pointer.jpg": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
    "script.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
    "signature.png": b"\x89PNG\r\n\x1a\n",
    "marker.jpg": b"\xff\xd8\xff",
    "header.tif": b"II*\0\x08\0\0\0",
}
"""Files that are no pictures, by name: each is refused in a line that names it."""


def picture(height: int = 64, width: int = 64, seed: int = 0) -> np.ndarray:
    """Colors that change from pixel to pixel, float32, height x width x 3 in [0, 1]."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / 7 + seed), np.cos(columns / 5 - seed), np.sin((rows + columns) / 9)]
    return (0.5 + 0.4 * np.stack(waves, axis=-1)).astype(np.float32)


def _encoded(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.uint8(255 * picture())).save(file, kind, **options)
    return file.getvalue()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, color: int, data: bytes, *more: bytes) -> bytes:
    """A PNG of what is said, true or not."""
    header = struct.pack(">2I5B", width, height, depth, color, 0, 0, 0)
    body = _chunk(b"IHDR", header) + b"".join(more) + _chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + body + _chunk(b"IEND", b"")


def _bad_files() -> dict[str, bytes]:
    whole = {end: _encoded(kind) for end, kind in _KINDS.items()}
    bad = dict(_STRANGERS)
    bad |= {f"half.{end}": content[: len(content) // 3] for end, content in whole.items()}
    changed = bytearray(whole["png"])
    changed[len(changed) // 2] ^= 255
    bad["changed.png"] = bytes(changed)
    bad["bomb.png"] = png(60_000, 60_000, 8, 2, b"")
    bad["short.png"] = png(64, 64, 8, 2, bytes(100))
    bad["empty.png"] = b""
    for name, samples in {
        "infinite.tif": np.full((64, 64), np.inf, np.float32),
        "nan.tif": np.full((64, 64), np.nan, np.float32),
        "bright.tif": np.full((64, 64), 7.5, np.float32),
    }.items():
        file = io.BytesIO()
        tifffile.imwrite(file, samples)
        bad[name] = file.getvalue()
    return bad


_KINDS = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "webp": "WEBP", "gif": "GIF", "bmp": "BMP"}


def places(name: str, mask: str = "mask.png") -> dict[str, tuple[str, ...]]:
    """Command lines that name a picture in each of the places where one may stand."""
    pair, output = ("content.png", "style.png"), ("-o", "out.png", "--quiet")
    training = ("--photos", "photos", "--steps", "1", "-o", "out.safetensors", "--quiet")
    painted = ("--style", "scream", *output)
    return {
        "transfer content": ("transfer", name, pair[1], *output),
        "transfer style": ("transfer", *pair, name, *output),
        "transfer start": ("transfer", *pair, "--init", name, *output),
        "transfer mask": ("transfer", *pair, "--content-mask", name, *output),
        "transfer style mask": (
            *("transfer", *pair, "--content-mask", mask, "--style-mask", name),
            *output,
        ),
        "sweep content": ("sweep", name, pair[1], "-o", "out", "--quiet"),
        "sweep style": ("sweep", pair[0], name, "-o", "out", "--quiet"),
        "universal content": ("universal", name, pair[1], *output),
        "universal style": ("universal", pair[0], name, *output),
        "texture": ("universal", "--texture", name, *output),
        "universal mask": ("universal", *pair, "--content-mask", name, *output),
        "apply photo": ("apply", name, *painted),
        "apply mask": ("apply", pair[0], "--content-mask", name, *painted),
        "apply sweep": ("sweep", name, "--method", "apply", "--style", "scream", "-o", "out"),
        "figure content": ("reconstruct", "--content", name, *output),
        "figure style": ("reconstruct", "--style", name, *output),
        "training": ("train", "style", name, *training),
        "like": ("transfer", *pair, "--like", name, *output),
        "show": ("show", name),
    }


_FEW = ("transfer content", "universal style", "apply photo", "figure content", "training", "show")
"""Places that stand for the others where the file is one of many of its kind."""


def file_rows() -> Iterator[Row]:
    """Bad files in every place, and odd files that are read for what they are."""
    for name, seed in {"content": 1, "style": 2, "photos/a": 3}.items():
        Path(name).parent.mkdir(exist_ok=True)
        write_picture(Path(f"{name}.png"), picture(seed=seed))
    write_picture(Path("mask.png"), np.ones((64, 64, 3), np.float32))
    Path("folder.png").mkdir()
    for name, content in _bad_files().items():
        Path(name).write_bytes(content)
        few = _FEW if name in _STRANGERS else places(name)
        for place, line in places(name).items():
            # Those of the description are read for their header alone.
            by_header = name.startswith(("half", "changed", "short")) or name.endswith(".tif")
            if place in few and not (by_header and place in ("like", "show")):
                yield Row(f"{name} as {place}", line, name)
    for name in ("missing.png", "folder.png"):
        for place, line in places(name).items():
            # Where a folder may stand, an output that is one file is refused first.
            several = place in ("apply photo", "transfer content")
            reason = "need a folder" if several else name
            reason = reason if name == "folder.png" else "no such file"
            yield Row(f"{name} as {place}", line, reason)
    for size, name in (((15, 15), "tiny.png"), ((1, 1), "one.png"), ((15, 900), "thin.png")):
        Image.fromarray(np.uint8(255 * picture(*size))).save(name)
        for place, line in places(name).items():
            yield Row(f"{name} as {place}", line, name)
    yield from _output_rows()
    yield from _odd_rows()


def _output_rows() -> Iterator[Row]:
    """Outputs that cannot be, or are inputs."""
    for ending in (".gif", ".bmp", ".psd", "", ".png.txt"):
        line = ("transfer", "content.png", "style.png", "-o", f"out{ending}")
        yield Row(f"output {ending!r}", line, "extension")
    commands = {
        "transfer": ("transfer", "content.png", "style.png"),
        "universal": ("universal", "content.png", "style.png"),
        "apply": ("apply", "content.png", "--style", "scream"),
        "figure": ("reconstruct", "--content", "content.png"),
    }
    for name, line in commands.items():
        for output, reason in {
            "content.png": "is an input",
            "gone/out.png": "no folder",
            "content.png/out.png": "content.png",
        }.items():
            yield Row(f"{name} to {output}", (*line, "-o", output), reason)
    yield Row("deep jpeg", (*commands["transfer"], "-o", "o.jpg", "--bits", "16"), "16 bits")
    yield Row("sweep to file", ("sweep", "content.png", "style.png", "-o", "mask.png"), "is a file")
    yield Row(
        "several to a file",
        ("apply", "content.png", "style.png", "--style", "scream", "-o", "out.png"),
        "several photographs need a folder",
    )
    Path("twice").mkdir()
    for name in ("twice/a.png", "twice/a.jpg"):
        write_picture(Path(name), picture())
    for command, more in (("universal", ("style.png",)), ("apply", ("--style", "scream"))):
        line = (command, "twice", *more, "-o", "out")
        yield Row(f"{command}, equal stems", line, "would both be a.png")
    Path("none").mkdir()
    for command, more in (("universal", ("style.png",)), ("apply", ("--style", "scream"))):
        yield Row(
            f"{command} of nothing", (command, "none", *more, "-o", "out"), "holds no picture"
        )


def _same(name: str, expected: np.ndarray, tolerance: float = 0.0) -> bool:
    return bool(np.abs(read_picture(Path(name)).pixels - expected).max() <= tolerance)


def _odd_rows() -> Iterator[Row]:
    """Files that Pillow misreads, or that are called something else."""
    pixels = (255 * picture()).astype(np.uint8)
    exact = pixels.astype(np.float32) / 255
    deep = pixels.astype(np.uint16) * 257
    Path("wrong-name.jpg").write_bytes(_encoded("PNG"))
    yield Row("a PNG called .jpg", lambda: _same("wrong-name.jpg", exact))
    for name in ("with spaces.png", "näme-日本.png", "-dash.png", "per%cent.png"):
        Path(name).write_bytes(_encoded("PNG"))
        yield Row(f"called {name}", lambda name=name: _same(name, exact))
    tifffile.imwrite(
        "planar16.tif", np.moveaxis(deep, -1, 0), photometric="rgb", planarconfig="separate"
    )
    yield Row("planar 16-bit TIFF", lambda: _same("planar16.tif", exact, 1e-6))
    tifffile.imwrite("chunky16.tif", deep, photometric="rgb")
    yield Row("16-bit TIFF", lambda: _same("chunky16.tif", exact, 1e-6))
    rows = np.concatenate(
        [np.zeros((64, 1), np.uint8), deep.astype(">u2").view(np.uint8).reshape(64, -1)], axis=1
    )
    clear = _chunk(b"tRNS", deep[0, 0].astype(">u2").tobytes())
    Path("clear16.png").write_bytes(png(64, 64, 16, 2, rows.tobytes(), clear))
    yield Row("16-bit PNG, transparent color", lambda: _has_alpha("clear16.png"))
    whole = _encoded("JPEG", quality=95)
    Path("whole.jpg").write_bytes(whole)
    Path("no-end-marker.jpg").write_bytes(whole[:-2])
    yield Row(
        "JPEG without its end marker",
        lambda: _same("no-end-marker.jpg", read_picture(Path("whole.jpg")).pixels),
    )
    yield Row("AVIF, written and read", _avif)


def _has_alpha(name: str) -> bool:
    alpha = read_picture(Path(name)).alpha
    return alpha is not None and alpha[0, 0] == 0.0


def _avif() -> bool:
    write_picture(Path("a.avif"), picture())
    return _same("a.avif", picture(), 0.1)
