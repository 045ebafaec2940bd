"""Take the faint grid of its enlargements out of a trained painting network, in minutes of a CPU.

    python scripts/remove_grid.py weights/styles.safetensors --photos train.zip --deadline 20 \
        -o styles.safetensors

Neither the paintings nor the encoder are needed. The layers after the residual blocks go on
learning from what the network itself paints: that picture without its grid is what they are to
paint. The grid of a period p is what the means of the p x p places of a cell differ by, in windows
of a few cells: it is taken out of the teacher's picture, and what is left of it in the pupil's is
a penalty. The last line is JSON.
"""

import argparse
import io
import json
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

# The checkout's own package comes first, installed or not.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from PIL import Image as PillowImage

from stylejax.feedforward.network import Parameters, paint
from stylejax.runs.painter_file import PainterFile, read_painter, write_painter

PERIOD = 4
"""In pixels: two enlargements, each of two."""
WINDOW = 9
"""Cells on a side that a place's local mean is taken over."""
LEARNING = ("up1", "up2", "colors")
"""The layers after the residual blocks."""
Maps = Float[Array | np.ndarray, "height width channels"]
AVERAGING = 0.99
"""What the average of the parameters keeps of itself in each step."""


def local_means(maps: Maps, window: int) -> Array:
    """Means over windows around each position; at the border over what there is of them."""
    means = jnp.asarray(maps)
    for axis in (0, 1):
        ones = np.ones(maps.shape[axis], np.float32)
        counts = np.convolve(ones, np.ones(window, np.float32), "same")
        shape = tuple(window if axis == each else 1 for each in range(3))
        sums = jax.lax.reduce_window(means, 0.0, jax.lax.add, shape, (1, 1, 1), "SAME")
        means = sums / np.expand_dims(counts, (1 - axis, 2))
    return means


def grid_of(picture: Maps, period: int = PERIOD, window: int = WINDOW) -> Array:
    """A picture's grid: its places' local means without the cells' own.

    Args:
        picture: sides are multiples of `period`.
        period: of the grid, in pixels.
        window: cells on a side that the means are taken over.
    """
    rows, columns = picture.shape[0] // period, picture.shape[1] // period
    cells = picture.reshape(rows, period, columns, period, -1).transpose(0, 2, 1, 3, 4)
    means = local_means(cells.reshape(rows, columns, -1), window)
    means = means.reshape(rows, columns, period, period, -1)
    means -= means.mean(axis=(2, 3), keepdims=True)
    return means.transpose(0, 2, 1, 3, 4).reshape(picture.shape)


def loss_of(
    top: Parameters,
    rest: Parameters,
    file: PainterFile,
    photo: Array,
    mixture: Array,
    weight: Array,
) -> tuple[Array, tuple[Array, Array]]:
    """Mean square of what is not as it was, and `weight` times that of the grid that is left."""
    target = jax.lax.stop_gradient(paint(file.painter, file.parameters, photo, mixture)[0])
    picture = paint(file.painter, {**rest, **top}, photo, mixture)[0]
    grid = grid_of(picture)
    off = jnp.mean((picture - grid - (target - grid_of(target))) ** 2)
    left = jnp.mean(grid**2)
    return off + weight * left, (off, left)


def crops(path: Path, size: int, seed: int) -> Iterator[Float[np.ndarray, "size size 3"]]:
    """Random squares of an archive's photographs, between 0.4 times and all of their side."""
    random = np.random.default_rng(seed)
    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        while True:
            data = archive.read(names[random.integers(len(names))])
            photo = PillowImage.open(io.BytesIO(data)).convert("RGB")
            side = min(photo.size) * random.uniform(0.4, 1.0)
            left, top = (random.uniform(0, length - side) for length in photo.size)
            box = (left, top, left + side, top + side)
            resized = photo.resize((size, size), PillowImage.Resampling.BICUBIC, box)
            yield np.asarray(resized, np.float32) / 255.0


def learn(options: argparse.Namespace, file: PainterFile) -> tuple[Parameters, dict[str, float]]:
    """The averaged parameters after the given time, and the last figures."""
    is_top = lambda name: name.startswith(LEARNING)
    start = file if options.start is None else read_painter(options.start)
    top = {name: leaf for name, leaf in start.parameters.items() if is_top(name)}
    rest = {name: leaf for name, leaf in file.parameters.items() if not is_top(name)}
    rate = optax.adam(1.0)
    state, average = rate.init(top), top

    @jax.jit
    def step(top, average, state, photo, mixture, speed):
        gradient, figures = jax.grad(loss_of, has_aux=True)(
            top, rest, file, photo, mixture, options.weight
        )
        updates, state = rate.update(gradient, state)
        top = jax.tree.map(lambda leaf, update: leaf + speed * update, top, updates)
        average = jax.tree.map(lambda a, b: AVERAGING * a + (1 - AVERAGING) * b, average, top)
        return top, average, state, figures

    begin, steps, sums = time.monotonic(), 0, np.zeros(2)
    for photo in crops(options.photos, options.size, options.seed):
        done = (time.monotonic() - begin) / (60 * options.deadline)
        if done >= 1:
            break
        mixture = jax.nn.one_hot(steps % (len(file.names) + 1), len(file.names) + 1)
        speed = options.rate * np.cos(done * np.pi / 2)
        top, average, state, figures = step(top, average, state, photo, mixture, speed)
        sums = 0.98 * sums + 0.02 * np.array([float(figure) for figure in figures])
        steps += 1
        if steps % 30 == 0:
            print(f"{steps} steps, off {sums[0]:.3e}, grid {sums[1]:.3e}", file=sys.stderr)
            write_painter(options.output, {**rest, **average}, file.record)
    return {**rest, **average}, {"steps": steps, "off": sums[0], "grid": sums[1]}


def main() -> None:
    """Read the network, let it learn, write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", type=Path)
    parser.add_argument("--start", type=Path, help="go on from this file's layers")
    parser.add_argument("--photos", type=Path, required=True, help="archive of photographs")
    parser.add_argument("--deadline", type=float, default=20.0, help="minutes")
    parser.add_argument("--size", type=int, default=192, help="side of the crops in pixels")
    parser.add_argument("--rate", type=float, default=1e-3, help="of Adam, falling to 0")
    parser.add_argument("--weight", type=float, default=4.0, help="of the grid that is left")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    file = read_painter(options.network)
    parameters, figures = learn(options, file)
    write_painter(options.output, parameters, file.record)
    print(json.dumps({"deadline": options.deadline, **figures}))


if __name__ == "__main__":
    main()
