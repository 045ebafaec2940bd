"""The distance of two textures as normal distributions of their channels.

Roots of matrices are taken by matrix products alone, so that they are fast on every device and
batches of them are as well. Each iteration runs to convergence: the floor under the covariances
bounds their condition, and so the number of steps is known beforehand.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Integer

from stylejax.losses.moments import Moments, covariance
from stylejax.types import Gram, Scalar

_ROUNDING = float(np.finfo(np.float32).eps)
# Of the covariances' norms: the least floor under their eigenvalues that the iterations bear.
_FLOOR = 4.0 * _ROUNDING
# By what the floor is raised where a covariance, a difference of two roundings, lies below it.
_RAISE = 8.0
_MOST_RAISES = 10
# How near to 1 the smallest singular value has to come.
_TOLERANCE = 1e-7


def _scales(smallest: float) -> Float[np.ndarray, " steps"]:
    """The factors of a scaled Newton-Schulz iteration on singular values in [smallest, 1].

    Each step maps x to a x (3 - a^2 x^2) / 2, where a makes the images of both ends alike and the
    largest one 1: small values grow 2.6-fold, not 1.5-fold (Chen and Chow, A stable scaling of
    Newton-Schulz for improving the sign function computation of a Hermitian matrix (2014)).
    """
    scales = []
    while 1.0 - smallest > _TOLERANCE:
        scale = np.sqrt(3.0 / (1.0 + smallest + smallest**2))
        smallest = scale * smallest * (3.0 - (scale * smallest) ** 2) / 2.0
        scales.append(scale)
    return np.asarray(scales, np.float32)


# The condition of a covariance with its floor is 1 over it at most, that of its root the root of
# that. Half of it, for what rounding adds.
_ROOT_SCALES = _scales((0.5 * _FLOOR) ** 0.5)
_POLAR_SCALES = _scales(0.5 * _FLOOR)


def _product(one: Gram, other: Gram) -> Gram:
    # GPUs would otherwise round the factors to 10 bits.
    return jnp.matmul(one, other, precision=jax.lax.Precision.HIGHEST)


def _norm(matrix: Gram) -> Scalar:
    largest = jnp.max(jnp.abs(matrix))  # Squares of very small entries would underflow.
    safe = jnp.where(largest > 0.0, largest, 1.0)
    return safe * jnp.linalg.norm(matrix / safe)


def _correction(product: Gram, scale: Float[Array, ""]) -> Gram:
    identity = jnp.eye(product.shape[-1], dtype=product.dtype)
    return 0.5 * scale * (3.0 * identity - jnp.square(scale) * product)


class _Root(NamedTuple):
    """The square root of a matrix and the root's inverse, and whether they are that."""

    root: Gram
    inverse: Gram
    converged: Bool[Array, ""]


def _definite_root(matrix: Gram) -> _Root:
    """The root of a positive definite matrix; of another one the iteration does not converge.

    The coupled iteration of Denman and Beavers without inverses (Higham, Functions of Matrices
    (2008), equation 6.35), scaled.
    """
    norm, scales = _norm(matrix), jnp.asarray(_ROOT_SCALES)
    identity = jnp.eye(matrix.shape[-1], dtype=matrix.dtype)

    def step(at: Integer[Array, ""], state: tuple[Gram, Gram, Scalar]) -> tuple:
        root, inverse, _ = state
        correction = _correction(_product(inverse, root), scales[at])
        # No maximum: on CPU that of what is not a number is small.
        error = jnp.linalg.norm(correction - identity)
        return _product(root, correction), _product(correction, inverse), error

    start = matrix / norm, identity, jnp.zeros((), matrix.dtype)
    root, inverse, error = jax.lax.fori_loop(0, len(_ROOT_SCALES), step, start)
    return _Root(root * jnp.sqrt(norm), inverse / jnp.sqrt(norm), error < 0.1)


def _root(matrix: Gram, floor: Scalar) -> tuple[Gram, Gram]:
    """The root of a covariance and its inverse, with as much more on its diagonal as it takes."""
    identity = jnp.eye(matrix.shape[-1], dtype=matrix.dtype)
    attempt = lambda raises: _definite_root(matrix + floor * _RAISE**raises * identity)

    def again(state: tuple[Scalar, _Root]) -> tuple[Scalar, _Root]:
        raises = state[0] + 1.0
        return raises, attempt(raises)

    short = lambda state: ~state[1].converged & (state[0] < _MOST_RAISES)
    none = jnp.full_like(floor, -1.0)
    never = _Root(matrix, matrix, jnp.zeros((), bool))
    _, found = jax.lax.while_loop(short, again, (none, never))
    return found.root, found.inverse


def _rotation(matrix: Gram) -> Gram:
    """The orthogonal factor of the polar decomposition (Higham, section 8.3)."""
    scales = jnp.asarray(_POLAR_SCALES)

    def step(at: Integer[Array, ""], x: Gram) -> Gram:
        return _product(x, _correction(_product(x.T, x), scales[at]))

    return jax.lax.fori_loop(0, len(_POLAR_SCALES), step, matrix / _norm(matrix))


class _Aligned(NamedTuple):
    """Roots of two covariances, these roots' inverses, and the rotation that joins them best."""

    root: Gram
    inverse: Gram
    its_root: Gram
    its_inverse: Gram
    rotation: Gram


def _aligned(one: Gram, other: Gram, floor: Scalar) -> _Aligned:
    # One that is far smaller is part of the same sum: all of it may lie below the other's floor.
    floor = floor + 0.5 * _FLOOR * (_norm(one) + _norm(other))
    roots = (*_root(one, floor), *_root(other, floor))
    return _Aligned(*roots, _rotation(_product(roots[0], roots[2])))


@jax.custom_jvp
def covariance_distance(one: Gram, other: Gram, floor: Scalar) -> Scalar:
    """Squared Wasserstein-2 distance of normal distributions around 0: tr(A + B - 2 (A B)^1/2).

    As |A^1/2 - Q B^1/2|^2 with the rotation Q that makes it least: a sum of squares, without
    differences of large numbers and without products whose condition is squared (Bhatia, Jain and
    Lim, On the Bures-Wasserstein distance between positive definite matrices (2019)). A and B are
    the two covariances with `floor` on their diagonal, and more where float32 needs it: 2.4e-7 of
    both norms, and 8 times, 64 times, ... as much while they are not positive definite.
    """
    at = _aligned(one, other, floor)
    return jnp.sum(jnp.square(at.root - _product(at.rotation, at.its_root)))


@covariance_distance.defjvp
def _covariance_distance_jvp(
    primals: tuple[Gram, Gram, Scalar], tangents: tuple[Gram, Gram, Scalar]
) -> tuple[Scalar, Scalar]:
    # The slope is 1 - T, where T = A^-1/2 Q B^1/2 is the map that carries the one distribution to
    # the other: so nothing of the iterations has to be kept. The floor counts as fixed.
    at = _aligned(*primals)
    apart = at.root - _product(at.rotation, at.its_root)
    its_apart = at.its_root - _product(at.rotation.T, at.root)
    dot = partial(jnp.vdot, precision=jax.lax.Precision.HIGHEST)
    along = dot(_product(at.inverse, apart), tangents[0])
    along += dot(_product(at.its_inverse, its_apart), tangents[1])
    return jnp.sum(jnp.square(apart)), along


def wasserstein_loss(moments: Moments, target: Moments) -> Scalar:
    """Squared Wasserstein-2 distance over N of the normal distributions with these moments.

    |m - n|^2 + tr(A + B - 2 (A B)^1/2), with means m, n and covariances A, B (Dowson and Landau,
    1982). What float32 cannot tell from 0 is added to the diagonal of both covariances, so that
    roots and slopes are finite where channels are dead, depend on each other or never change.
    """
    floor = _ROUNDING / 16.0 * (_norm(moments.gram) + _norm(target.gram))
    # Not 0 where both textures are blank, and large enough for its root's inverse to be finite.
    floor = jax.lax.stop_gradient(floor + 1e-15)
    spread = covariance_distance(covariance(moments), covariance(target), floor)
    return (jnp.sum(jnp.square(moments.mean - target.mean)) + spread) / target.mean.shape[-1]
