"""From a picture that Pillow has loaded to layers in sRGB, whatever its mode."""

import numpy as np
from PIL import ExifTags, Image

from stylejax.errors import InputError
from stylejax.images._layers import TURNS, Layers, gray_to_srgb, made_layers, scaled
from stylejax.images._srgb import convert_to_srgb
from stylejax.types import Pixels


def exif_of(image: Image.Image) -> Image.Exif:
    """The EXIF tags seen so far, none where they are broken."""
    try:
        # PngImageFile's own method decodes the pixels first, in search of a late chunk.
        return Image.Image.getexif(image)
    except Exception:
        return Image.Exif()


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation still to be undone, 1 to 8; Pillow turns TIFF by itself."""
    value = 1 if image.format == "TIFF" else exif_of(image).get(ExifTags.Base.Orientation)
    return value if value in TURNS else 1


def loaded_layers(name: object, image: Image.Image) -> Layers:
    """The layers of a picture that is loaded and upright; `name` is what a refusal begins with.

    Raises:
        InputError: its samples are out of range.
    """
    return made_layers(_colors(name, image), _transparency(image))


def _colors(name: object, image: Image.Image) -> Pixels:
    profile = image.info.get("icc_profile")
    if image.mode == "F" or image.mode.startswith("I"):
        return gray_to_srgb(_deep_gray(name, image), profile)
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    mode = {"CMYK": "CMYK", "1": "L", "L": "L", "LA": "L"}.get(image.mode, "RGB")
    return scaled(convert_to_srgb(image.convert(mode), profile), 255)


def _deep_gray(name: object, image: Image.Image) -> np.ndarray:
    """Grayscale of more than 8 bits, scaled to [0, 1]."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(ExifTags.Base.BitsPerSample, (16,))[0]
    top = 1 if image.mode == "F" else 2 ** min(bits, 16) - 1
    samples = scaled(image, top)
    if not (samples.min() >= 0 and samples.max() <= 1):  # This way round refuses NaN too.
        raise InputError(f"{name}: samples outside [0, {top}]; save it with 8 or 16 bits each")
    white_is_zero = tags.get(ExifTags.Base.PhotometricInterpretation) == 0
    return 1 - samples if white_is_zero else samples


def _transparency(image: Image.Image) -> np.ndarray | None:
    if not image.has_transparency_data:
        return None
    if image.mode.startswith("I"):  # Pillow would compare at 8 bits.
        return (np.asarray(image) != image.info["transparency"]).astype(np.float32)
    if image.mode in ("La", "RGBa"):
        return scaled(image.getchannel("a"), 255)
    return scaled(image.convert("RGBA").getchannel("A"), 255)
