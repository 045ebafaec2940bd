"""Picture files come in, and arrays that are to become picture files.

Out go arrays of height x width x 3, float32 sRGB in [0, 1], read, scaled, recolored, masked or laid
out on a sheet, and whole files.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.images.arrays import Picture, PictureLike
    from stylejax.images.contact_sheet import draw_contact_sheet
    from stylejax.images.masks import Masks
    from stylejax.images.pictures import as_picture
    from stylejax.images.read import read_picture
    from stylejax.images.samples import sample_picture
    from stylejax.images.scaling import cover_and_crop, resize
    from stylejax.images.write import write_picture
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        "arrays",
        "contact_sheet",
        "masks",
        "pictures",
        "read",
        "samples",
        "scaling",
        "write",
    )

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
