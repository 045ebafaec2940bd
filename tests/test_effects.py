"""What the options do to the picture, measured on pictures whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from problems import picture

from stylejax.color import luminance_of
from stylejax.config import LossOptions, Options, PictureOptions, SolverOptions
from stylejax.errors import InputError
from stylejax.image import read_picture, write_picture
from stylejax.run import Request, run
from stylejax.settings import read_settings

SIZE = 64
COLUMNS = np.arange(SIZE)
LOSS = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))
OPTIONS = Options(PictureOptions(size=SIZE), LOSS, SolverOptions(iterations=25))
TEXTURE = replace(
    OPTIONS,
    picture=PictureOptions(size=SIZE, init="noise"),
    loss=replace(LOSS, content_weight=0.0, tv_weight=0.0),
)


def plain(*color):
    return np.broadcast_to(np.asarray(color, np.float32), (SIZE, SIZE, 3)).copy()


def stripes(period):
    wave = 0.5 + 0.4 * np.sin(2 * np.pi * COLUMNS / period)
    return np.broadcast_to(wave[None, :, None], (SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture
def made(tmp_path):
    """Run on pictures and masks that are given as arrays; returns the result."""

    def make(content, styles, options, **masks):
        def written(name, arrays):
            paths = tuple(tmp_path / f"{name}{index}.png" for index in range(len(arrays)))
            for path, array in zip(paths, arrays, strict=True):
                write_picture(path, array if array.ndim == 3 else np.stack([array] * 3, -1))
            return paths

        files = {kind: written(kind, arrays) for kind, arrays in masks.items()}
        (path,), paths = written("content", [content]), written("style", styles)
        output = tmp_path / "out.png"
        run(replace(Request(path, paths, output, options), **files))
        return read_picture(output).pixels

    return make


def test_masks_keep_styles_apart(made):
    left = (np.broadcast_to(COLUMNS, (SIZE, SIZE)) < SIZE // 2).astype(np.float32)
    colors = [plain(0.8, 0.2, 0.1), plain(0.1, 0.3, 0.9)]
    masks = (left, 1.0 - left)
    # The photograph gives its shape, and the loss its unit.
    photograph = picture(SIZE, SIZE, seed=1)
    result = made(photograph, colors, TEXTURE, content_masks=masks)
    for half, color in ((result[:, :30], colors[0]), (result[:, 34:], colors[1])):
        assert np.abs(half.mean((0, 1)) - color[0, 0]).max() < 0.1
    # A style of two halves, of which the masks name the same one.
    both = np.where(left[..., None] > 0, colors[0], colors[1])
    result = made(photograph, [both], TEXTURE, content_masks=(left,), style_masks=(1.0 - left,))
    assert np.abs(result[:, :30].mean((0, 1)) - colors[1][0, 0]).max() < 0.1


def test_outside_all_masks_the_content_stays(made):
    content = picture(SIZE, SIZE, seed=1)
    left = (np.broadcast_to(COLUMNS, (SIZE, SIZE)) < SIZE // 2).astype(np.float32)
    result = made(content, [plain(0.9, 0.1, 0.1)], OPTIONS, content_masks=(left,))
    change = np.abs(result - content).mean((0, 2))
    assert change[40:].mean() < 0.2 * change[:24].mean()


def test_style_scale_sets_the_dominant_frequency_of_the_strokes(made):
    def dominant(style_scale):
        options = replace(TEXTURE, picture=replace(TEXTURE.picture, style_scale=style_scale))
        result = made(plain(0.5, 0.5, 0.5), [stripes(16)], options)
        waves = np.abs(np.fft.rfft(luminance_of(result) - result.mean(), axis=1)).mean(axis=0)
        return 1 + waves[1:].argmax()

    assert abs(dominant(1.0) - 4) <= 1
    assert abs(dominant(0.5) - 8) <= 2


@pytest.mark.parametrize("preserve", ["luminance", "match"])
def test_preserved_colour(made, preserve):
    content = 0.4 + 0.2 * picture(SIZE, SIZE, seed=1)
    style = plain(0.9, 0.2, 0.1) * stripes(8)
    differences = lambda pixels: pixels - luminance_of(pixels)[..., None]
    off = {}
    for option in ("none", preserve):
        options = replace(OPTIONS, picture=replace(OPTIONS.picture, preserve_color=option))
        result = made(content, [style], options)
        # Pixel by pixel where luminance alone is solved for, on the whole where the style is.
        change = differences(result) - differences(content)
        off[option] = np.abs(change if preserve == "luminance" else change.mean((0, 1))).mean()
    assert off[preserve] < 0.15 * off["none"]


def test_output_size_is_that_of_the_result(made, tmp_path):
    options = replace(TEXTURE, picture=replace(TEXTURE.picture, output_size="48x80"))
    result = made(picture(SIZE, SIZE), [stripes(8)], options)
    assert result.shape == (80, 48, 3)
    assert read_settings(tmp_path / "out.png")["options"]["output_size"] == "48x80"


@pytest.mark.parametrize(
    "change, masks, message",
    [
        ({"output_size": "48"}, {}, "--output-size 48: give width x height"),
        ({"output_size": "8x80"}, {}, "--output-size 8x80: give width x height"),
        ({"style_scale": 0.0}, {}, "--style-scale is 0"),
        ({"style_scale": 0.1}, {}, "become 6 x 6"),
        ({}, {"content_masks": (np.ones((40, 64)),)}, "of another shape than"),
        ({}, {"style_masks": (np.ones((64, 64)),)}, "--style-mask without --content-mask"),
        ({}, {"content_masks": (np.ones((64, 64)),) * 2}, "2 masks for 1 style pictures"),
        ({}, {"content_masks": (np.zeros((64, 64)),)}, "is black throughout"),
    ],
)
def test_what_cannot_be_is_one_line(made, tmp_path, change, masks, message):
    options = replace(OPTIONS, picture=replace(OPTIONS.picture, **change))
    masks = {kind: [mask.astype(np.float32) for mask in given] for kind, given in masks.items()}
    with pytest.raises(InputError, match=message):
        made(picture(SIZE, SIZE), [stripes(8)], options, **masks)
    assert not (tmp_path / "out.png").exists()
    assert not list(tmp_path.glob("*.npz"))
