"""Many pictures on one sheet: a grid with a label to each row and each column.

Pictures and sheet are height x width x 3, float32 in [0, 1]. Labels are drawn with the typeface
that comes with Pillow, so a sheet is the same on every machine.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stylejax.errors import InputError
from stylejax.images.arrays import PictureLike, as_pixels
from stylejax.images.scaling import fitted_size, resize
from stylejax.types import OtherPixels, Pixels

LONGEST_SIDE = 8192
"""Pixels of the sheet that pictures are scaled down to keep within, as long as they stay..."""
SMALLEST_CELL = 32
"""...no smaller than this."""

# All in pixels of the sheet; labels wider than this are wrapped, so that columns stay narrow.
_GAP = 8
_TEXT_SIZE = 16
_WIDEST_LABEL = 320
_PAPER, _INK = (255, 255, 255), (32, 32, 32)


def _wrapped(label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The label in lines no wider than `width`, broken at spaces, or cut where there are none."""
    lines: list[str] = []
    for word in label.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        while font.getlength(word) > width and len(word) > 2:
            word = word[:-2] + "\N{HORIZONTAL ELLIPSIS}"
        lines.append(word)
    return "\n".join(lines)


def _cell(picture: OtherPixels | None, height: int, width: int) -> Image.Image:
    """One picture, scaled to fit the cell and centered; an empty cell where there is none."""
    cell = Image.new("RGB", (width, height), _PAPER)
    if picture is None:
        ImageDraw.Draw(cell).rectangle((0, 0, width - 1, height - 1), outline=_INK)
        return cell
    rows, columns = picture.shape[:2]
    scale = min(height / rows, width / columns)
    rows, columns = max(1, round(rows * scale)), max(1, round(columns * scale))
    samples = np.rint(255 * resize(picture, rows, columns)).astype(np.uint8)
    cell.paste(Image.fromarray(samples), ((width - columns) // 2, (height - rows) // 2))
    return cell


def _wrapped_captions(
    captions: Sequence[Sequence[str]],
    width: int,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> list[list[str]]:
    """What stands below each picture, in lines no wider than that."""
    return [[_wrapped(text, width, font) for text in row] for row in captions]


def _cell_size(
    pictures: Sequence[Sequence[OtherPixels | None]], rows: int, columns: int, longest: int
) -> tuple[int, int]:
    """Height and width of every cell: those of the first picture, scaled down where needed."""
    first = next((picture for row in pictures for picture in row if picture is not None), None)
    height, width = (longest, longest) if first is None else first.shape[:2]
    room = LONGEST_SIDE // max(rows, columns) - _GAP
    side = min(longest, max(height, width), max(room, SMALLEST_CELL))
    return fitted_size(height, width, side)


def draw_contact_sheet(
    pictures: Sequence[Sequence[PictureLike | None]],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    *,
    longest: int = 256,
    captions: Sequence[Sequence[str]] | None = None,
) -> Pixels:
    """Lay pictures out as a table.

    Args:
        pictures: rows of pictures of any sizes; None leaves a cell empty.
        row_labels: one for each row, written to its left.
        column_labels: one for each column, written above it.
        longest: pixels of the longer side of a cell at most; pictures are never enlarged to it.
        captions: what is written below each picture, if anything.

    Raises:
        InputError: the labels do not match the pictures, or what is given is no picture.
    """
    rows, columns = len(row_labels), len(column_labels)
    if not rows or not columns:
        raise InputError("a contact sheet needs at least one row and one column")
    if len(pictures) != rows or any(len(row) != columns for row in pictures):
        shape = f"{len(pictures)} rows of {sorted({len(row) for row in pictures})} pictures"
        raise InputError(f"{rows} row labels and {columns} column labels for {shape}: match them")
    table = [
        [None if each is None else as_pixels(each, "a picture of the sheet") for each in row]
        for row in pictures
    ]
    height, width = _cell_size(table, rows, columns, longest)
    font = ImageFont.load_default(_TEXT_SIZE)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    size = lambda text: measure.multiline_textbbox((0, 0), text, font=font)[2:]
    above = [_wrapped(label, max(width, 3 * _TEXT_SIZE), font) for label in column_labels]
    beside = [_wrapped(label, _WIDEST_LABEL, font) for label in row_labels]
    below = _wrapped_captions(captions or [], max(width, 3 * _TEXT_SIZE), font)
    left = round(max(size(text)[0] for text in beside)) + 2 * _GAP
    top = round(max(size(text)[1] for text in above)) + 2 * _GAP
    # A label may be taller or wider than a small picture: then the cells keep their distance.
    caption = round(max((size(text)[1] for row in below for text in row), default=0))
    down = max(height + caption, round(max(size(text)[1] for text in beside))) + _GAP
    across = max(width, round(max(size(text)[0] for text in above))) + _GAP
    sheet = Image.new("RGB", (left + columns * across, top + rows * down), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, text in enumerate(above):
        place = (left + column * across + width / 2, top - _GAP)
        draw.multiline_text(place, text, fill=_INK, font=font, anchor="md", align="center")
    for row, (text, pictures_of_row) in enumerate(zip(beside, table, strict=True)):
        place = (left - _GAP, top + row * down + height / 2)
        draw.multiline_text(place, text, fill=_INK, font=font, anchor="rm", align="right")
        for column, picture in enumerate(pictures_of_row):
            corner = (left + column * across, top + row * down)
            sheet.paste(_cell(picture, height, width), corner)
            if below:
                place = (corner[0] + width / 2, corner[1] + height)
                text = below[row][column]
                draw.multiline_text(place, text, fill=_INK, font=font, anchor="ma", align="center")
    return np.asarray(sheet, np.float32) / 255
