"""From a picture file to arrays.

A picture is a NumPy float32 array, height x width x 3, sRGB in [0, 1], first row on top; alpha is
height x width in [0, 1], where 1 is opaque. Whatever a file holds (gray, palette, CMYK, another
color space, a turned camera) is brought to that form on reading. Grayscale keeps its 16 bits;
color is read at 8 bits per channel, since Pillow decodes no more.
"""

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from stylejax.errors import InputError
from stylejax.images._png import find_exif
from stylejax.images._srgb import convert_to_srgb
from stylejax.images.paths import is_folder, is_special, path_exists, read_bytes
from stylejax.images.scaling import fitted_size, resize
from stylejax.types import Alpha, Pixels

# In pixels: two positions of a feature map of stride 8.
MINIMUM_SIDE = 16
MAXIMUM_PIXELS = 178_956_970
"""Where Pillow refuses to open a picture, as a guard against decompression bombs."""

# Of Pillow's formats those that people have pictures in; left to itself it would try all it knows,
# and for some of them (EPS) start another program.
READ_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
READ_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"))
"""How pictures are found in a folder; a file that is named may have any suffix."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright."""


class Picture(NamedTuple):
    """Pixels in [0, 1], composited over white, and alpha, None where all is opaque."""

    pixels: Pixels
    alpha: Alpha | None


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


def read_picture_file(path: Path) -> PictureFile:
    """Read a file's bytes, once for all that is asked of them; only the header is decoded.

    Raises:
        InputError: The file is missing, empty, no picture, too small or too large.
    """
    with _one_line_errors(path), _opened(path) as file:
        image = _recognized(path, file)
        width, height = image.size
        if _orientation(image) >= 5:
            height, width = width, height
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


def decode_picture(file: PictureFile, longest: int | None = None) -> Picture:
    """Decode a JPEG, PNG, WebP, TIFF, BMP or GIF (its first frame), its longer side made `longest`.

    Pixels are height x width x 3 and alpha height x width, float32 in [0, 1]. An embedded ICC
    profile is converted to sRGB, 8 bits deep; one that cannot be used is ignored.

    Raises:
        InputError: The file is damaged, or its samples are out of range.
    """
    with _one_line_errors(file.path):
        image = _recognized(file.path, io.BytesIO(file.content))
        turn = _TURNS.get(_orientation(image))
        image.load()
        upright = image if turn is None else image.transpose(turn)
        pixels, alpha = _colors(file.path, upright), _transparency(upright)
    if alpha is not None:
        pixels = 1 - alpha[..., None] * (1 - pixels)
    if longest is None:
        return Picture(pixels, alpha)
    size = fitted_size(pixels.shape[0], pixels.shape[1], longest)
    return Picture(resize(pixels, *size), None if alpha is None else resize(alpha, *size))


def read_picture(path: Path, longest: int | None = None) -> Picture:
    """Read and decode a picture, its longer side made `longest` pixels (`decode_picture`).

    Raises:
        InputError: As in `read_picture_file` and `decode_picture`.
    """
    return decode_picture(read_picture_file(path), longest)


def read_description(path: Path) -> str | None:
    """Return the ImageDescription (tag 270) that `write_picture` stored, None where there is none.

    Raises:
        InputError: As in `read_picture_file`.
    """
    with _one_line_errors(path), _opened(path) as file:
        description = _exif(_recognized(path, file)).get(ExifTags.Base.ImageDescription)
        return description if isinstance(description, str) else None


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    """Whatever goes wrong with a file in the body becomes an InputError."""
    try:
        # Pillow warns of large pictures and odd metadata, of which no warning need reach the user.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:  # On damaged files Pillow raises nearly anything.
        raise InputError(f"{path}: {_reason(error)}") from error


def _opened(path: Path) -> io.BufferedReader | io.BytesIO:
    if is_special(path):
        # A pipe can be read but once, and in order.
        return io.BytesIO(read_bytes(path))
    _check_file(path)
    return path.open("rb")


def _recognized(path: Path, file: io.BufferedReader | io.BytesIO) -> ImageFile.ImageFile:
    """A picture whose header has been read."""
    image = Image.open(file, formats=READ_FORMATS)
    if min(image.size) < MINIMUM_SIDE:
        size = f"{image.width} x {image.height}"
        needed = f"both sides need at least {MINIMUM_SIDE}; use a larger picture"
        raise InputError(f"{path}: only {size} pixels, {needed}")
    if image.format == "PNG" and (exif := find_exif(file)):
        image.info["exif"] = exif
    return image


def _check_file(path: Path) -> None:
    if is_folder(path):
        raise InputError(f"{path}: is a folder, not a picture; name a file in it")
    if not path_exists(path):
        raise InputError(f"{path}: no such file; check the name")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; save or download it again")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"not a picture, or a damaged one; use a file of type {', '.join(READ_FORMATS)}"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAXIMUM_PIXELS:,} pixels; scale it down first"
    if isinstance(error, MemoryError):
        return "too large for the memory of this machine; scale it down first"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror}); check the permissions and the disk"
    detail = " ".join(str(error).split()) or type(error).__name__
    return f"damaged or cut off ({detail}); save or download it again"


def _exif(image: ImageFile.ImageFile) -> Image.Exif:
    """The EXIF tags seen so far, none where they are broken."""
    try:
        # PngImageFile's own method decodes the pixels first, in search of a late chunk.
        return Image.Image.getexif(image)
    except Exception:
        return Image.Exif()


def _orientation(image: ImageFile.ImageFile) -> int:
    """The EXIF orientation still to be undone, 1 to 8; Pillow turns TIFF by itself."""
    value = 1 if image.format == "TIFF" else _exif(image).get(ExifTags.Base.Orientation)
    return value if value in _TURNS else 1


def _colors(path: Path, image: Image.Image) -> np.ndarray:
    """The sRGB pixels of a loaded picture, not yet composited."""
    profile = image.info.get("icc_profile")
    if image.mode == "F" or image.mode.startswith("I"):
        samples = _deep_gray(path, image)
        # Every 8-bit gray, taken to sRGB, is a curve on which the gray values lie.
        ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        curve = np.asarray(convert_to_srgb(ramp, profile))[0] / 255
        knots = np.linspace(0, 1, 256)
        channels = [np.interp(samples, knots, curve[:, index]) for index in range(3)]
        return np.stack(channels, axis=-1).astype(np.float32)
    mode = {"CMYK": "CMYK", "1": "L", "L": "L", "LA": "L"}.get(image.mode, "RGB")
    return _scaled(convert_to_srgb(image.convert(mode), profile), 255)


def _deep_gray(path: Path, image: Image.Image) -> np.ndarray:
    """Grayscale of more than 8 bits, scaled to [0, 1]."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(ExifTags.Base.BitsPerSample, (16,))[0]
    top = 1 if image.mode == "F" else 2 ** min(bits, 16) - 1
    samples = _scaled(image, top)
    if not (samples.min() >= 0 and samples.max() <= 1):  # This way round refuses NaN too.
        raise InputError(f"{path}: samples outside [0, {top}]; save it with 8 or 16 bits each")
    white_is_zero = tags.get(ExifTags.Base.PhotometricInterpretation) == 0
    return 1 - samples if white_is_zero else samples


def _transparency(image: Image.Image) -> np.ndarray | None:
    if not image.has_transparency_data:
        return None
    if image.mode.startswith("I"):  # Pillow would compare at 8 bits.
        alpha = (np.asarray(image) != image.info["transparency"]).astype(np.float32)
    else:
        alpha = _scaled(image.convert("RGBA").getchannel("A"), 255)
    return None if alpha.min() == 1 else alpha


def _scaled(image: Image.Image, top: int) -> np.ndarray:
    # Pillow's array divided in one pass: a float32 copy of the samples is never made.
    return np.divide(np.asarray(image), top, dtype=np.float32)
