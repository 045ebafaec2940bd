"""A callback that keeps every tenth picture, and ends the transfer where it is good enough."""

from pathlib import Path

import numpy as np

import stylejax

content = stylejax.read_picture(stylejax.sample_picture("astronaut.jpg"), 96).pixels
style = stylejax.read_picture(stylejax.sample_picture("starlit-swirls.jpg"), 96).pixels
options = stylejax.Options(
    loss=stylejax.LossOptions(content_layers=("conv1_relu",), style_layers=("conv1_relu",)),
    solve=stylejax.SolverOptions(iterations=100, levels=2),
)
pictures = []


def keep(progress: stylejax.Progress) -> bool:
    """Called every ten iterations; where it returns True, the transfer ends."""
    pictures.append(progress.picture())
    done, terms = f"{progress.iteration:3} of {progress.iterations}", progress.terms
    print(f"{done}: loss {progress.loss:.3f}, of which style {terms.style:.3f}")
    return progress.loss < 1.4


result = stylejax.style_transfer(content, [style], options=options, callback=keep, every=10)
film = np.concatenate([content, *pictures, result.image], axis=1)
stylejax.write_picture(Path("every_tenth_picture.png"), film)
print("ended early" if result.stopped else "ended", "after", result.history["iteration"][-1])
