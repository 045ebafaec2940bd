import numpy as np
import pytest
from problems import picture

from stylejax.errors import InputError
from stylejax.images.contact_sheet import LONGEST_SIDE, draw_contact_sheet

COLORS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "black": (0, 0, 0)}


def plain(color, height=40, width=60):
    return np.broadcast_to(np.asarray(COLORS[color], np.float32), (height, width, 3)).copy()


def center(sheet, color):
    """Where the pixels of a color lie on average, and how many there are."""
    found = np.argwhere((np.abs(sheet - np.asarray(COLORS[color], np.float32)) < 0.02).all(axis=-1))
    return found.mean(axis=0), len(found)


def test_pictures_lie_in_rows_and_columns_unchanged_in_size():
    rows = [[plain("red"), plain("green")], [plain("blue"), None]]
    sheet = draw_contact_sheet(rows, ["first row", "second row"], ["left", "right"])
    (red, reds), (green, greens), (blue, blues) = (
        center(sheet, color) for color in ("red", "green", "blue")
    )
    assert reds == greens == blues == 40 * 60
    assert red[0] == green[0] < blue[0] and red[1] == blue[1] < green[1]
    assert sheet.dtype == np.float32 and 0.0 <= sheet.min() and sheet.max() <= 1.0


def test_labels_are_written_beside_and_above():
    blank = [[np.ones((40, 60, 3), np.float32)]]
    bare, labeled = (
        draw_contact_sheet(blank, [" "], [" "]),
        draw_contact_sheet(blank, ["Xx"], ["Yy"]),
    )
    assert bare.min() == 1.0
    rows, columns = np.nonzero(labeled.min(axis=-1) < 0.5)
    top, left = labeled.shape[0] - 48, labeled.shape[1] - 68
    assert ((rows < top) | (columns < left)).all()
    assert (rows < top).any() and (columns < left).any()


def test_long_labels_are_broken_or_cut_and_change_no_picture():
    label = "style 1000 blend 0.25,0.75 " * 3
    sheet = draw_contact_sheet([[plain("red"), plain("green")]], [label], [label, "x" * 400])
    assert center(sheet, "red")[1] == center(sheet, "green")[1] == 40 * 60
    assert sheet.shape[1] < 1000


def test_pictures_are_scaled_to_fit_their_cell_and_the_sheet():
    tall = plain("green", 120, 30)
    sheet = draw_contact_sheet([[plain("red", 40, 60), tall]], ["a"], ["b", "c"], longest=30)
    assert center(sheet, "red")[1] == 20 * 30 and center(sheet, "green")[1] == 20 * 5
    many = draw_contact_sheet(
        [[picture(64, 64)] * 400], ["a"], [str(index) for index in range(400)]
    )
    assert many.shape[1] < 3 * LONGEST_SIDE


def test_labels_must_match():
    with pytest.raises(InputError, match="2 row labels and 1 column labels for 1 rows"):
        draw_contact_sheet([[plain("red")]], ["a", "b"], ["c"])
    with pytest.raises(InputError, match="at least one row"):
        draw_contact_sheet([], [], [])
