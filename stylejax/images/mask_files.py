"""From a picture file to a mask: what the eye sees of it, where it can see anything."""

from stylejax.images.color import luminance_of
from stylejax.images.masks import Mask, check_no_labels
from stylejax.images.read import PictureFile, decode_layers
from stylejax.images.scaling import resize


def decode_mask(file: PictureFile, height: int, width: int) -> Mask:
    """A mask, resized to height x width: its luminance, and 0 where it is transparent.

    Raises:
        InputError: the file is damaged, or holds labels.
    """
    mask = luminance_of(decode_layers(file).over(0))
    check_no_labels(mask, file.path)
    return resize(mask, height, width)
