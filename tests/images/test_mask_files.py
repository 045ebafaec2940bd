"""Masks from files mean what the eye sees."""

import numpy as np
import pytest
from PIL import Image

from stylejax.errors import InputError
from stylejax.images.mask_files import decode_mask
from stylejax.images.read import read_picture_file

LEFT = np.zeros((32, 48), np.uint8)
LEFT[:, :20] = 255


def mask_of(image, path, **options):
    image.save(path, **options)
    return decode_mask(read_picture_file(path), 16, 24)


def test_every_kind_of_mask_is_the_same(tmp_path):
    gray = Image.fromarray(LEFT)
    expected = mask_of(gray, tmp_path / "gray.png")
    assert expected.min() == 0 and expected.max() == 1
    white = np.full((32, 48, 3), 255, np.uint8)
    palette = Image.fromarray(1 - LEFT // 255)
    palette.putpalette([255, 255, 255, 0, 0, 0])
    kinds = {
        "white on a transparent ground.png": Image.fromarray(np.dstack([white, LEFT])),
        "gray and alpha.png": Image.merge("LA", (Image.new("L", gray.size, 255), gray)),
        "one bit.png": gray.convert("1"),
        "palette.png": palette,
        "palette.gif": palette,
        "16 bits.png": Image.fromarray(LEFT.astype(np.uint16) * 257),
        "color.tif": gray.convert("RGB"),
    }
    for name, image in kinds.items():
        np.testing.assert_array_equal(mask_of(image, tmp_path / name), expected, name)
    # A palette whose white is opaque and whose other white is not.
    clear = Image.fromarray(1 - LEFT // 255)
    clear.putpalette([255, 255, 255, 255, 255, 255])
    found = mask_of(clear, tmp_path / "clear.png", transparency=1)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_labels_are_refused_with_a_hint(tmp_path, kind):
    labels = Image.fromarray((LEFT // 85).astype(kind))
    with pytest.raises(InputError, match="nearly black throughout .* a mask for each label"):
        mask_of(labels, tmp_path / "labels.png")
