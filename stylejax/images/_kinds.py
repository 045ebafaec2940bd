"""Which kind of picture a file is, by its first bytes, and why one cannot be read.

What is not supported is another matter than what is damaged: the first is to be saved as something
else, the second to be saved or downloaded again.
"""

import struct
from typing import NamedTuple

from PIL import features

from stylejax.errors import InputError

# Of Pillow's formats those that people have pictures in; left to itself it would try all it knows,
# and for some of them (EPS) start another program.
READ_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
SAVE_AS = "save it as PNG, TIFF or JPEG"


class _Signature(NamedTuple):
    """How files of a kind begin: with these bytes, so far in."""

    name: str
    begins: bytes
    offset: int = 0


_SIGNATURES = (
    _Signature("JPEG", b"\xff\xd8\xff"),
    _Signature("PNG", b"\x89PNG\r\n\x1a\n"),
    _Signature("WEBP", b"WEBP", 8),
    _Signature("camera raw", b"II*\0\x10\0\0\0CR"),
    _Signature("TIFF", b"II*\0"),
    _Signature("TIFF", b"MM\0*"),
    _Signature("TIFF", b"II+\0"),
    _Signature("TIFF", b"MM\0+"),
    _Signature("BMP", b"BM"),
    _Signature("GIF", b"GIF8"),
    _Signature("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n"),
    _Signature("JPEG 2000", b"\xff\x4f\xff\x51"),
    _Signature("JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n"),
    _Signature("JPEG XL", b"\xff\x0a"),
    _Signature("JPEG XR", b"II\xbc"),
    _Signature("Photoshop", b"8BPS"),
    _Signature("PDF", b"%PDF"),
    _Signature("PostScript", b"%!PS"),
    _Signature("SVG", b"<svg"),
    _Signature("OpenEXR", b"v/1\x01"),
    _Signature("Radiance HDR", b"#?"),
    _Signature("DDS", b"DDS "),
    _Signature("icon", b"\0\0\1\0"),
    _Signature("GIMP", b"gimp xcf"),
    _Signature("QOI", b"qoif"),
    _Signature("FITS", b"SIMPLE  ="),
    _Signature("MNG", b"\x8aMNG"),
    _Signature("JNG", b"\x8bJNG"),
    _Signature("DPX", b"SDPX"),
    _Signature("DPX", b"XPDS"),
    _Signature("camera raw", b"FUJIFILMCCD-RAW"),
    *(_Signature("Netpbm", b"P%d%c" % (n, space)) for n in range(1, 8) for space in b"\n \t\r"),
)
# Kinds of the ISO base media file format, by the brands that the file says it is of.
_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "HEIF"),
    b"crx ": "camera raw",
    b"mif1": "HEIF",
    b"msf1": "HEIF",
}
_FRAMES = {
    **dict.fromkeys((0xC3, 0xC7, 0xCB, 0xCF), "lossless JPEG"),
    **dict.fromkeys((0xC5, 0xC6, 0xCD, 0xCE), "hierarchical JPEG"),
    0xF7: "JPEG-LS",
}


def kind_of(head: bytes) -> str | None:
    """The kind of a file that begins with these bytes; None for what is not known."""
    if head[4:8] == b"ftyp":
        brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(len(head), 64), 4))]
        # The first is the most telling, unless it only says what several kinds have in common.
        brands.sort(key=lambda brand: brand in (b"mif1", b"msf1"))
        return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), "video")
    matching = lambda entry: head.startswith(entry.begins, entry.offset)
    return next((entry.name for entry in _SIGNATURES if matching(entry)), None)


def pillow_formats(head: bytes) -> tuple[str, ...]:
    """The formats that Pillow is to try on a file that begins so."""
    if kind_of(head) != "HEIF":
        return READ_FORMATS
    try:
        from pillow_heif import register_heif_opener  # pyright: ignore[reportMissingImports]
    except ImportError:
        return READ_FORMATS
    register_heif_opener()
    return ("HEIF",)


def check_encoder(name: object, kind: str) -> None:
    """Refuse what this build of Pillow cannot write.

    Raises:
        InputError: begins with `name`.
    """
    if kind == "AVIF" and not features.check("avif"):
        raise InputError(f"{name}: this build of Pillow cannot write AVIF; {SAVE_AS}")


def unsupported_jpeg(content: bytes) -> str | None:
    """What a JPEG is that no usual decoder takes (`12-bit JPEG`); None where it is usual."""
    at = 2
    while at + 10 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker in _FRAMES:
            return _FRAMES[marker]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, channels = content[at + 4], content[at + 9]
            if bits != 8:
                return f"{bits}-bit JPEG"
            return None if channels in (1, 3, 4) else f"JPEG with {channels} channels"
        # Bytes that fill up stand alone; all else before the frame says how long it is.
        at += 1 if marker == 0xFF else 2 + struct.unpack_from(">H", content, at + 2)[0]
    return None


def why_not_recognized(content: bytes) -> str:
    """Why no decoder takes a file, in words: it is not supported, or damaged, or no picture."""
    kind = kind_of(content)
    if kind == "HEIF":
        return 'HEIC is not read without an extra: pip install "stylejax[heif]"'
    if kind == "AVIF" and not features.check("avif"):
        return f"AVIF is not supported by this build of Pillow; {SAVE_AS}"
    if kind is None:
        return f"not a picture, or a damaged one; use a file of type {', '.join(READ_FORMATS)}"
    if kind == "JPEG" and (unusual := unsupported_jpeg(content)):
        return f"{unusual} is not supported; {SAVE_AS}"
    if kind in READ_FORMATS:
        return f"damaged or cut off (its {kind} header); save or download it again"
    return f"{kind} is not supported; {SAVE_AS}"
