"""Archives of pictures, and the crops that the training cuts out of them."""

import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from teachers import write_archive

from stylejax.errors import InputError
from training import archives, pictures
from training.archives import Pictures, decode, painted_tiles, places, survey


def numbered(height, width):
    """A photograph whose pixels say where they are."""
    rows, columns = np.mgrid[0:height, 0:width]
    whole = (rows // 256) * 16 + columns // 256
    return np.stack([rows % 256, columns % 256, whole], axis=-1).astype(np.uint8)


@pytest.fixture(scope="module")
def tiles_archive(tmp_path_factory):
    tiles = painted_tiles(12, seed=5)
    named = {f"class{number % 3}/{number:03}.webp": tile for number, tile in enumerate(tiles)}
    return write_archive(tmp_path_factory.mktemp("tiles") / "tiles.zip", named)


@pytest.fixture(scope="module")
def photographs_archive(tmp_path_factory):
    sizes = {"a.webp": (150, 80), "b.webp": (300, 260), "c.webp": (70, 500)}
    named = {name: numbered(*size) for name, size in sizes.items()}
    return write_archive(tmp_path_factory.mktemp("photographs") / "photographs.zip", named)


@pytest.fixture(scope="module")
def photographs(photographs_archive):
    return decode(survey([photographs_archive]))


def test_tiles_and_labels_are_read_in_order(tiles_archive):
    contents = survey([tiles_archive])
    assert contents.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    decoded = decode(contents)
    assert decoded.tiles.shape == (12, 64, 64, 3) and decoded.pixels.shape == (0, 3)
    np.testing.assert_array_equal(decoded.tiles[1], painted_tiles(12, seed=5)[3])


def test_archives_of_both_kinds_are_told_apart(tiles_archive, photographs_archive):
    contents = survey([photographs_archive, tiles_archive])
    assert len(contents.tiles) == 12 and contents.sides == (260, 80, 70)
    assert archives.survey([tiles_archive]).sides == ()


def test_photographs_of_any_size_are_laid_end_to_end(photographs_archive, photographs):
    where = places(survey([photographs_archive]))
    np.testing.assert_array_equal(where[:, 1:], [[300, 260], [150, 80], [70, 500]])
    for first, height, width in where:
        stored = photographs.pixels[first : first + height * width].reshape(height, width, 3)
        np.testing.assert_array_equal(stored, numbered(height, width))


def test_broken_archives_are_refused(tmp_path, tiles_archive):
    with pytest.raises(InputError, match=r"missing.zip: is no zip archive"):
        survey([tmp_path / "missing.zip"])
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as file:
        file.writestr("notes.txt", "nothing")
    with pytest.raises(InputError, match="no picture in it"):
        survey([empty])
    mixed = write_archive(
        tmp_path / "mixed.zip", {"a/0.webp": painted_tiles(1, 0)[0], "a/1.webp": numbered(80, 64)}
    )
    with pytest.raises(InputError, match=r"a/1.webp is not 64x64"):
        decode(survey([mixed]))
    with zipfile.ZipFile(mixed, "a") as file:
        file.writestr("a/0a.webp", b"RIFF but no picture")
    with pytest.raises(InputError, match=r"a/0a.webp is no whole picture"):
        decode(survey([mixed]))


@pytest.mark.parametrize(
    ("tiles", "sides", "expected"),
    [
        (5, (300, 200, 80), (92, 46, 72, 46)),
        (5, (), (0, 0, 156, 100)),
        (0, (300,), (171, 85, 0, 0)),
        (5, (200,), (112, 0, 88, 56)),
    ],
    ids=["all", "tiles", "photographs", "none to halve"],
)
def test_a_batch_is_shared_out_among_the_kinds_that_are_there(tiles, sides, expected):
    found = pictures.plan(256, 128, tiles, sides)
    assert sum(found.crops) == 256
    np.testing.assert_allclose(found.crops, expected, atol=1)
    assert (found.large, found.largest) == (
        sum(s >= 128 for s in sides),
        sum(s >= 256 for s in sides),
    )


def test_no_picture_that_is_large_enough_is_refused():
    with pytest.raises(InputError, match="no photograph has 128 pixels a side"):
        pictures.plan(8, 128, 0, (127, 90))


def corners(windows):
    """Where windows of numbered photographs begin, and in which column of blocks."""
    corner = np.asarray(windows)[:, 0, 0].round().astype(int)
    return corner[:, 0] + 256 * (corner[:, 2] // 16), corner[:, 1] + 256 * (corner[:, 2] % 16)


def test_native_windows_are_pixels_of_a_photograph(photographs):
    found = 255.0 * pictures.photograph_windows(jax.random.key(0), photographs, 40, 64, 1, 3)
    tops, lefts = corners(found)
    whole = numbered(600, 600)
    for window, top, left in zip(np.asarray(found), tops, lefts, strict=True):
        np.testing.assert_allclose(window, whole[top : top + 64, left : left + 64], atol=1e-4)
    # From all three, and from all over them.
    assert (
        tops.max() > 86 and lefts.max() > 260 - 64 and len(set(zip(tops, lefts, strict=True))) > 30
    )
    assert (tops <= 300 - 64).all() and (lefts <= 500 - 64).all()


def test_halved_windows_are_means_of_four_pixels(photographs):
    found = 255.0 * pictures.photograph_windows(jax.random.key(1), photographs, 20, 64, 2, 1)
    for window in np.asarray(found):
        # Within one block of 256 pixels the numbers rise by 2 from pixel to pixel.
        top, left, _ = (window[0, 0] - 0.5).round().astype(int)
        whole = numbered(300, 260)[top : top + 128, left : left + 128].astype(float)
        expected = whole.reshape(64, 2, 64, 2, 3).mean((1, 3))
        np.testing.assert_allclose(window, expected, atol=1e-4)


def test_mosaics_are_windows_of_the_tiles():
    """A tile of one color each: every crop shows at most four colors, and only theirs."""
    colors = np.random.default_rng(0).integers(0, 256, (5, 1, 1, 3), dtype=np.uint8)
    tiles = np.broadcast_to(colors, (5, 64, 64, 3))
    given = Pictures(jnp.asarray(tiles), np.zeros((0, 3), np.uint8), np.zeros((0, 3), np.int32))
    found = pictures.mosaic_windows(jax.random.key(3), given, 16, 64)
    assert found.shape == (16, 64, 64, 3) and found.dtype == jnp.float32
    for crop in np.asarray(found):
        seen = np.unique((crop * 255).round().astype(int).reshape(-1, 3), axis=0)
        assert len(seen) <= 4
        assert {tuple(color) for color in seen} <= {tuple(c) for c in colors.reshape(-1, 3)}


@pytest.mark.parametrize("size", [64, 128])
def test_crops_of_any_size_have_no_empty_border(size):
    white = np.full((4, 64, 64, 3), 255, np.uint8)
    where = np.array([[0, 260, 256]], np.int32)
    given = Pictures(white, np.full((260 * 256, 3), 255, np.uint8), where)
    plan = pictures.plan(8, size, 4, [256])
    assert all(plan.crops)
    found = jax.jit(pictures.crops, static_argnums=2)(jax.random.key(1), given, plan)
    assert found.shape == (8, size, size, 3)
    np.testing.assert_allclose(found, 1.0, atol=1e-5)


def test_variations_differ_from_the_picture_and_stay_in_range():
    given = jax.random.uniform(jax.random.key(0), (32, 64, 64, 3))
    vary = jax.jit(pictures.varied)
    found = vary(jax.random.key(1), given)
    assert float(found.min()) >= 0.0 and float(found.max()) <= 1.0
    changed = jnp.abs(found - given).max((1, 2, 3)) > 1e-6
    assert 8 <= int(changed.sum()) <= 32
    np.testing.assert_array_equal(found, vary(jax.random.key(1), given))
