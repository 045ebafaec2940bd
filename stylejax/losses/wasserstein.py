"""The distance of two textures as normal distributions of their channels.

Roots of matrices are taken by matrix products alone, so that they are fast on every device.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Integer

from stylejax.losses.moments import Moments, covariance
from stylejax.types import Gram, Scalar

# An eigenvalue's root is reached when 1.5^iterations is above 1 over it: so many are enough for
# eigenvalues down to 2e-6 of the norm. The roots of smaller ones add next to nothing to a trace.
_ROOT_ITERATIONS = 16
# Of the target's mean variance: small beside what one sees, large beside float32's rounding.
_REGULARIZATION = 1e-4


def _newton_schulz(matrix: Gram) -> tuple[Gram, Gram]:
    """The square root of a positive definite matrix, and the root's inverse.

    The coupled iteration of Denman and Beavers without inverses (Higham, Functions of Matrices
    (2008), equation 6.35).
    """
    largest = jnp.max(jnp.abs(matrix))  # Squares of very small entries would underflow.
    norm = largest * jnp.linalg.norm(matrix / largest)
    identity = jnp.eye(matrix.shape[-1], dtype=matrix.dtype)

    def step(_: Integer[Array, ""], roots: tuple[Gram, Gram]) -> tuple[Gram, Gram]:
        root, inverse = roots
        correction = 1.5 * identity - 0.5 * inverse @ root
        return root @ correction, correction @ inverse

    root, inverse = jax.lax.fori_loop(0, _ROOT_ITERATIONS, step, (matrix / norm, identity))
    return root * jnp.sqrt(norm), inverse / jnp.sqrt(norm)


@jax.custom_jvp
def trace_of_root(matrix: Gram) -> Scalar:
    """The trace of the square root of a positive definite matrix."""
    return jnp.trace(_newton_schulz(matrix)[0])


@trace_of_root.defjvp
def _trace_of_root_jvp(primals: tuple[Gram], tangents: tuple[Gram]) -> tuple[Scalar, Scalar]:
    # d tr(A^1/2) = tr(A^-1/2 dA) / 2: nothing of the iteration has to be kept for it.
    root, inverse = _newton_schulz(primals[0])
    return jnp.trace(root), 0.5 * jnp.vdot(inverse, tangents[0])


def wasserstein_loss(moments: Moments, target: Moments) -> Scalar:
    """Squared Wasserstein-2 distance over N of the normal distributions with these moments.

    |m - n|^2 + tr(A + B - 2 (B^1/2 A B^1/2)^1/2), with means m, n and covariances A, B (Dowson and
    Landau, 1982). Both covariances get 1e-4 of the target's mean variance on their diagonal, so
    that their roots are smooth where channels are dead or depend on each other.
    """
    channels = target.mean.shape[-1]
    ours, theirs = covariance(moments), covariance(target)
    # Not 0 where the texture is blank.
    floor = _REGULARIZATION * jnp.trace(theirs) / channels + 1e-15
    ours, theirs = (matrix + floor * jnp.eye(channels) for matrix in (ours, theirs))
    root, _ = _newton_schulz(jax.lax.stop_gradient(theirs))
    overlap = trace_of_root(root @ ours @ root)
    means = jnp.sum(jnp.square(moments.mean - target.mean))
    return (means + jnp.trace(ours) + jnp.trace(theirs) - 2.0 * overlap) / channels
