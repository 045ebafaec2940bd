"""A style loss and a term of one's own; the term's weight is swept, all pictures solved at once."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import stylejax


def means_and_deviations(moments, target):
    """What adaptive instance normalization matches: two parts, each with a unit of its own."""
    deviation = lambda of: jnp.sqrt(jnp.maximum(jnp.diagonal(of.gram) - of.mean**2, 1e-6))
    squares = lambda one, other: jnp.sum(jnp.square(one - other))
    return squares(moments.mean, target.mean), squares(deviation(moments), deviation(target))


content = stylejax.read_picture(stylejax.sample_picture("astronaut.jpg"), 64).pixels
style = stylejax.read_picture(stylejax.sample_picture("sunlit-field.jpg"), 64).pixels
network = stylejax.read_weights()
losses = {"style_loss": means_and_deviations, "terms": {"brightness": jnp.mean}}
objective = stylejax.make_objective(network, ["conv1_relu"], ["input", "conv1_relu"], **losses)
targets = objective.targets(network.variables, content, [style])
solver = stylejax.Solver(stylejax.latent_objective(objective))
start = stylejax.latent_from_image(content)


def solve(weight):
    weights = objective.weights(term_weights={"brightness": weight})
    state, _ = solver.solve(start, 20, network.variables, targets, weights)
    return stylejax.image_from_latent(state.params)


pictures = np.asarray(jax.jit(jax.vmap(solve))(jnp.array([0.0, 20.0, 100.0])))
stylejax.write_picture(Path("own_style_loss.png"), np.concatenate(pictures, axis=1))
print("mean brightness:", *(f"{picture.mean():.3f}" for picture in pictures))
