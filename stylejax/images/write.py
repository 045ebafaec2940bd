"""From arrays to a picture file, whole or not at all.

Pixels are height x width x 3 and alpha height x width, sRGB in [0, 1], first row on top; a file
holds 8 or 16 bits per channel, the sRGB profile and a description.
"""

import io
from pathlib import Path

import numpy as np
import tifffile
from PIL import ExifTags, Image

from stylejax.errors import InputError
from stylejax.images._kinds import check_encoder
from stylejax.images._png import encode_png16
from stylejax.images._srgb import srgb_profile
from stylejax.images.arrays import PictureLike, as_pixels, pillow_layers
from stylejax.images.files import check_writable, replace_file
from stylejax.images.masks import MaskLike, as_plane
from stylejax.types import PathLike

WRITE_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
}
# The unit that resolutions are counted in (TIFF 6.0, ResolutionUnit).
_INCH = 2
# As Pillow writes them, JPEG, WebP and AVIF have 8 bits and no more.
DEEP_FORMATS = ("PNG", "TIFF")
_LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}
"""In pixels, of the formats that have such a limit."""
BYTES_TO_WRITE = 60
"""Of the host's memory for each pixel of a picture that has to be held whole and written."""
DotsPerInch = tuple[float, float]
"""Along the width and along the height."""
# What is further out of [0, 1] is of another range.
_OVERSHOOT = 0.5


def longest_side(path: Path) -> tuple[str, int]:
    """The format that a file's name asks for, and the most pixels that its longer side can have."""
    name = WRITE_FORMATS.get(path.suffix.lower(), "")
    return name, _LONGEST_SIDE.get(name, 2**31 - 1)


def check_output(path: Path, bits: int) -> None:
    """Find out whether a picture of 8 or 16 `bits` per sample could be written to `path`.

    Raises:
        InputError: The extension, its combination with `bits` or the folder cannot be used.
    """
    name = WRITE_FORMATS.get(path.suffix.lower())
    if name is None:
        known = " ".join(WRITE_FORMATS)
        raise InputError(f"{path}: unknown extension {path.suffix!r}; use one of {known}")
    if bits not in (8, 16):
        raise InputError(f"{path}: {bits} bits per sample cannot be written; use 8 or 16")
    if bits == 16 and name not in DEEP_FORMATS:
        raise InputError(f"{path}: {name} cannot hold 16 bits per sample; use .png or .tiff")
    check_encoder(path, name)
    check_writable(path)


def write_picture(
    path: PathLike,
    pixels: PictureLike,
    alpha: MaskLike | None = None,
    *,
    bits: int = 8,
    quality: int = 95,
    description: str | None = None,
    dpi: DotsPerInch | None = None,
) -> None:
    """Write a picture and its alpha as PNG, JPEG, WebP, TIFF or AVIF, whole or not at all.

    The file carries the sRGB profile and `description` (ASCII); equal arguments give equal bytes.
    A Pillow picture has its own alpha. JPEG drops alpha. `quality` is that of JPEG, WebP and AVIF,
    1 to 100; `dpi` is what the file says of its dots per inch, whole numbers in a JPEG. Floats a
    little beyond [0, 1], as filters make them, are cut off.

    Raises:
        InputError: As in `check_output` and `as_picture`, or the format cannot hold the picture, or
            the disk fails.
    """
    path = Path(path)
    check_output(path, bits)
    name = WRITE_FORMATS[path.suffix.lower()]
    if isinstance(pixels, Image.Image):
        colors, own, _ = pillow_layers(pixels, "pixels")
        pixels, alpha = colors, own if alpha is None else alpha
    pixels = as_pixels(pixels, "pixels", overshoot=_OVERSHOOT)
    if alpha is not None:
        alpha = as_plane(alpha, "alpha", pixels.shape)
    layers = pixels if alpha is None or name == "JPEG" else np.dstack([pixels, alpha])
    scaled = np.rint(np.clip(layers, 0, 1) * (2**bits - 1))
    samples = np.ascontiguousarray(scaled, np.uint8 if bits == 8 else np.uint16)
    try:
        if name == "TIFF":
            encoded = _encode_tiff(samples, description, dpi)
        elif bits == 16:
            encoded = encode_png16(samples, srgb_profile(), _exif_bytes(description, dpi), dpi)
        else:
            encoded = _encode_with_pillow(samples, name, quality, description, dpi)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {name} cannot hold it ({error}); use .png or .tiff") from error
    replace_file(path, encoded)


def _exif_bytes(description: str | None, dpi: DotsPerInch | None) -> bytes:
    if description is None and dpi is None:
        return b""
    exif = Image.Exif()
    if description is not None:
        exif[ExifTags.Base.ImageDescription] = description
    if dpi is not None:
        exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = dpi
        exif[ExifTags.Base.ResolutionUnit] = _INCH
    return exif.tobytes()


def _encode_with_pillow(
    samples: np.ndarray, name: str, quality: int, description: str | None, dpi: DotsPerInch | None
) -> bytes:
    buffer = io.BytesIO()
    resolution = {} if dpi is None else {"dpi": dpi}
    Image.fromarray(samples).save(
        buffer,
        name,
        quality=quality,
        subsampling="4:4:4",
        icc_profile=srgb_profile(),
        exif=_exif_bytes(description, dpi),
        **resolution,
    )
    return buffer.getvalue()


def _encode_tiff(samples: np.ndarray, description: str | None, dpi: DotsPerInch | None) -> bytes:
    buffer = io.BytesIO()
    resolution = {} if dpi is None else {"resolution": dpi, "resolutionunit": _INCH}
    tifffile.imwrite(
        buffer,
        samples,
        photometric="rgb",
        planarconfig="contig",
        extrasamples=["unassalpha"] * (samples.shape[2] - 3),
        compression="zlib",
        predictor=True,
        iccprofile=srgb_profile(),
        description=description,
        software=False,
        metadata=None,
        **resolution,
    )
    return buffer.getvalue()
