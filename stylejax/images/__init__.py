"""From picture files to arrays and back.

In come files of any kind; out go pictures as NumPy arrays, height x width x 3, float32, sRGB in
[0, 1], which are also what is written. Between them they are scaled, masked, given other colors,
and laid out on sheets.
"""

from stylejax.images.contact_sheet import draw_contact_sheet
from stylejax.images.masks import Masks
from stylejax.images.read import Picture, read_picture
from stylejax.images.samples import sample_picture
from stylejax.images.write import write_picture

__all__ = [
    "Masks",
    "Picture",
    "draw_contact_sheet",
    "read_picture",
    "sample_picture",
    "write_picture",
]
