import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import picture, random_weights

from stylejax.cli.entry import main
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.losses.gram import gram_matrix
from stylejax.networks.features import feature_extractor
from stylejax.networks.layers import ARCHITECTURES, layer_table
from stylejax.transfer.reconstruction import FIGURE_LAYERS, reconstruct
from stylejax.transfer.transfer import Result
from stylejax.weights.read import read_weights

LAYERS = ["input", "conv1_relu"]


@pytest.fixture(scope="module")
def weights():
    return read_weights(random_weights())


def feature_distance(a, b, weights, statistic):
    """Of two pictures at conv1_relu, over the size of the second one's statistic."""
    extract = jax.jit(feature_extractor(["conv1_relu"], architecture=weights.architecture))
    first, second = (
        statistic(extract(weights.variables, jnp.asarray(x))["conv1_relu"]) for x in (a, b)
    )
    return float(jnp.linalg.norm(first - second) / jnp.linalg.norm(second))


def test_content_comes_back_from_a_layer_and_style_without_its_places(weights):
    given = picture(40, 56)
    kept = reconstruct(given, LAYERS[1:], weights, kind="content", iterations=30, tv_weight=0.0)
    texture = reconstruct(given, LAYERS, weights, kind="style", iterations=30, tv_weight=0.0)
    flat = lambda maps: maps.reshape(-1)
    assert kept.image.shape == given.shape and not kept.failed
    assert feature_distance(kept.image, given, weights, flat) < 0.2
    # The texture's statistics are the picture's, what lies where is not.
    assert feature_distance(texture.image, given, weights, gram_matrix) < 0.1
    assert feature_distance(texture.image, given, weights, flat) > 0.4
    assert np.abs(kept.image - given).mean() < 0.5 * np.abs(texture.image - given).mean()


def test_total_variation_smooths_and_the_seed_decides(weights):
    given = picture(40, 56)
    solve = lambda tv_weight, seed: (
        reconstruct(
            given, LAYERS, weights, kind="style", iterations=5, tv_weight=tv_weight, seed=seed
        ).image
    )
    rough, smooth, other = solve(0.0, 0), solve(300.0, 0), solve(0.0, 1)
    grain = lambda image: np.abs(np.diff(image, axis=0)).mean()
    assert grain(smooth) < 0.7 * grain(rough)
    assert np.array_equal(rough, solve(0.0, 0)) and not np.array_equal(rough, other)


def test_the_parameterization_is_handed_on(weights):
    gray = np.full((40, 56, 3), 0.5, np.float32)
    fourier, pixel = (
        reconstruct(gray, LAYERS, weights, kind="style", iterations=1, parameterization=form).image
        for form in ("fourier", "pixel")
    )
    # The noise of the start is still there after one step, without the grid's frequencies in one.
    on_grid = lambda image: np.abs(np.fft.fft2(image[..., 0]))[0, 14]
    assert on_grid(fourier) < 0.2 * on_grid(pixel)


def test_every_network_has_layers_for_its_figure():
    assert set(FIGURE_LAYERS) == set(ARCHITECTURES)
    for network, layers in FIGURE_LAYERS.items():
        strides = [layer_table(ARCHITECTURES[network])[layer].stride for layer in layers]
        assert len(set(strides)) == 5 and strides == sorted(strides)


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    write_picture(tmp_path / "photo.jpg", picture(48, 64))
    return ["-o", "figure.png", "--size", "64", "--iterations", "1", "--layers", ",".join(LAYERS)]


def test_content_is_shown_layer_by_layer_and_style_by_growing_sets(
    given, tmp_path, capsys, monkeypatch
):
    asked = []

    def stub(pixels, layers, weights, *, kind, **options):
        asked.append((kind, tuple(layers)))
        return Result(np.full_like(pixels, len(asked) / 5), {}, failed=False)

    monkeypatch.setattr("stylejax.runs.reconstruction.reconstruct", stub)
    assert main(["reconstruct", "--content", "photo.jpg", "--style", "photo.jpg", *given]) == 0
    assert asked == [
        ("content", ("input",)),
        ("content", ("conv1_relu",)),
        ("style", ("input",)),
        ("style", ("input", "conv1_relu")),
    ]
    shown = capsys.readouterr()
    assert shown.out == "figure.png\n"
    steps = ["content, input", "content, conv1_relu", "style, input", "style, conv1_relu"]
    assert shown.err.splitlines() == [f"{done}/4  {what}" for done, what in enumerate(steps)]
    figure = read_picture(tmp_path / "figure.png").pixels
    photo = read_picture(tmp_path / "photo.jpg").pixels
    # Rows of 48 px and columns of 64 px, 8 px between them, from the lower right corner inwards.
    rows = [figure[top:][:48] for top in (figure.shape[0] - 112, figure.shape[0] - 56)]
    lefts = [figure.shape[1] - 72 * back for back in (3, 2, 1)]
    cells = [row[:, left:][:, :64] for row in rows for left in lefts]
    for cell, expected in zip(cells, (photo, 0.2, 0.4, photo, 0.6, 0.8), strict=True):
        np.testing.assert_allclose(cell, np.broadcast_to(expected, photo.shape), atol=1 / 255)


def test_from_the_command_line_to_a_file(given, tmp_path, capsys):
    arguments = [*given, "--layers", "pool1", "--iterations", "3", "--quiet"]
    assert main(["reconstruct", "--content", "photo.jpg", *arguments]) == 0
    shown = capsys.readouterr()
    assert shown.out == shown.err == ""
    figure = read_picture(tmp_path / "figure.png").pixels
    photo = read_picture(tmp_path / "photo.jpg").pixels
    solved = figure[-56:-8, -72:-8]
    assert np.corrcoef(solved.ravel(), photo.ravel())[0, 1] > 0.3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --content, --style, or both"),
        (["--content", "none.jpg"], "none.jpg: no such file"),
        (["--style", "photo.jpg", "--layers", "conv9"], "unknown layer 'conv9'"),
        (["--style", "photo.jpg", "--layers", "relu4_2"], "relu4_2"),
        (["--style", "photo.jpg", "-o", "photo.jpg"], "is an input"),
        (["--style", "photo.jpg", "-o", "figure.gif"], "figure.gif"),
        (["--style", "photo.jpg", "--iterations", "0"], "--iterations is 0"),
        (["--style", "photo.jpg", "--size", "1000000"], "would fit"),
        (["--style", "photo.jpg", "--weights", "none.safetensors"], "no such file"),
    ],
)
def test_what_cannot_be_used_is_one_line(given, tmp_path, capsys, arguments, message):
    before = sorted(tmp_path.iterdir())
    assert main(["reconstruct", *given, *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and message in shown.err
    assert sorted(tmp_path.iterdir()) == before
