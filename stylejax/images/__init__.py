"""Picture files come in, and arrays that are to become picture files.

Out go arrays of height x width x 3, float32 sRGB in [0, 1], read, scaled, recolored, masked or laid
out on a sheet, and whole files.
"""

from stylejax.images.arrays import Picture, PictureLike, as_picture
from stylejax.images.contact_sheet import draw_contact_sheet
from stylejax.images.masks import Masks
from stylejax.images.read import read_picture
from stylejax.images.samples import sample_picture
from stylejax.images.scaling import cover_and_crop, resize
from stylejax.images.write import write_picture

__all__ = [
    "Masks",
    "Picture",
    "PictureLike",
    "as_picture",
    "cover_and_crop",
    "draw_contact_sheet",
    "read_picture",
    "resize",
    "sample_picture",
    "write_picture",
]
