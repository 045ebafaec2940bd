import jax.numpy as jnp
import numpy as np
import pytest
from evaluation.measures import color_distance, content_distance, grid_energy, lab, style_distance
from problems import picture
from scipy.ndimage import gaussian_filter


def noise(height, width, blur, seed=0):
    """Gray noise blurred by a Gaussian, of a picture's contrast, in 8 bits like a file."""
    random = np.random.default_rng(seed).normal(size=(height, width))
    smooth = gaussian_filter(random, blur, mode="wrap")
    gray = 0.5 + 0.15 * smooth / smooth.std()
    samples = np.rint(255 * np.clip(gray, 0, 1)) / 255
    return np.repeat(samples[..., None], 3, axis=-1).astype(np.float32)


def weave(height, width, period, strength):
    rows, columns = np.mgrid[:height, :width]
    waves = np.cos(2 * np.pi * rows / period) + np.cos(2 * np.pi * columns / period)
    return (strength * waves / 2)[..., None].astype(np.float32)


@pytest.mark.parametrize("blur", [0.0, 0.8, 1.5])
def test_noise_without_a_grid_scores_about_1(blur):
    scores = [grid_energy(noise(512, 512, blur, seed)) for seed in range(4)]
    assert np.mean(scores) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("period", "size"), [(4, (384, 512)), (8, (341, 512)), (4, (64, 80))])
def test_a_faint_weave_scores_far_more_whatever_the_size(period, size):
    height, width = size
    plain = noise(height, width, 1.0)
    woven = plain + weave(height, width, period, 0.1)
    assert grid_energy(woven) > 2.0 + grid_energy(plain)
    other = plain + weave(height, width, 3, 0.1)
    assert grid_energy(other) == pytest.approx(grid_energy(plain), abs=0.6)


def test_the_stride_of_the_stem_is_seen_at_period_2():
    plain = noise(256, 256, 1.0)
    assert grid_energy(plain, (2,)) == pytest.approx(1.0, abs=0.5)
    assert grid_energy(plain + weave(256, 256, 2, 0.06), (2,)) > 3.0
    with pytest.raises(ValueError, match="64 x 64 is least"):
        grid_energy(plain[:40])


def test_style_distance_is_0_at_the_style_and_1_at_the_photograph():
    random = np.random.default_rng(0)
    maps = lambda scale: {"a": jnp.asarray(scale * random.random((6, 5, 4)), jnp.float32)}
    style, photograph = maps(1.0), maps(2.0)
    moved = {"a": style["a"].reshape(5, 6, 4)}
    assert style_distance(moved, style, photograph) == pytest.approx(0.0, abs=1e-9)
    assert style_distance(photograph, style, photograph) == 1.0
    # Gram matrices half way between are a quarter as far away.
    both = {"a": jnp.concatenate([style["a"], photograph["a"]])}
    assert style_distance(both, style, photograph) == pytest.approx(0.25, rel=1e-4)


def test_content_distance_is_blind_to_contrast_and_1_at_the_painting():
    random = np.random.default_rng(0)
    photograph, painting = (
        {"a": jnp.asarray(random.random((6, 5, 4)), jnp.float32)} for _ in range(2)
    )
    brighter = {"a": 3.0 * photograph["a"]}
    assert content_distance(brighter, photograph, painting) == pytest.approx(0.0, abs=1e-6)
    assert content_distance(painting, photograph, painting) == 1.0
    rolled = {"a": jnp.roll(photograph["a"], 1, axis=0)}
    assert content_distance(rolled, photograph, painting) > 0.3


def test_lab_of_known_colors():
    colors = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1]], np.float64)
    known = [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]]
    np.testing.assert_allclose(lab(colors), known, atol=0.05)


def test_color_distance_asks_for_the_palette_not_the_places():
    painting = picture(40, 60)
    shuffled = np.random.default_rng(0).permutation(painting.reshape(-1, 3)).reshape(60, 40, 3)
    assert color_distance(shuffled, painting) == pytest.approx(0.0, abs=1e-9)
    # Grays of L* 40 and 60 lie 20 apart.
    grays = [np.full((4, 4, 3), value, np.float32) for value in (0.36864, 0.56810)]
    assert color_distance(*grays) == pytest.approx(20.0, rel=0.03)
    warm = painting * np.array([1.0, 0.6, 0.2], np.float32)
    assert color_distance(warm[..., ::-1], warm) > 40.0
