"""Take the peaks at a grid's frequencies out of some styles of a trained painting network.

    python scripts/remove_peaks.py weights/styles.safetensors --styles scream great-wave \
        --periods 8 2 --shares 1 0.5 --photos train.zip --deadline 10 -o styles.safetensors

What `remove_grid.py` leaves is not bound to places of a cell: the residual blocks' maps have a
quarter of the picture's sides, and strokes like the finest waves that these can hold, of 8 pixels.
The penalty here is the power at a period over what neighboring frequencies make one expect, as
`grid_energy` of `evaluate.py` measures it. Only the scales and shifts of the styles that are named
learn, to stay at the network's own pictures otherwise: all else stays to the bit. The last line is
JSON.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

# The checkout's own package comes first, installed or not.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from remove_grid import crops

from stylejax.feedforward.network import Parameters, paint
from stylejax.runs.painter_file import PainterFile, read_painter, write_painter
from stylejax.types import Scalar

SIDE, TILE = 256, 128
"""Of the crops that are painted, and of the windows whose spectra are added, in pixels."""
NEIGHBORS = np.array([*range(-8, -2), *range(3, 9)])
"""The bins whose power makes one expect that of the bin in their middle."""
AVERAGING = 0.98
"""What the average of the parameters keeps of itself in each step."""
_LUMINANCE = (0.299, 0.587, 0.114)


def vertical_spectrum(luminance: Float[Array, "side side"]) -> Float[Array, " tile"]:
    """Power of waves that run down a picture, over overlapping windows of Hann."""
    starts = range(0, luminance.shape[0] - TILE + 1, TILE // 2)
    tiles = jnp.stack([luminance[a : a + TILE, b : b + TILE] for a in starts for b in starts])
    window = np.outer(*2 * [np.hanning(TILE + 1)[:-1]])
    spectra = jnp.fft.fft2((tiles - tiles.mean((1, 2), keepdims=True)) * window)
    across = np.abs(np.fft.fftfreq(TILE)) <= 1 / 32
    return jnp.sum(jnp.abs(spectra[:, :, across]) ** 2, (0, 2)) + 1e-9


def peak(picture: Float[Array, "side side 3"], period: int) -> Scalar:
    """Logarithm of the power at 1 / period over a parabola through its neighbors'; mean of axes.

    Below -0.3 it is held: what has no peak needs no trough.
    """
    luminance, at = picture @ jnp.array(_LUMINANCE), TILE // period
    expected = np.linalg.pinv(np.polynomial.polynomial.polyvander(NEIGHBORS, 2))[0]
    logs = [jnp.log(vertical_spectrum(axis)) for axis in (luminance, luminance.T)]
    over = jnp.stack([axis[at] - expected @ axis[at + NEIGHBORS] for axis in logs])
    return jnp.mean(jnp.maximum(over, -0.3))


def rows_of(
    start: Parameters, parameters: Parameters, rows: Sequence[int]
) -> tuple[Parameters, Callable[[Parameters], Parameters]]:
    """Scales and shifts of some rows, and the parameters with such rows put in."""
    at = jnp.array(rows)
    tables = {
        name: jnp.asarray(leaf)
        for name, leaf in parameters.items()
        if name.endswith(("_scales", "_shifts"))
    }
    learning = {name: jnp.asarray(start[name])[at] for name in tables}

    def joined(learning: Parameters) -> Parameters:
        changed = {name: table.at[at].set(learning[name]) for name, table in tables.items()}
        return {**parameters, **changed}

    return learning, joined


def learn(options: argparse.Namespace, file: PainterFile) -> tuple[Parameters, dict[str, object]]:
    """The averaged parameters after the given time, and the last figures."""
    rows = [1 + file.names.index(name) for name in options.styles]
    start = file if options.start is None else read_painter(options.start)
    learning, joined = rows_of(start.parameters, file.parameters, rows)
    rate = optax.adam(1.0)
    state, average = rate.init(learning), learning
    shares = jnp.array(options.shares)

    def loss(learning: Parameters, photo: Array, mixture: Array) -> tuple[Scalar, Array]:
        target = jax.lax.stop_gradient(paint(file.painter, file.parameters, photo, mixture)[0])
        picture = paint(file.painter, joined(learning), photo, mixture)[0]
        off = jnp.mean((picture - target) ** 2)
        peaks = jnp.stack([peak(jnp.asarray(picture), period) for period in options.periods])
        return off + options.weight * shares @ peaks, jnp.array([off, *peaks])

    @jax.jit
    def step(learning, average, state, photo, mixture, speed):
        gradient, figures = jax.grad(loss, has_aux=True)(learning, photo, mixture)
        updates, state = rate.update(gradient, state)
        learning = jax.tree.map(lambda leaf, update: leaf + speed * update, learning, updates)
        mean = lambda old, new: AVERAGING * old + (1 - AVERAGING) * new
        return learning, jax.tree.map(mean, average, learning), state, figures

    begin, steps, means = time.monotonic(), 0, np.zeros(1 + len(options.periods))
    for photo in crops(options.photos, SIDE, options.seed):
        done = (time.monotonic() - begin) / (60 * options.deadline)
        if done >= 1:
            break
        mixture = jax.nn.one_hot(rows[steps % len(rows)], len(file.names) + 1)
        speed = options.rate * np.cos(done * np.pi / 2)
        learning, average, state, figures = step(learning, average, state, photo, mixture, speed)
        kept = 0.97 if steps else 0.0
        means, steps = kept * means + (1 - kept) * np.asarray(figures), steps + 1
        if steps % 20 == 0:
            print(f"{steps} steps, off {means[0]:.2e}, peaks {means[1:]}", file=sys.stderr)
            write_painter(options.output, joined(average), file.record)
    return joined(average), {"steps": steps, "off": means[0], "peaks": means[1:].tolist()}


def main() -> None:
    """Read the network, let the styles' rows learn, write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", type=Path)
    parser.add_argument("--styles", nargs="+", required=True, help="whose rows learn")
    parser.add_argument("--start", type=Path, help="go on from this file's rows")
    parser.add_argument("--periods", nargs="+", type=int, default=[8], help="in pixels")
    parser.add_argument("--shares", nargs="+", type=float, default=[1.0], help="of each period")
    parser.add_argument("--photos", type=Path, required=True, help="archive of photographs")
    parser.add_argument("--deadline", type=float, default=10.0, help="minutes")
    parser.add_argument("--rate", type=float, default=1e-3, help="of Adam, falling to 0")
    parser.add_argument("--weight", type=float, default=1e-3, help="of the peaks")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    if len(options.shares) != len(options.periods):
        parser.error("--shares: give one for each period")
    file = read_painter(options.network)
    parameters, figures = learn(options, file)
    write_painter(options.output, parameters, file.record)
    print(json.dumps({"deadline": options.deadline, **figures}))


if __name__ == "__main__":
    main()
