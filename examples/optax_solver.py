"""A solver of optax in place of ours, ended where the loss hardly falls any more."""

from pathlib import Path

import numpy as np
import optax

import stylejax

content = stylejax.read_picture(stylejax.sample_picture("astronaut.jpg"), 64).pixels
style = stylejax.read_picture(stylejax.sample_picture("sunlit-field.jpg"), 64).pixels
network = stylejax.read_weights()
objective = stylejax.make_objective(network, ["conv1_relu"], ["input", "conv1_relu"])
targets = objective.targets(network.variables, content, [style])
arguments = (network.variables, targets, objective.weights())
start = stylejax.latent_from_image(content)

schedule = optax.cosine_decay_schedule(0.03, decay_steps=200)
optimizer = optax.chain(optax.clip_by_global_norm(10.0), optax.adabelief(schedule))
solver = stylejax.Solver(stylejax.latent_objective(objective), stylejax.optax_method(optimizer))

before = float("inf")
for step in solver.steps(start, 200, *arguments, pace=lambda step: 10):
    print(f"iteration {step.iteration:3}  loss {step.value:.3f}")
    if step.done or step.value > 0.98 * before:
        image = np.asarray(stylejax.image_from_latent(step.params()))
        stylejax.write_picture(Path("optax_solver.png"), image)
        break
    before = float(step.value)
