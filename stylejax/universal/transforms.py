"""Linear transforms that give a feature map another mean and covariance.

Whitening and coloring (Li et al. (2017), arXiv 1705.08086, section 3.2) takes the content's
covariance C to the style's S by the map S^1/2 C^-1/2. Every map S^1/2 Q C^-1/2 with an orthogonal Q
does; the symmetric one is the optimal transport between the normal distributions (Knott and Smith,
1984): it moves the features least, in the mean of their squares, so most of the content stays. Its
Q is the orthogonal factor of the polar decomposition of S^1/2 C^1/2.

A ridge, a share of the mean eigenvalue, is added to both covariances. No direction is cut off and
none fails: dead channels, a single color, fewer positions than channels.

Feature maps are height x width x channels, in any unit; statistics are means over positions.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import sequential_vmap
from jaxtyping import Array, Float, PyTree

from stylejax.types import FeatureMap, Gram, Scalar
from stylejax.universal.options import Solver, Transform
from stylejax.universal.statistics import SMALLEST, Statistics
from stylejax.universal.statistics import exact_product as _product

Number = float | Float[Array, "..."]
Vector = Float[Array, " channels"]

_SHRINKAGE = 0.1
"""Ridge of a region with a single position; it falls to 0 at as many positions as channels."""
_ROOT_STEPS, _POLAR_STEPS = 16, 20


def ridged(statistics: Statistics, ridge: Number) -> tuple[Gram, Scalar]:
    """The covariance with its ridge on the diagonal, and the ridge.

    The ridge is a share of the mean eigenvalue: `ridge`, and more where there are fewer positions
    than channels and the covariance is known the less.
    """
    channels = statistics.mean.shape[-1]
    missing = jnp.maximum(1.0 - statistics.positions / channels, 0.0)
    share = ridge + _SHRINKAGE * missing
    added = share * jnp.trace(statistics.covariance) / channels + SMALLEST
    return statistics.covariance + added * jnp.eye(channels), added


@sequential_vmap
def _eigen_roots(matrix: Gram, least: Scalar) -> tuple[Gram, Gram, Vector, Gram]:
    # Never as a batch: with jaxlib 0.10.2 on two cores one inside a larger program hangs.
    values, vectors = jnp.linalg.eigh(matrix)
    values = jnp.sqrt(jnp.maximum(values, least))
    root, inverse = _product(vectors * values, vectors.T), _product(vectors / values, vectors.T)
    return root, inverse, values, vectors


@jax.custom_jvp
def _roots_by_eigenvalues(matrix: Gram, least: Scalar) -> tuple[Gram, Gram]:
    return _eigen_roots(matrix, least)[:2]


@_roots_by_eigenvalues.defjvp
def _roots_by_eigenvalues_jvp(primals: PyTree, tangents: PyTree) -> PyTree:
    """Of the root R of A: dR solves R dR + dR R = dA, in the basis of the eigenvectors a division.

    Unlike the eigenvectors' own derivative it is finite where eigenvalues are equal.
    """
    root, inverse, values, vectors = _eigen_roots(*primals)
    inside = _product(vectors.T, _product(tangents[0], vectors)) / (values[:, None] + values)
    change = _product(vectors, _product(inside, vectors.T))
    return (root, inverse), (change, -_product(inverse, _product(change, inverse)))


def _speed(least: Scalar) -> tuple[Scalar, Scalar]:
    """Scale of a Newton-Schulz step on singular values from `least` to 1, and the next `least`.

    The scale that takes both ends to the same distance from 1 (Chen and Chow, 2014, A stable
    scaling of Newton-Schulz): small values grow 2.6-fold in a step instead of 1.5-fold.
    """
    scale = jnp.sqrt(3.0 / (1.0 + least + least**2))
    grown = scale * least
    return scale, jnp.minimum(0.5 * grown * (3.0 - grown**2), 1.0)


def _roots_by_products(matrix: Gram, least: Scalar) -> tuple[Gram, Gram]:
    """Coupled Newton-Schulz iteration (Higham, Functions of Matrices (2008), equation 6.35)."""
    norm = jnp.linalg.norm(matrix)
    identity = jnp.eye(matrix.shape[-1], dtype=matrix.dtype)

    def step(_: PyTree, state: PyTree) -> PyTree:
        root, inverse, bound = state
        scale, bound = _speed(bound)
        correction = 1.5 * scale * identity - 0.5 * scale**3 * _product(inverse, root)
        return _product(root, correction), _product(correction, inverse), bound

    start = (matrix / norm, identity, jnp.sqrt(jnp.minimum(least / norm, 1.0)))
    root, inverse, _ = lax.fori_loop(0, _ROOT_STEPS, step, start)
    return root * jnp.sqrt(norm), inverse / jnp.sqrt(norm)


def roots(matrix: Gram, least: Scalar, *, solver: Solver = "products") -> tuple[Gram, Gram]:
    """The square root of a positive definite matrix, and the root's inverse.

    Args:
        matrix: symmetric.
        least: a lower bound of its eigenvalues, above 0.
        solver: by `products` alone (Newton-Schulz), or by `eigenvalues`, which take an accelerator
            much longer and are found one after the other under `jax.vmap`.
    """
    if solver == "eigenvalues":
        return _roots_by_eigenvalues(matrix, least)
    return _roots_by_products(matrix, least)


def orthogonal_factor(matrix: Gram, least: Scalar) -> Gram:
    """The orthogonal matrix nearest to an invertible one: the factor of its polar decomposition.

    By Newton-Schulz steps on every device: a singular value decomposition takes a CPU longer.
    `least` is a lower bound of the singular values.
    """
    norm = jnp.linalg.norm(matrix)

    def step(_: PyTree, state: PyTree) -> PyTree:
        factor, bound = state
        scale, bound = _speed(bound)
        square = _product(factor.T, factor)
        return 1.5 * scale * factor - 0.5 * scale**3 * _product(factor, square), bound

    start = (matrix / norm, jnp.minimum(least / norm, 1.0))
    return lax.fori_loop(0, _POLAR_STEPS, step, start)[0]


def linear_map(
    content: Statistics,
    style: Statistics,
    *,
    transform: Transform = "transport",
    ridge: Number = 1e-3,
    solver: Solver = "products",
) -> Gram:
    """The matrix T of x -> T (x - content mean) + style mean, for features as columns.

    Args:
        content: statistics of the feature map that is to change.
        style: those that it is to have.
        transform: `transport`, `whitening` or `moments` (a diagonal T).
        ridge: share of the mean eigenvalue, above 0; see `ridged`.
        solver: of the roots, see `roots`.
    """
    ours, our_ridge = ridged(content, ridge)
    theirs, their_ridge = ridged(style, ridge)
    if transform == "moments":
        return jnp.diag(jnp.sqrt(jnp.diagonal(theirs) / jnp.diagonal(ours)))
    root, inverse = roots(ours, our_ridge, solver=solver)
    target, _ = roots(theirs, their_ridge, solver=solver)
    if transform == "transport":
        # The product's singular values are at least the product of both least ones.
        least = jnp.sqrt(our_ridge * their_ridge)
        target = _product(target, orthogonal_factor(_product(target, root), least))
    return _product(target, inverse)


def barycenter(
    styles: Statistics,
    blend: Float[Array, " styles"],
    *,
    ridge: Number = 1e-3,
    solver: Solver = "products",
    rounds: int = 5,
) -> Statistics:
    """Statistics between several: the Wasserstein barycenter of the normal distributions.

    Each round moves the covariance by the mean of its transports to all styles (Alvarez-Esteban et
    al. (2016), arXiv 1511.05355, theorem 4.2), from the mean covariance.

    Args:
        styles: with a leading axis.
        blend: their weights, with a sum of 1.
        ridge: as of `linear_map`.
        solver: likewise.
        rounds: of the fixed point.
    """
    mixed = Statistics(*(jnp.tensordot(blend, each, axes=1) for each in styles))

    def step(_: PyTree, covariance: Gram) -> Gram:
        here = mixed._replace(covariance=covariance)
        to_each = partial(linear_map, here, ridge=ridge, solver=solver)
        maps = jax.vmap(to_each)(styles)
        mean = jnp.tensordot(blend, maps, axes=1)
        moved = _product(mean, _product(covariance, mean.T))
        return 0.5 * (moved + moved.T)

    return mixed._replace(covariance=lax.fori_loop(0, rounds, step, mixed.covariance))


def transformed(
    feature_map: FeatureMap,
    content: Statistics,
    style: Statistics,
    *,
    alpha: Number = 1.0,
    transform: Transform = "transport",
    ridge: Number = 1e-3,
    solver: Solver = "products",
) -> FeatureMap:
    """The feature map with a style's mean and covariance, as far as `alpha` goes.

    Args:
        feature_map: height x width x channels.
        content: its statistics (of all of it, where this is a part).
        style: those that it is to have.
        alpha: 0 returns the map as it is, 1 gives it all of the style's statistics.
        transform: as of `linear_map`.
        ridge: likewise.
        solver: likewise.
    """
    linear = linear_map(content, style, transform=transform, ridge=ridge, solver=solver)
    moved = _product(feature_map - content.mean, linear.T) + style.mean
    return feature_map + alpha * (moved - feature_map)
