import numpy as np
import pytest
from picture_files import (
    noise,
)

from stylejax.images.scaling import cover_and_crop, enlarged_tile, fitted_size, resize


@pytest.mark.parametrize(
    "size, longest, expected",
    [
        ((768, 1024), 512, (384, 512)),
        ((1024, 768), 512, (512, 384)),
        ((100, 100), 333, (333, 333)),
        ((16, 3000), 64, (1, 64)),
        ((2, 3), 4, (3, 4)),
    ],
)
def test_fitted_size(size: tuple[int, int], longest: int, expected: tuple[int, int]) -> None:
    assert fitted_size(*size, longest) == expected


@pytest.mark.parametrize("size", [(7, 9), (20, 30), (50, 41)])
def test_resize_keeps_a_constant_picture(size: tuple[int, int]) -> None:
    pixels = np.broadcast_to(np.array([0.1, 0.5, 1.0], np.float32), (20, 30, 3))
    resized = resize(pixels, *size)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, np.broadcast_to(pixels[0, 0], (*size, 3)), atol=1e-6)


def test_resize_stays_in_range_and_keeps_float_precision() -> None:
    checks = (np.indices((20, 30)).sum(axis=0) // 5 % 2).astype(np.float32)
    resized = resize(checks, 47, 53)
    assert resized.shape == (47, 53)
    assert resized.min() == 0 and resized.max() == 1
    ramp = np.linspace(0, 1e-3, 64, dtype=np.float32)[None].repeat(64, axis=0)
    assert len(np.unique(resize(ramp, 32, 32))) >= 32


def test_resize_is_the_same_for_alpha_and_each_channel() -> None:
    pixels = noise().astype(np.float32) / 255
    resized = resize(pixels, 11, 13)
    for channel in range(3):
        np.testing.assert_array_equal(resize(pixels[..., channel], 11, 13), resized[..., channel])


def test_a_ribbon_is_cropped_before_it_is_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    ribbon = np.linspace(0, 1, 3000, dtype=np.float32)[None, :, None].repeat(16, 0).repeat(3, 2)
    scaled = []
    monkeypatch.setattr(
        "stylejax.images.scaling.resize",
        lambda pixels, *size: scaled.append(size) or resize(pixels, *size),
    )
    for pixels in (ribbon, ribbon[..., 0], ribbon.swapaxes(0, 1)):
        square = cover_and_crop(pixels, 64, 64)
        assert square.shape[:2] == (64, 64) and scaled.pop() == (64, 64)
        np.testing.assert_allclose(square.mean(), 0.5, atol=0.001)
    # What is less of a ribbon is scaled first, as it was.
    cover_and_crop(ribbon[:, :40], 64, 64)
    assert scaled == [(64, 160)]


def test_a_tile_is_enlarged_as_a_tile() -> None:
    tile = (noise(12, 8) / 255).astype(np.float32)
    larger = enlarged_tile(tile, 24, 16)
    rolled = enlarged_tile(np.roll(tile, (5, 3), (0, 1)), 24, 16)
    np.testing.assert_allclose(rolled, np.roll(larger, (10, 6), (0, 1)), atol=1e-6)
    # Far from the border it is as any other picture.
    np.testing.assert_allclose(larger[8:16, 7:9], resize(tile, 24, 16)[8:16, 7:9], atol=1e-6)
    # Of another shape it can be none.
    np.testing.assert_array_equal(enlarged_tile(tile, 30, 17), cover_and_crop(tile, 30, 17))
