"""What the options do to the picture, measured on pictures whose answer is known."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from problems import picture, random_weights

from stylejax.errors import InputError
from stylejax.images.color import luminance_of
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions, StyleLoss
from stylejax.runs.metadata import read_record
from stylejax.runs.transfer import Request, run_transfer
from stylejax.transfer.transfer import style_transfer

SIZE = 64
COLUMNS = np.arange(SIZE)
LOSS = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))
OPTIONS = Options(PictureOptions(size=SIZE), LOSS, SolverOptions(iterations=25))
TEXTURE = replace(
    OPTIONS,
    picture=PictureOptions(size=SIZE, init="noise"),
    loss=replace(LOSS, content_weight=0.0, tv_weight=0.0),
)
# The bundled weights, where strokes are looked at; for colors and places those of random numbers
# do, which no training changes.
TRAINED, UNTRAINED = None, random_weights()

LEFT = (np.broadcast_to(COLUMNS, (SIZE, SIZE)) < SIZE // 2).astype(np.float32)


def plain(*color):
    return np.broadcast_to(np.asarray(color, np.float32), (SIZE, SIZE, 3)).copy()


def stripes(period):
    wave = 0.5 + 0.4 * np.sin(2 * np.pi * COLUMNS / period)
    return np.broadcast_to(wave[None, :, None], (SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture
def made(tmp_path):
    """Run on pictures and masks that are given as arrays; returns the result."""

    def make(content, styles, options, weights=UNTRAINED, **masks):
        def written(name, arrays):
            paths = tuple(tmp_path / f"{name}{index}.png" for index in range(len(arrays)))
            for path, array in zip(paths, arrays, strict=True):
                write_picture(path, array if array.ndim == 3 else np.stack([array] * 3, -1))
            return paths

        files = {kind: written(kind, arrays) for kind, arrays in masks.items()}
        (path,), paths = written("content", [content]), written("style", styles)
        output = tmp_path / "out.png"
        request = Request(path, paths, output, options, weights=weights)
        run_transfer(replace(request, **files))
        return read_picture(output).pixels

    return make


def test_masks_keep_styles_apart(made):
    colors = [plain(0.8, 0.2, 0.1), plain(0.1, 0.3, 0.9)]
    masks = (LEFT, 1.0 - LEFT)
    # The photograph gives its shape, and the loss its unit.
    photograph = picture(SIZE, SIZE, seed=1)
    result = made(photograph, colors, TEXTURE, content_masks=masks)
    for half, color in ((result[:, :30], colors[0]), (result[:, 34:], colors[1])):
        assert np.abs(half.mean((0, 1)) - color[0, 0]).max() < 0.1
    # A style of two halves, of which the masks name the same one.
    both = np.where(LEFT[..., None] > 0, colors[0], colors[1])
    result = made(photograph, [both], TEXTURE, content_masks=(LEFT,), style_masks=(1.0 - LEFT,))
    assert np.abs(result[:, :30].mean((0, 1)) - colors[1][0, 0]).max() < 0.1


def test_soft_masks_of_three_regions_fade_into_each_other(made):
    colors = [plain(0.8, 0.2, 0.1), plain(0.1, 0.8, 0.2), plain(0.1, 0.2, 0.8)]
    # Tents around the columns 0, 32 and 64, with a sum of 1 everywhere.
    tents = [np.clip(1 - np.abs(COLUMNS - middle) / 32, 0, 1) for middle in (0, 32, 64)]
    masks = [np.broadcast_to(tent, (SIZE, SIZE)).astype(np.float32) for tent in tents]
    result = made(picture(SIZE, SIZE, seed=1), colors, TEXTURE, content_masks=masks)
    bands = [result[:, first : first + 8].mean((0, 1)) for first in (0, 28, 56)]
    distances = np.asarray(
        [[np.abs(band - color[0, 0]).mean() for color in colors] for band in bands]
    )
    # Each band has its own style's color, and no other's.
    assert (np.diag(distances) < 0.15).all()
    assert (distances + np.diag(3 * [1.0])).min() > 0.25
    # Halfway it is in between.
    halfway = np.abs(result[:, 14:18].mean((0, 1)) - (colors[0] + colors[1])[0, 0] / 2)
    assert halfway.max() < 0.2


def test_several_styles_are_blended_in_the_given_shares(made):
    colors = [plain(0.8, 0.2, 0.1), plain(0.2, 0.4, 0.9)]
    options = replace(TEXTURE, loss=replace(TEXTURE.loss, style_blend=(3.0, 1.0)))
    result = made(picture(SIZE, SIZE, seed=1), colors, options).mean((0, 1))
    np.testing.assert_allclose(result, 0.75 * colors[0][0, 0] + 0.25 * colors[1][0, 0], atol=0.05)


@pytest.mark.parametrize(
    "content_layers, share",
    [
        # The pixels themselves: what is left is what total variation smooths, 0.025 of 0.32.
        (("input", "pool1"), 0.12),
        # The trained features of this layer hardly see an even color, so the content term lets some
        # of the left half's red through: the share is 0.22 after 25 iterations, 0.20 after 150.
        (("pool1",), 0.3),
    ],
)
def test_outside_all_masks_the_content_stays(made, content_layers, share):
    content = picture(SIZE, SIZE, seed=1)
    # The colors of the right edge, beside the left one to a Fourier transform, come last.
    solve = SolverOptions(iterations=60)
    options = replace(OPTIONS, loss=replace(LOSS, content_layers=content_layers), solve=solve)
    result = made(content, [plain(0.9, 0.1, 0.1)], options, TRAINED, content_masks=(LEFT,))
    change = np.abs(result - content).mean((0, 2))
    assert change[:24].mean() > 0.25
    assert change[40:].mean() < share * change[:24].mean()


def dominant(result):
    """Cycles across the picture of its strongest wave."""
    waves = np.abs(np.fft.rfft(luminance_of(result) - result.mean(), axis=1)).mean(axis=0)
    return 1 + waves[1:].argmax()


def test_style_scale_sets_the_dominant_frequency_of_the_strokes(made):
    def strokes(style_scale):
        options = replace(TEXTURE, picture=replace(TEXTURE.picture, style_scale=style_scale))
        return dominant(made(plain(0.5, 0.5, 0.5), [stripes(16)], options, TRAINED))

    assert abs(strokes(1.0) - 4) <= 1
    assert abs(strokes(0.5) - 8) <= 2


@pytest.mark.parametrize("style_loss", get_args(StyleLoss))
def test_every_style_loss_makes_the_styles_texture(made, style_loss):
    options = replace(TEXTURE, loss=replace(TEXTURE.loss, style_loss=style_loss))
    result = made(plain(0.5, 0.5, 0.5), [stripes(8)], options, TRAINED)
    assert abs(dominant(result) - 8) <= 2
    assert abs(result.std() - stripes(8).std()) < 0.1


@pytest.mark.parametrize("preserve", ["luminance", "match", "histogram"])
def test_preserved_color(made, preserve):
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


@pytest.mark.parametrize("preserve", ["luminance", "match", "histogram"])
def test_a_gray_style_gives_numbers_where_colors_are_preserved(preserve):
    content = (0.4 + 0.2 * picture(SIZE, SIZE, seed=1)) * np.array([1.0, 0.8, 0.6], np.float32)
    options = replace(OPTIONS, picture=replace(OPTIONS.picture, preserve_color=preserve))
    options = replace(options, solve=SolverOptions(iterations=5))
    result = style_transfer(content, [stripes(8)], options=options)
    assert not result.failed and np.isfinite(result.history["loss"]).all()
    assert result.history["loss"][-1] < result.history["loss"][0]
    assert np.isfinite(result.image).all()
    color = lambda pixels: pixels - luminance_of(pixels)[..., None]
    kept, asked = color(result.image), color(content)
    # Each pixel's color, or that of the whole: a gray picture that is given the content's colors
    # has their mean, but still varies along a single line, as gray does.
    if preserve != "luminance":
        kept, asked = kept.mean((0, 1)), asked.mean((0, 1))
    assert np.abs(asked).max() > 0.1
    np.testing.assert_allclose(kept, asked, atol=1e-5 if preserve == "luminance" else 0.005)


@pytest.mark.parametrize("preserve", ["luminance", "match"])
def test_strength_0_is_no_preserved_color_and_half_lies_between(preserve):
    content = 0.4 + 0.2 * picture(SIZE, SIZE, seed=1)
    style = plain(0.9, 0.2, 0.1) * stripes(8)

    def made_by(**kept):
        options = replace(OPTIONS, picture=replace(OPTIONS.picture, **kept))
        return style_transfer(content, [style], options=options)

    red = lambda result: float(result.image[..., 0].mean() - result.image[..., 2].mean())
    without = made_by()
    nothing, half, whole = (
        made_by(preserve_color=preserve, color_strength=strength) for strength in (0.0, 0.5, 1.0)
    )
    np.testing.assert_array_equal(nothing.image, without.image)
    margin = 0.1 * (red(without) - red(whole))
    assert margin > 0.01
    assert red(whole) + margin < red(half) < red(without) - margin


def test_a_texture_of_another_size_has_that_size_and_the_styles_strokes(made, tmp_path):
    options = replace(TEXTURE, picture=replace(TEXTURE.picture, output_size="96x48"))
    options = replace(options, solve=replace(options.solve, levels=1))
    result = made(picture(SIZE, SIZE), [stripes(8)], options, TRAINED)
    assert result.shape == (48, 96, 3)
    # The painting is scaled to the longest side, its eight stripes with it.
    assert abs(dominant(result) - 8) <= 2
    assert read_record(tmp_path / "out.png")["options"]["output_size"] == "96x48"


@pytest.mark.parametrize("option", ["level_content_weights", "level_tv_weights"])
def test_weights_of_a_level_are_those_of_that_level(made, option):
    """The last level's weight is what the result shows."""
    content = picture(SIZE, SIZE, seed=1)

    def measure(last):
        solve = SolverOptions(iterations=12, level_iterations=(1.0, 2.0))
        options = replace(OPTIONS, solve=replace(solve, **{option: (1.0, last)}))
        result = made(content, [stripes(8)], options)
        if option == "level_tv_weights":
            return np.abs(np.diff(result, axis=0)).mean()
        return np.abs(result - content).mean()

    assert measure(100.0) < 0.8 * measure(0.01)


def test_the_grid_is_held_back_in_fourier_form_and_comes_up_in_pixel_form(made):
    def on_grid(form):
        options = replace(TEXTURE, solve=SolverOptions(iterations=10, parameterization=form))
        options = replace(options, picture=PictureOptions(size=SIZE))
        # Stripes that the grid's frequencies would help to make, from an even gray.
        result = made(plain(0.5, 0.5, 0.5), [picture(SIZE, SIZE, seed=3)], options)
        return np.abs(np.fft.fft2(luminance_of(result)))[[0, 16, 32, 16], [16, 0, 0, 16]].sum()

    assert on_grid("fourier") < 0.5 * on_grid("pixel")


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
