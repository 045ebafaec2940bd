"""Derivatives of every mode, of the objective with plain kernels and of the public losses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feature_maps import noise
from own_networks import smooth_network
from problems import picture, random_weights, vgg_tensors, write_vgg

import stylejax

LAYERS = {
    "own": (["two"], ["one", "two"]),
    "densenet121": (["pool2_relu"], ["input", "conv1_relu", "pool2_relu"]),
    "vgg19": (["relu2_1"], ["relu1_1", "relu2_1"]),
}


def loss_of(name, path, size):
    """The objective as a function of the picture alone, with all its terms, and a picture."""
    network = smooth_network()
    if name == "densenet121":
        network = stylejax.read_weights(random_weights())
    elif name == "vgg19":
        network = stylejax.read_weights(write_vgg(path / "vgg.safetensors", tensors=vgg_tensors()))
    objective = stylejax.make_objective(network, *LAYERS[name], kernels="plain")
    content, style, image = (jnp.asarray(picture(size, size, seed)) for seed in range(3))
    targets = objective.targets(network.variables, content, [style])
    weights = objective.weights()
    return lambda image: objective(image, network.variables, targets, weights)[0], image


@pytest.mark.parametrize("network", LAYERS)
def test_the_objective_has_derivatives_of_every_mode(network, tmp_path):
    loss, image = loss_of(network, tmp_path, 24)
    one, other = (jnp.asarray(noise(image.shape, seed)) for seed in (0, 1))

    @jax.jit
    def derivatives(image):
        gradient = jax.grad(loss)(image)
        _, slope = jax.jvp(loss, (image,), (one,))
        linear = jax.linearize(loss, image)[1](one)
        curved = lambda direction: jax.jvp(jax.grad(loss), (image,), (direction,))[1]
        return jnp.vdot(gradient, one), slope, linear, curved(one), curved(other)

    expected, slope, linear, along_one, along_other = derivatives(image)
    np.testing.assert_allclose([slope, linear], expected, rtol=1e-3)
    # The Hessian is symmetric.
    mixed = jnp.vdot(along_one, other), jnp.vdot(along_other, one)
    scale = jnp.linalg.norm(along_one) * jnp.linalg.norm(other)
    np.testing.assert_allclose(*mixed, atol=1e-3 * float(scale))
    assert np.isfinite(scale) and scale > 0


def test_the_hessian_of_the_objective():
    loss, image = loss_of("own", None, 18)
    corner = image[:4, :4]

    @jax.jit
    def derivatives(corner, direction):
        inside = lambda corner: loss(image.at[:4, :4].set(corner))
        slope = jax.grad(inside)
        ahead, behind = slope(corner + 0.003 * direction), slope(corner - 0.003 * direction)
        return jax.hessian(inside)(corner), (ahead - behind) / 0.006

    direction = jnp.asarray(noise(corner.shape))
    hessian, expected = derivatives(corner, direction)
    found = jnp.tensordot(hessian, direction, axes=3)
    assert jnp.linalg.norm(found - expected) < 0.02 * jnp.linalg.norm(expected) > 0


@pytest.mark.parametrize(
    "function",
    [stylejax.gram_matrix, stylejax.total_variation, stylejax.total_variation_power],
)
def test_the_public_losses_have_derivatives_of_every_mode(function):
    image, tangent = (jnp.asarray(noise((4, 5, 3), seed)) for seed in (0, 1))
    value = lambda image: jnp.sum(jnp.square(function(image)))
    _, slope = jax.jvp(value, (image,), (tangent,))
    _, linear = jax.linearize(value, image)
    expected = jnp.vdot(jax.grad(value)(image), tangent)
    np.testing.assert_allclose([slope, linear(tangent)], expected, rtol=1e-4)
    hessian = jax.hessian(value)(image).reshape(60, 60)
    _, along = jax.jvp(jax.grad(value), (image,), (tangent,))
    np.testing.assert_allclose(hessian @ tangent.ravel(), along.ravel(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-3, atol=1e-4)
