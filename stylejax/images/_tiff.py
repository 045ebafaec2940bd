"""TIFF files that Pillow does not read, reads at 8 bits, or reads wrong.

These are all whose samples are no unsigned integers of 8 bits or fewer. They are read by tifffile;
where it lacks the codec (the extra `tiff` brings all) Pillow decodes what it is known to decode
right. The rest is refused by name.
"""

import io
import logging
import sys
from typing import NamedTuple

import numpy as np
import tifffile
from tifffile import EXTRASAMPLE, PHOTOMETRIC, TiffPage

from stylejax.errors import InputError
from stylejax.images._layers import (
    TURNS,
    Layers,
    Samples,
    Space,
    deep_samples,
    made_layers,
    scaled,
    to_srgb,
)

# What it thinks of a file is not the user's concern; who listens to its logger still hears it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_DNG_VERSION, _SUB_IFDS, _INK_SET, _PROFILE = 50706, 330, 332, 34675
_DESCRIPTION, _ORIENTATION = 270, 274
# How many samples a color has.
_CHANNELS = {
    PHOTOMETRIC.MINISWHITE: 1,
    PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.PALETTE: 1,
    PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.SEPARATED: 4,
}
_TWICE_READ = {(3, False): "RGB", (3, True): "RGBA", (4, False): "CMYK"}


class Tiff(NamedTuple):
    """The first page of a TIFF, and the file's byte order."""

    page: TiffPage
    byteorder: str

    @property
    def size(self) -> tuple[int, int]:
        """The upright picture's height and width."""
        rows, columns = self.page.imagelength, self.page.imagewidth
        return (columns, rows) if self.orientation >= 5 else (rows, columns)

    @property
    def orientation(self) -> int:
        """1 to 8, as in EXIF."""
        value = _tag(self.page, _ORIENTATION)
        return value if isinstance(value, int) and value in TURNS else 1

    @property
    def is_plain(self) -> bool:
        """Whether samples are as Pillow reads them: unsigned, and of 8 bits or fewer."""
        bits = self.page.bitspersample
        widest = bits if isinstance(bits, int) else max(bits)
        return widest <= 8 and self.page.sampleformat in (1, 4)

    @property
    def kind(self) -> str:
        """Container and type of sample in words: `32-bit float TIFF`."""
        bits, form = self.page.bitspersample, self.page.sampleformat
        bits = bits if isinstance(bits, int) else "/".join(map(str, bits))
        word = {2: "signed integer ", 3: "float ", 5: "complex ", 6: "complex "}.get(form, "")
        if not word and isinstance(bits, int) and bits > 16:
            word = "integer "
        return f"{bits}-bit {word}TIFF"

    @property
    def description(self) -> str | None:
        """The text in the tag ImageDescription."""
        value = _tag(self.page, _DESCRIPTION)
        return value if isinstance(value, str) else None

    @property
    def profile(self) -> bytes | None:
        """The ICC profile."""
        value = _tag(self.page, _PROFILE)
        return value if isinstance(value, bytes) else None


def _tag(page: TiffPage, code: int) -> object:
    found = page.tags.get(code)
    return None if found is None else found.value


def open_tiff(name: object, file: io.BufferedReader | io.BytesIO) -> Tiff | None:
    """The first page of a TIFF; None where it is too damaged for that.

    Raises:
        InputError: it is a camera's raw picture, or one of samples or colors that are not read.
    """
    try:
        whole = tifffile.TiffFile(file)
        page = whole.pages.first
        assert isinstance(page, TiffPage)
        tiff = Tiff(page, whole.byteorder)
        numbers = (*tiff.size, page.samplesperpixel, page.imagedepth, page.sampleformat)
        if not all(isinstance(number, int) and number > 0 for number in numbers):
            return None
        is_raw = _DNG_VERSION in page.tags or (page.subfiletype & 1 and _SUB_IFDS in page.tags)
    except Exception:  # On damaged files nearly anything.
        return None
    if is_raw:
        raise InputError(
            f"{name}: camera raw is not supported; develop it, and save it as PNG, TIFF or JPEG"
        )
    return tiff


def decode_tiff(name: object, tiff: Tiff, content: bytes) -> Layers | None:
    """Decode a TIFF; None where that is left to Pillow.

    Raises:
        InputError: samples or colors of this kind are not read, or are out of range.
    """
    space, extra = _checked_space(name, tiff)
    samples = _decoded(name, tiff, content, space, extra)
    if samples is None:
        return None
    alpha = None
    if extra:
        samples, alpha = samples[..., :-1], samples[..., -1]
        if tiff.page.extrasamples[:1] == (EXTRASAMPLE.ASSOCALPHA,):
            samples = samples / np.maximum(alpha, np.finfo(np.float32).tiny)[..., None]
            samples = np.minimum(samples, 1)
    if tiff.page.photometric == PHOTOMETRIC.MINISWHITE:
        samples = 1 - samples
    colors = to_srgb(samples, space, tiff.profile)
    return made_layers(colors, alpha).turned(TURNS.get(tiff.orientation))


def _checked_space(name: object, tiff: Tiff) -> tuple[Space, bool]:
    """What the samples mean, and whether the last of those that are taken is an alpha."""
    page = tiff.page
    channels = _CHANNELS.get(page.photometric)  # type: ignore[call-overload]
    further = page.samplesperpixel - (channels or 0)
    unsupported = None
    if channels is None:
        unsupported = f"{tiff.kind} of color type {getattr(page.photometric, 'name', '?')}"
    elif not 0 <= further <= 2 or page.imagedepth != 1:
        unsupported = f"{tiff.kind} of {page.samplesperpixel} channels"
    elif page.photometric == PHOTOMETRIC.SEPARATED and _tag(page, _INK_SET) not in (None, 1):
        unsupported = f"{tiff.kind} of inks that are not CMYK"
    elif page.sampleformat not in (1, 2, 3) or isinstance(page.bitspersample, tuple):
        unsupported = tiff.kind
    elif page.sampleformat != 3 and page.bitspersample > 16:
        unsupported = tiff.kind
    elif page.photometric == PHOTOMETRIC.PALETTE and page.sampleformat != 1:
        unsupported = f"{tiff.kind} with a palette"
    if unsupported:
        raise InputError(f"{name}: {unsupported} is not supported; save it with 8 or 16 bits each")
    space: Space = "gray" if channels == 1 else "rgb" if channels == 3 else "cmyk"
    if page.photometric == PHOTOMETRIC.PALETTE:
        space = "rgb"
    # Where nothing is said of a further sample it is an alpha; where it is said to be anything
    # else it is left out.
    alphas = ((), (EXTRASAMPLE.ASSOCALPHA,), (EXTRASAMPLE.UNASSALPHA,))
    return space, further > 0 and tuple(page.extrasamples[:1]) in alphas


def _decoded(name: object, tiff: Tiff, content: bytes, space: Space, extra: bool) -> Samples | None:
    """The samples in [0, 1] that count, an alpha last; None where Pillow is to decode them."""
    page = tiff.page
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    is_whole = parts and all(count and offset + count <= len(content) for offset, count in parts)
    if not is_whole or (page.photometric == PHOTOMETRIC.PALETTE and page.colormap is None):
        raise InputError(f"{name}: damaged or cut off ({tiff.kind}); save or download it again")
    try:
        values = page.asarray(maxworkers=1)
    except (ImportError, NotImplementedError, ValueError) as error:
        if not isinstance(error, ImportError) and "imagecodecs" not in str(error):
            raise
        return _without_codec(name, tiff, content, space, extra)
    values = np.moveaxis(values.reshape(page.shape), 0, -1) if page.axes[0] == "S" else values
    values = values[..., None] if values.ndim == 2 else values
    if page.photometric == PHOTOMETRIC.PALETTE:
        table = scaled(page.colormap.T, 65535)  # type: ignore[union-attr]
        return table[np.minimum(values[..., 0], len(table) - 1)]
    taken = values[..., : {"gray": 1, "rgb": 3, "cmyk": 4}[space] + extra]
    if page.sampleformat == 3:
        top = 1
    else:
        bits = page.bitspersample - (page.sampleformat == 2)
        top = 2**bits - 1
    samples = scaled(taken, top)
    if not (samples.min() >= 0 and samples.max() <= 1):  # This way round refuses NaN too.
        raise InputError(
            f"{name}: {tiff.kind} with samples outside [0, {top}]; save it with 8 or 16 bits each"
        )
    return samples


def _without_codec(
    name: object, tiff: Tiff, content: bytes, space: Space, extra: bool
) -> Samples | None:
    """What can be had without tifffile's codecs."""
    page = tiff.page
    is_unsigned = page.sampleformat == 1 and page.photometric != PHOTOMETRIC.PALETTE
    mode = _TWICE_READ.get((len("rgb") if space == "rgb" else 4, extra))
    has_plain_alpha = not extra or page.extrasamples[:1] != (EXTRASAMPLE.ASSOCALPHA,)
    if page.bitspersample == 16 and is_unsigned and space != "gray":
        if mode and page.planarconfig == 1 and has_plain_alpha and page.extrasamples[1:] == ():
            return scaled(deep_samples(content, "TIFF", mode, "N"), 65535)
        return None
    native = tiff.byteorder == {"little": "<", "big": ">"}[sys.byteorder]
    if space == "gray" and not extra and (is_unsigned or (page.sampleformat == 3 and native)):
        return None
    codec = getattr(page.compression, "name", page.compression)
    raise InputError(
        f"{name}: {tiff.kind} with {codec} compression is not read without an extra: pip install "
        '"stylejax[tiff]"'
    )
