"""Colors that are kept are measured on the result."""

import numpy as np
import pytest
from problems import picture

from stylejax.images import color
from stylejax.images.color import colors_after, colors_before, luminance_of, recolored
from stylejax.sizes import KeptColor

CONTENT = picture(24, 32, seed=1)
STYLE = picture(20, 20, seed=2) ** 2


def statistics(pixels):
    flat = pixels.reshape(-1, 3).astype(np.float64)
    return flat.mean(axis=0), np.cov(flat, rowvar=False, bias=True)


def test_a_matched_style_has_the_contents_mean_and_covariance():
    # Contents well inside the range: clipping would change the statistics.
    content = 0.4 + 0.2 * CONTENT
    for ours, theirs in zip(
        statistics(color.match_colors(STYLE, content)), statistics(content), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=2e-3)


@pytest.mark.parametrize("style", ["gray", "black", "one color"])
def test_a_style_without_color_gives_numbers(style):
    gray = np.repeat(luminance_of(STYLE)[..., None], 3, axis=-1)
    pixels = {
        "gray": gray,
        "black": 0 * gray,
        "one color": 0 * gray + np.asarray([1, 0, 0], np.float32),
    }
    for matched in (
        color.match_colors(pixels[style], CONTENT),
        color.match_luminance(pixels[style], CONTENT),
    ):
        assert np.isfinite(matched).all() and 0 <= matched.min() and matched.max() <= 1
        assert matched.dtype == np.float32


def test_luminance_is_matched_in_gray():
    matched = color.match_luminance(STYLE, 0.4 + 0.2 * CONTENT)
    assert np.ptp(matched, axis=-1).max() == 0.0
    theirs = luminance_of(0.4 + 0.2 * CONTENT)
    np.testing.assert_allclose(matched[..., 0].mean(), theirs.mean(), atol=2e-3)
    np.testing.assert_allclose(matched[..., 0].std(), theirs.std(), atol=2e-3)


def test_luminance_changes_and_chroma_stays():
    content, image = 0.4 + 0.2 * CONTENT, 0.3 + 0.4 * picture(24, 32, seed=5)
    result = colors_after(KeptColor("luminance"), image, content)
    np.testing.assert_allclose(luminance_of(result), luminance_of(image), atol=1e-5)
    differences = lambda pixels: pixels - luminance_of(pixels)[..., None]
    np.testing.assert_allclose(differences(result), differences(content), atol=1e-5)
    assert colors_after(KeptColor("match"), image, content) is image


def test_nothing_is_done_unasked():
    content, (style,) = colors_before(KeptColor(), CONTENT, [STYLE])
    assert content is CONTENT and style is STYLE


@pytest.mark.parametrize("mode", ["luminance", "match", "histogram"])
def test_strength_goes_from_the_styles_colors_to_the_contents(mode):
    """To the bit at both ends, and halfway in the middle, whatever is changed."""
    image = 0.3 + 0.4 * picture(24, 32, seed=5)

    def changed(strength):
        kept = KeptColor(mode, strength)
        content, (style,) = colors_before(kept, CONTENT, [STYLE])
        painted = recolored(kept, image, CONTENT)
        return {"content": content, "style": style, "painted": painted}

    none, half, whole = map(changed, (0.0, 0.5, 1.0))
    given = {"content": CONTENT, "style": STYLE, "painted": image}
    for name, picture_given in given.items():
        assert none[name] is picture_given
        assert half[name].dtype == np.float32
        np.testing.assert_allclose(half[name], (none[name] + whole[name]) / 2, atol=1e-6)
    matches = {"match": color.match_colors, "histogram": color.match_histogram}
    if mode == "luminance":
        np.testing.assert_array_equal(whole["style"], color.match_luminance(STYLE, CONTENT))
        np.testing.assert_array_equal(
            whole["painted"], colors_after(KeptColor(mode), image, CONTENT)
        )
        assert np.ptp(whole["content"], axis=-1).max() == 0.0
    else:
        np.testing.assert_array_equal(whole["style"], matches[mode](STYLE, CONTENT))
        np.testing.assert_array_equal(whole["painted"], matches[mode](image, CONTENT))
        assert whole["content"] is CONTENT
