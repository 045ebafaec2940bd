"""Measure a DenseNet-121 for its model card: how well it has learnt, and how its taps answer.

    python scripts/measure_weights.py densenet121.safetensors --teacher googlenet.safetensors \
        --train tiles-*.zip photographs.zip --validation held-out-*.zip --stem stem-filters.png

Prints one JSON object. Heads are fitted by least squares to crops of the training pictures and
judged by crops of the held-out ones: all of tiles, as the figures of the first weights are, and in
the proportions that `pretrain.py` learns with. Every file is measured on the same crops.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro

from stylejax.errors import InputError
from stylejax.images.write import write_picture
from training.archives import Contents, Pictures, decode, survey
from training.distillation import TAPS, Student, init_heads
from training.figures import activation_statistics, linear_probe, stem_picture
from training.googlenet import CHANNELS, read_googlenet
from training.heads import (
    channel_deviations,
    explained_variance,
    fitted_heads,
    mean_moments,
    moments,
    scaled,
)
from training.pictures import crops, plan
from training.weight_file import read_start


@dataclass(frozen=True)
class Options:
    """Measure a DenseNet-121 for its model card."""

    weights: Annotated[Path, tyro.conf.Positional]
    """The weight file."""
    teacher: Path
    """GoogLeNet's weights, with Caffe's names."""
    train: tuple[Path, ...]
    """Zip archives of tiles and photographs that heads and classifier are fitted to."""
    validation: tuple[Path, ...]
    """Zip archives of held-out ones."""
    stem: Path | None = None
    """Where to write a picture of the stem's filters."""
    sample: int = 2048
    """Crops that the heads are fitted to."""
    held_out: int = 2048
    """Crops that they are judged by."""
    batch: int = 32
    """Crops at a time."""


def explained(
    options: Options, student: Student, teacher: Any, both: tuple[Pictures, Pictures], size: int
) -> dict[str, float]:
    """Explained variance on crops of a size, by the teacher's feature map."""
    measure = jax.jit(moments)
    unit = {tap: np.ones(CHANNELS[name], np.float32) for tap, name in TAPS.items()}

    def measured(student: Student, deviations: Any, pictures: Pictures, count: int) -> Any:
        sides = [min(height, width) for _, height, width in np.asarray(pictures.places)]
        draw = jax.jit(crops, static_argnums=2)
        kinds = plan(options.batch, size, len(pictures.tiles), sides)
        keys = (jax.random.key(number) for number in range(count // options.batch))
        batches = (draw(key, pictures, kinds) for key in keys)
        return mean_moments(measure(student, teacher, deviations, batch) for batch in batches)

    found = measured(student, unit, both[0], options.sample)
    deviations = channel_deviations(found)
    student = student._replace(heads=fitted_heads(scaled(found, deviations)))
    return explained_variance(measured(student, deviations, both[1], options.held_out))


def _tiles_only(pictures: Pictures) -> Pictures:
    return Pictures(pictures.tiles, pictures.pixels[:0], pictures.places[:0])


def measure(options: Options) -> dict[str, Any]:
    """All figures of the model card."""
    student, start = read_start(options.weights)
    student = student._replace(heads=jax.device_get(init_heads(jax.random.key(0))))
    teacher = read_googlenet(options.teacher)
    contents: tuple[Contents, Contents] = (survey(options.train), survey(options.validation))
    both = (decode(contents[0]), decode(contents[1]))
    tiles = (_tiles_only(both[0]), _tiles_only(both[1]))
    student, teacher = jax.device_put((student, teacher))
    kinds = plan(64, 128, len(tiles[1].tiles), [])
    photographs = jax.jit(crops, static_argnums=2)(jax.random.key(0), tiles[1], kinds)
    noise = jax.random.uniform(jax.random.key(1), photographs.shape)
    figures: dict[str, Any] = {"sha256": start["sha256"]}
    for size in (64, 128):
        figures[f"tiles_{size}px"] = explained(options, student, teacher, tiles, size)
        figures[f"all_{size}px"] = explained(options, student, teacher, both, size)
    return figures | {
        "linear_probe_top1": linear_probe(
            student,
            (np.asarray(both[0].tiles), contents[0].labels),
            (np.asarray(both[1].tiles), contents[1].labels),
        ),
        "photographs": activation_statistics(student, photographs),
        "noise": activation_statistics(student, noise),
    }


def main() -> None:
    """Measure, print, and draw the stem."""
    options = tyro.cli(Options, description=__doc__)
    try:
        figures = measure(options)
        if options.stem is not None:
            picture = stem_picture(read_start(options.weights)[0]).convert("RGB")
            write_picture(options.stem, np.asarray(picture, np.float32) / 255)
    except InputError as error:
        raise SystemExit(f"error: {error}") from None
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
