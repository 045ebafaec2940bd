"""Starts of pure white and black, from where the solver could not bring every value back."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from problems import picture
from scipy.spatial import KDTree

from stylejax.images.read import read_picture
from stylejax.images.samples import sample_picture
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions
from stylejax.transfer.pictures import Pictures, level_pictures
from stylejax.transfer.pyramid import pyramid_levels
from stylejax.transfer.start import DRAWN_IN, SATURATED_SHARE, level_start, start_picture
from stylejax.transfer.transfer import style_transfer

HEIGHT, WIDTH = 64, 80


def drawing():
    """Black lines on white."""
    sheet = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(sheet)
    pen.ellipse((18, 10, 62, 54), outline="black", width=2)
    pen.rectangle((32, 22, 48, 44), outline="black", width=2)
    pen.line((6, 60, 74, 46), fill="black", width=2)
    return np.asarray(sheet, np.float32) / 255.0


def test_a_levels_start_is_cropped_to_the_pictures_shape_and_stretched_to_its_grid():
    options = Options(solve=SolverOptions(levels=2))
    level = pyramid_levels(options, 80, 120)[0]
    assert level.grid == (32, 60) and (level.height, level.width) == (40, 60)
    columns = np.linspace(0.3, 0.7, 120, dtype=np.float32)[None, :, None]
    given = np.broadcast_to(columns, (80, 120, 3))
    pictures = level_pictures(Pictures(picture(80, 120), [picture(20, 20)]), level)
    assert pictures.content.shape == (32, 60, 3)
    start = level_start(options, pictures, level, given)
    halves = columns.reshape(1, 60, 2, 1).mean(axis=2)
    np.testing.assert_allclose(start, np.broadcast_to(halves, (32, 60, 3)), atol=0.01)
    # Of one that is wider, a quarter hangs over at either end.
    wide = np.broadcast_to(columns, (40, 120, 3))
    middle = np.broadcast_to(columns[:, 30:90], (32, 60, 3))
    np.testing.assert_allclose(level_start(options, pictures, level, wide), middle, atol=0.01)


def test_a_drawing_takes_the_colors_of_the_painting():
    loss = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))
    options = Options(loss=loss, solve=SolverOptions(iterations=15, levels=1))
    painting = read_picture(sample_picture("starlit-swirls.jpg"), 85).pixels[:64, :64]
    image = style_transfer(drawing(), [painting], options=options).image
    distance, _ = KDTree(painting.reshape(-1, 3)).query(image.reshape(-1, 3))
    # From pure white on, a tenth of the picture glows in colors that are not in the painting.
    assert np.mean(distance > 0.2) < 0.01


@pytest.mark.parametrize("init", ["content", "style", "given"])
@pytest.mark.parametrize("inverted", [False, True])
def test_starts_of_much_white_or_black_are_drawn_in(init, inverted):
    pixels, other = drawing(), picture(HEIGHT, WIDTH)
    pixels = 1.0 - pixels if inverted else pixels
    content, style = (other, pixels) if init == "style" else (pixels, other)
    named = "content" if init == "given" else init
    options = Options(picture=PictureOptions(init=named))
    start = start_picture(options, content, [style], pixels if init == "given" else None)
    np.testing.assert_array_equal(start, np.clip(pixels, DRAWN_IN, 1.0 - DRAWN_IN))


def test_other_starts_are_the_very_pictures():
    # As many white pixels as a photograph's lights have.
    pixels = np.clip(picture(HEIGHT, WIDTH), 0.02, 0.98)
    pixels[: int(HEIGHT * SATURATED_SHARE)] = 1.0
    assert start_picture(Options(), pixels, [picture(16, 16)]) is pixels
    assert start_picture(Options(), picture(HEIGHT, WIDTH), [drawing()], pixels) is pixels


def test_a_drawing_styled_by_itself_starts_where_it_ends():
    assert np.array_equal(start_picture(Options(), drawing(), [drawing()]), drawing())
