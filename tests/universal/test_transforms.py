"""The transforms against the paper's equations in float64, and on features of every bad kind."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylejax.universal.statistics import Statistics, feature_statistics
from stylejax.universal.transforms import (
    barycenter,
    linear_map,
    orthogonal_factor,
    ridged,
    roots,
    transformed,
)

TRANSFORMS = ("transport", "whitening", "moments")
SOLVERS = ("eigenvalues", "products")


def features(
    seed: int, height: int, width: int, channels: int, decades: float = 2.0, dead: int = 0
) -> jax.Array:
    """Correlated channels of uneven strength, not negative, as behind a ReLU."""
    random = np.random.default_rng(seed)
    mix = random.normal(size=(channels, channels)) * 10.0 ** random.uniform(-decades, 0, channels)
    x = random.normal(size=(height, width, channels)) @ mix.T / np.sqrt(channels)
    x[..., :dead] = -1.0
    return jnp.asarray(np.maximum(x + 0.3, 0.0), jnp.float32)


def power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values**exponent) @ vectors.T


def paper(content: jax.Array, style: jax.Array, ridge: float, transform: str) -> np.ndarray:
    """Li et al. (2017), section 3.2, in float64: equation 2 whitens, equation 3 colors.

    With the covariances as means over positions and the ridge in place of the dropped eigenvalues.
    For `transport` the map of Knott and Smith (1984), C^-1/2 (C^1/2 S C^1/2)^1/2 C^-1/2; for
    `moments` equation 8 of Huang and Belongie (2017).
    """
    flat = [np.asarray(each, np.float64).reshape(-1, each.shape[-1]) for each in (content, style)]
    means = [each.mean(0) for each in flat]
    covariances = []
    for each, mean in zip(flat, means, strict=True):
        covariance = (each - mean).T @ (each - mean) / len(each)
        positions, channels = each.shape
        share = ridge + 0.1 * max(0.0, 1.0 - positions / channels)
        covariances.append(covariance + share * np.trace(covariance) / channels * np.eye(channels))
    ours, theirs = covariances
    if transform == "whitening":
        linear = power(theirs, 0.5) @ power(ours, -0.5)
    elif transform == "transport":
        root, inverse = power(ours, 0.5), power(ours, -0.5)
        linear = inverse @ power(root @ theirs @ root, 0.5) @ inverse
    else:
        linear = np.diag(np.sqrt(np.diag(theirs) / np.diag(ours)))
    return ((flat[0] - means[0]) @ linear.T + means[1]).reshape(content.shape)


def spread_error(got: np.ndarray, wanted: np.ndarray) -> float:
    """Root mean square of the difference over that of the wanted features."""
    return float(np.sqrt(np.mean((got - wanted) ** 2) / np.mean(wanted**2)))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("shape", [(24, 20, 32), (4, 5, 32)])
def test_transforms_are_those_of_the_equations(transform, solver, shape):
    content, style = features(0, *shape), features(1, 17, 23, shape[-1])
    got = transformed(
        content,
        feature_statistics(content),
        feature_statistics(style),
        transform=transform,
        ridge=1e-3,
        solver=solver,
    )
    assert spread_error(np.asarray(got), paper(content, style, 1e-3, transform)) < 1e-4


@pytest.mark.parametrize("transform", ["transport", "whitening"])
def test_result_has_the_styles_mean_and_covariance(transform):
    content, style = features(0, 40, 40, 16, 0.5), features(1, 40, 40, 16, 0.5)
    target = feature_statistics(style)
    got = transformed(content, feature_statistics(content), target, transform=transform, ridge=1e-5)
    found = feature_statistics(got)
    np.testing.assert_allclose(found.mean, target.mean, atol=1e-4)
    scale = float(jnp.max(target.covariance))
    np.testing.assert_allclose(found.covariance, target.covariance, atol=3e-3 * scale)


def test_transport_moves_less_than_whitening():
    content, style = features(2, 30, 30, 24), features(3, 30, 30, 24)
    given = feature_statistics(content), feature_statistics(style)
    moved = {
        name: float(jnp.mean((transformed(content, *given, transform=name) - content) ** 2))
        for name in ("transport", "whitening")
    }
    assert moved["transport"] < moved["whitening"]


def test_own_statistics_and_alpha_0_change_nothing():
    content, style = features(4, 20, 20, 24), features(5, 20, 20, 24)
    own, other = feature_statistics(content), feature_statistics(style)
    for transform in TRANSFORMS:
        same = transformed(content, own, own, transform=transform)
        np.testing.assert_allclose(same, content, atol=2e-4)
        none = transformed(content, own, other, transform=transform, alpha=0.0)
        np.testing.assert_array_equal(none, content)


def degenerate(random: np.random.Generator, channels: int) -> np.ndarray:
    """A feature map of one of the kinds that make a decomposition fail, or several at once."""
    height, width = random.integers(1, 9, 2)
    x = random.normal(size=(height, width, channels)) * 10.0 ** random.uniform(-4, 3)
    kind = random.integers(0, 8)
    if kind == 0:
        x = np.maximum(x, 0.0) * (random.random(channels) < 0.5)
    elif kind == 1:
        x[:] = x[:1, :1]
    elif kind == 2:
        x = x[:1, :1]
    elif kind == 3:
        x = x[..., :1] * random.normal(size=channels)
    elif kind == 4:
        x[:] = 0.0
    elif kind == 5:
        x = x * 10.0 ** random.uniform(-6, 0, channels)
    elif kind == 6:
        x[..., : channels // 2] = x[..., channels // 2 :]
    return x.astype(np.float32)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("transform", ["transport", "whitening"])
def test_a_thousand_random_and_degenerate_maps_give_finite_features(transform, solver):
    random, channels = np.random.default_rng(6), 16
    maps = [degenerate(random, channels) for _ in range(1000)]
    rows = [np.pad(x.reshape(-1, channels), ((0, 64 - x[..., 0].size), (0, 0))) for x in maps]
    inside = np.stack([np.arange(64) < x[..., 0].size for x in maps]).astype(np.float32)

    @jax.jit
    @partial(jax.vmap)
    def run(content, own, style, theirs):
        ours = feature_statistics(content[None], own[None])
        given = feature_statistics(style[None], theirs[None])
        got = transformed(
            content[None], ours, given, transform=transform, ridge=1e-3, solver=solver
        )
        return jnp.where(own[None, :, None] > 0.0, got, 0.0), given

    got, given = run(np.stack(rows), inside, np.stack(rows)[::-1], inside[::-1])
    assert np.all(np.isfinite(got))
    # No blow-up either: the result stays within the style's size, whatever the content's.
    largest = np.abs(np.asarray(got)).max((1, 2, 3))
    reach = np.abs(given.mean).max(-1) + 64.0 * np.sqrt(np.trace(given.covariance, 0, 1, 2))
    assert np.all(largest <= 1.01 * reach + 1e-3)


def test_eigenvalues_and_products_agree_on_a_singular_covariance():
    # 300 positions, 384 channels of which some are dead: the condition is that of the ridge alone.
    content, style = features(7, 15, 20, 384, dead=40), features(8, 20, 15, 384, dead=20)
    given = feature_statistics(content), feature_statistics(style)
    for transform in ("transport", "whitening"):
        first, second = (
            transformed(content, *given, transform=transform, ridge=1e-3, solver=solver)
            for solver in SOLVERS
        )
        assert spread_error(np.asarray(first), np.asarray(second)) < 1e-4


def test_roots_and_orthogonal_factor_are_what_they_are_called():
    style = feature_statistics(features(9, 20, 20, 48))
    matrix, ridge = ridged(style, 1e-2)
    for solver in SOLVERS:
        root, inverse = roots(matrix, ridge, solver=solver)
        np.testing.assert_allclose(root @ root, matrix, atol=1e-5 * float(jnp.max(matrix)))
        np.testing.assert_allclose(root @ inverse, np.eye(48), atol=2e-4)
    square = jnp.asarray(np.random.default_rng(0).normal(size=(48, 48)), jnp.float32)
    least = jnp.asarray(np.linalg.svd(square, compute_uv=False)[-1])
    left, _, right = np.linalg.svd(square)
    np.testing.assert_allclose(orthogonal_factor(square, least), left @ right, atol=1e-4)


def test_weights_select_a_region_and_padding_does_not_count():
    random = np.random.default_rng(10)
    x = features(11, 9, 14, 8)
    padded = jnp.pad(x, ((0, 7), (0, 2), (0, 0)), constant_values=50.0)
    inside = np.zeros(padded.shape[:2], np.float32)
    inside[:9, :14] = 1.0
    plain, masked = feature_statistics(x), feature_statistics(padded, jnp.asarray(inside))
    for ours, theirs in zip(plain, masked, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    weights = random.random((9, 14)).astype(np.float32)
    found = feature_statistics(x, jnp.asarray(weights))
    flat = np.asarray(x, np.float64).reshape(-1, 8)
    share = weights.ravel().astype(np.float64) / weights.sum(dtype=np.float64)
    np.testing.assert_allclose(found.covariance, np.cov(flat.T, aweights=share, ddof=0), atol=1e-5)
    np.testing.assert_allclose(found.positions, 1.0 / np.sum(share**2), rtol=1e-4)


def test_alphas_map_and_blends_differentiate():
    content = features(12, 12, 12, 16)
    styles = [feature_statistics(features(seed, 12, 12, 16)) for seed in (13, 14)]
    stacked = jax.tree.map(lambda *each: jnp.stack(each), *styles)
    own = feature_statistics(content)
    run = lambda alpha: transformed(content, own, styles[0], alpha=alpha)
    alphas = jnp.asarray([0.0, 0.5, 1.0])
    found = jax.vmap(run)(alphas)
    np.testing.assert_allclose(found[1], 0.5 * (found[0] + found[2]), atol=1e-5)

    def energy(share: Any, solver: Any) -> Any:
        blend = jnp.stack([share, 1.0 - share])
        middle = barycenter(stacked, blend, solver=solver)
        return jnp.mean(transformed(content, own, middle, solver=solver) ** 2)

    for solver in SOLVERS:
        gradient = float(jax.grad(energy)(0.4, solver))
        step = 1e-2
        difference = (energy(0.4 + step, solver) - energy(0.4 - step, solver)) / (2 * step)
        assert gradient == pytest.approx(float(difference), rel=0.02, abs=1e-4)


def test_gradient_of_equal_eigenvalues_is_finite():
    # All eigenvalues alike: the derivative of the eigenvectors themselves is infinite here.
    own = Statistics(jnp.zeros(8), jnp.eye(8), jnp.asarray(100.0))
    for solver in SOLVERS:

        def total(scale: Any, solver: Any = solver) -> Any:
            scaled = own._replace(covariance=scale * own.covariance)
            return jnp.sum(linear_map(scaled, own, solver=solver) ** 2)

        # The map is scale^-1/2 times the identity, its squares sum to 8 / scale.
        assert float(jax.grad(total)(2.0)) == pytest.approx(-2.0, rel=1e-2)


def test_barycenter_lies_between_and_meets_its_equation():
    styles = [feature_statistics(features(seed, 20, 20, 12, 0.5)) for seed in (15, 16)]
    stacked = jax.tree.map(lambda *each: jnp.stack(each), *styles)
    for number, blend in enumerate(([1.0, 0.0], [0.0, 1.0])):
        found = barycenter(stacked, jnp.asarray(blend), rounds=10)
        np.testing.assert_allclose(
            found.covariance,
            styles[number].covariance,
            atol=2e-3 * float(jnp.max(styles[number].covariance)),
        )
    found = barycenter(stacked, jnp.asarray([0.3, 0.7]), rounds=10)
    root = power(np.asarray(found.covariance, np.float64), 0.5)
    # Agueh and Carlier (2011): S = sum of w_i (S^1/2 S_i S^1/2)^1/2.
    mean = sum(
        share * power(root @ np.asarray(style.covariance, np.float64) @ root, 0.5)
        for share, style in zip((0.3, 0.7), styles, strict=True)
    )
    np.testing.assert_allclose(mean, found.covariance, atol=1e-2 * float(np.max(mean)))
