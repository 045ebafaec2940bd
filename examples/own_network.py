"""A network of one's own in Flax, untrained here: random filters hold texture too."""

from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import stylejax


class Small(nn.Module):
    """Two convolutions, each halving the picture; gives their feature maps by name."""

    @nn.compact
    def __call__(self, x):
        first = nn.relu(nn.Conv(32, (7, 7), strides=2)(x))
        second = nn.relu(nn.Conv(64, (5, 5), strides=2)(first))
        return {"first": first, "second": second}


layers = {"first": stylejax.Layer(32, 2, 7), "second": stylejax.Layer(64, 4, 15)}
variables = dict(Small().init(jax.random.key(0), jnp.zeros((1, 32, 32, 3))))
variables["preprocessing"] = {"mean": np.full(3, 0.5), "standard_deviation": np.full(3, 0.25)}
apply = lambda variables, batch, _: Small().apply(variables, batch)
network = stylejax.Network(layers, apply, variables)

content = stylejax.read_picture(stylejax.sample_picture("astronaut.jpg"), 96).pixels
style = stylejax.read_picture(stylejax.sample_picture("paper-waves.jpg"), 96).pixels
objective = stylejax.make_objective(network, ["second"], ["first", "second"])
targets = objective.targets(variables, content, [style])
solver = stylejax.Solver(stylejax.latent_objective(objective))
start = stylejax.latent_from_image(content)
state, trace = solver.solve(start, 30, variables, targets, objective.weights())
image = np.asarray(stylejax.image_from_latent(state.params))
stylejax.write_picture(Path("own_network.png"), image)
print(f"loss {trace.value[0]:.3f} to {trace.value[-1]:.3f}")
