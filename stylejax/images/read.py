"""From a picture file to arrays.

A picture is a NumPy float32 array, height x width x 3, sRGB in [0, 1], first row on top; alpha is
height x width in [0, 1], where 1 is opaque. Whatever a file holds (gray, palette, CMYK, another
color space, a turned camera) is brought to that form on reading. 16 bits stay 16, but for color in
another space than sRGB, which is converted at 8.
"""

import hashlib
import io
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from stylejax.errors import InputError, InputWarning
from stylejax.images._jpeg import completed_jpeg
from stylejax.images._kinds import (
    SAVE_AS,
    kind_of,
    pillow_formats,
    unsupported_jpeg,
    why_not_recognized,
)
from stylejax.images._layers import TURNS, Layers, load_quietly
from stylejax.images._pillow import exif_of, loaded_layers, orientation_of
from stylejax.images._png import decode_png16, find_exif, mend_transparency
from stylejax.images._refusals import MAXIMUM_PIXELS, one_line_errors
from stylejax.images._tiff import Tiff, decode_tiff, open_tiff
from stylejax.images.arrays import Picture
from stylejax.images.paths import is_folder, is_special, path_exists, read_bytes
from stylejax.images.scaling import fitted_size, resize
from stylejax.types import PathLike

# In pixels: two positions of a feature map of stride 8.
MINIMUM_SIDE = 16
HUGE_PIXELS = 2**25
"""A picture of more pixels is reduced before it is made floats, where a small one is asked for: as
a whole it takes 26 bytes a pixel. A JPEG is not even decoded as a whole."""

READ_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif")
)
"""How pictures are found in a folder; a file that is named may have any suffix."""

# As Pillow names them; the second are pictures of several lenses or of one for each eye.
_JPEGS = ("JPEG", "MPO")
# Modes whose samples can be averaged.
_REDUCED = ("L", "RGB", "CMYK")


class PictureFile(NamedTuple):
    """A picture's file, read and recognized but not decoded.

    `content` is all of its bytes; `height` and `width` are those of the upright picture, in pixels.
    """

    path: Path
    content: bytes
    height: int
    width: int

    @property
    def sha256(self) -> str:
        """The checksum of the file's bytes, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


def read_picture_file(path: PathLike) -> PictureFile:
    """Read a file's bytes, once for all that is asked of them; only the header is decoded.

    Raises:
        InputError: The file is missing, empty, no picture, too small or too large.
    """
    path = Path(path)
    with one_line_errors(path), _opened(path) as file:
        height, width = _recognized(path, file).size
        # Not before it is known to be a picture: what else is named may be huge.
        file.seek(0)
        return PictureFile(path, file.read(), height, width)


def scaled_size(file: PictureFile, longest: int) -> tuple[int, int]:
    """Return the (height, width) that a picture is decoded with at `longest`.

    Raises:
        InputError: The shorter side would fall below MINIMUM_SIDE.
    """
    rows, columns = fitted_size(file.height, file.width, longest)
    if min(rows, columns) < MINIMUM_SIDE:
        raise InputError(
            f"{file.path}: {file.width} x {file.height} pixels become {columns} x {rows} at "
            f"--size {longest}; crop it, or give a larger --size"
        )
    return rows, columns


def decode_picture(
    file: PictureFile, longest: int | None = None, *, at_least: tuple[int, int] | None = None
) -> Picture:
    """Decode a picture (of an animation the first frame), its longer side made `longest`.

    Pixels are height x width x 3 and alpha height x width, float32 in [0, 1]. An embedded ICC
    profile is converted to sRGB; one that cannot be used is ignored. A huge one may come out
    reduced where height and width of `at_least` are all that is needed, to twice that or more.

    Raises:
        InputError: The file is damaged or not supported, its samples are out of range, or `longest`
            is less than 1.
    """
    if longest is not None and longest < 1:
        raise InputError(f"longest is {longest}: give 1 pixel or more, None for the picture's own")
    whole, layers = _decoded(file, longest, at_least)
    pixels, alpha = layers.over(1), layers.alpha
    if longest is None:
        return Picture(pixels, alpha)
    size = fitted_size(*whole, longest)
    return Picture(resize(pixels, *size), None if alpha is None else resize(alpha, *size))


def decode_layers(file: PictureFile) -> Layers:
    """Decode a picture's colors and alpha apart.

    Raises:
        InputError: As in `decode_picture`.
    """
    return _decoded(file)[1]


def read_picture(path: PathLike, longest: int | None = None) -> Picture:
    """Read and decode a picture, its longer side made `longest` pixels (`decode_picture`).

    Raises:
        InputError: As in `read_picture_file` and `decode_picture`.
    """
    return decode_picture(read_picture_file(path), longest)


def read_description(path: PathLike) -> str | None:
    """Return the ImageDescription (tag 270) that `write_picture` stored, None where there is none.

    Raises:
        InputError: As in `read_picture_file`.
    """
    path = Path(path)
    with one_line_errors(path), _opened(path) as file:
        return _recognized(path, file).description


class _Recognized(NamedTuple):
    """A picture whose header has been read: height and width when it is upright, and its text.

    `decode` is given all of the file's bytes, and the height and width that are enough.
    """

    size: tuple[int, int]
    description: str | None
    decode: Callable[[bytes, tuple[int, int] | None], Layers]


def _decoded(
    file: PictureFile, longest: int | None = None, at_least: tuple[int, int] | None = None
) -> tuple[tuple[int, int], Layers]:
    """Height and width that a file says it has, and its layers, which may be smaller."""
    with one_line_errors(file.path):
        found = _recognized(file.path, io.BytesIO(file.content))
        if longest is not None:
            at_least = fitted_size(*found.size, longest)
        layers = found.decode(file.content, at_least)
    if layers.note is not None:
        warnings.warn(InputWarning(f"{file.path}: {layers.note}"), stacklevel=3)
    return found.size, layers


def _opened(path: Path) -> io.BufferedReader | io.BytesIO:
    if is_special(path):
        # A pipe can be read but once, and in order.
        return io.BytesIO(read_bytes(path))
    _check_file(path)
    return path.open("rb")


def _recognized(path: Path, file: io.BufferedReader | io.BytesIO) -> _Recognized:
    """A picture by its header."""
    head = file.read(64)
    file.seek(0)
    tiff = open_tiff(path, file) if kind_of(head) == "TIFF" else None
    file.seek(0)
    if tiff is not None and not tiff.is_plain:
        found = _Recognized(tiff.size, tiff.description, partial(_decode_tiff, path, tiff))
    else:
        found = _recognized_by_pillow(path, file, tiff)
    height, width = found.size
    if height * width > MAXIMUM_PIXELS:
        raise Image.DecompressionBombError
    if min(found.size) < MINIMUM_SIDE:
        needed = f"both sides need at least {MINIMUM_SIDE}; use a larger picture"
        raise InputError(f"{path}: only {width} x {height} pixels, {needed}")
    return found


def _recognized_by_pillow(
    path: Path, file: io.BufferedReader | io.BytesIO, tiff: Tiff | None
) -> _Recognized:
    try:
        image = _open(file)
    except UnidentifiedImageError:
        if tiff is not None:
            return _Recognized(tiff.size, tiff.description, partial(_decode_tiff, path, tiff))
        file.seek(0)
        raise InputError(f"{path}: {why_not_recognized(file.read(2**16))}") from None
    width, height = image.size
    size = (width, height) if orientation_of(image) >= 5 else (height, width)
    description = exif_of(image).get(ExifTags.Base.ImageDescription)
    text = description if isinstance(description, str) else None
    return _Recognized(size, text, partial(_decode_with_pillow, path))


def _open(file: io.BufferedReader | io.BytesIO) -> ImageFile.ImageFile:
    """A picture's header, read by Pillow."""
    head = file.read(64)
    file.seek(0)
    image = Image.open(file, formats=pillow_formats(head))
    if image.format == "PNG" and (exif := find_exif(file)):
        image.info["exif"] = exif
    return image


def _decode_tiff(
    path: Path, tiff: Tiff, content: bytes, at_least: tuple[int, int] | None
) -> Layers:
    layers = decode_tiff(path, tiff, content)
    if layers is None:
        try:
            return _decode_with_pillow(path, content, at_least)
        except UnidentifiedImageError:
            raise InputError(f"{path}: {tiff.kind} is not supported; {SAVE_AS}") from None
    return layers


def _decode_with_pillow(path: Path, content: bytes, at_least: tuple[int, int] | None) -> Layers:
    image = _open(io.BytesIO(content))
    turn = TURNS.get(orientation_of(image))
    deep = decode_png16(content, image) if image.format == "PNG" else None
    if deep is not None:
        return deep.turned(turn)
    load, note = partial(_loaded, at_least=at_least), None
    try:
        image = load(content)
    except OSError:
        if image.format not in _JPEGS:
            raise
        if unusual := unsupported_jpeg(content):
            raise InputError(f"{path}: {unusual} is not supported; {SAVE_AS}") from None
        if (completed := completed_jpeg(content, load)) is None:
            raise
        image, note = completed, "the file lacks its end marker; no pixel is missing"
    upright = image if turn is None else image.transpose(turn)
    return loaded_layers(path, upright)._replace(note=note)


def _loaded(content: bytes, at_least: tuple[int, int] | None) -> Image.Image:
    """A picture decoded by Pillow, a huge one no larger than need be."""
    image = _open(io.BytesIO(content))
    is_huge = image.width * image.height > HUGE_PIXELS
    rows, columns = at_least or (image.height, image.width)
    if orientation_of(image) >= 5:
        rows, columns = columns, rows
    if is_huge and image.format in _JPEGS:
        image.draft(None, (2 * columns, 2 * rows))
    if image.format == "PNG":
        mend_transparency(content, image)
    load_quietly(image)
    factor = min(image.width // (2 * columns), image.height // (2 * rows))
    if is_huge and factor > 1 and image.mode in _REDUCED and not image.has_transparency_data:
        return image.reduce(factor)
    return image


def _check_file(path: Path) -> None:
    if is_folder(path):
        raise InputError(f"{path}: is a folder, not a picture; name a file in it")
    if not path_exists(path):
        raise InputError(f"{path}: no such file; check the name")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; save or download it again")
