"""What can be chosen on the command line of `pretrain.py`."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import jax

from stylejax.errors import InputError
from stylejax.images.files import check_writable

SETTLE_STEPS = 0.18
"""Of the steps before, where the steps are counted."""


def _by_platform(accelerator: Any, cpu: Any) -> Any:
    return field(default_factory=lambda: cpu if jax.default_backend() == "cpu" else accelerator)


@dataclass(frozen=True)
class Options:
    """Distill a DenseNet-121 for style transfer from BVLC GoogLeNet.

    Some defaults depend on where it runs: on an accelerator (a) they use minutes of it to the full,
    on a CPU (c) they suit a quarter of an hour for a network that has learnt already.
    """

    teacher: Path
    """GoogLeNet's weights, with Caffe's names."""
    train: tuple[Path, ...]
    """Zip archives of pictures to learn from: 64x64 tiles, or photographs of any sizes."""
    validation: tuple[Path, ...]
    """Zip archives of held-out pictures, likewise."""
    out: Path
    """The weight file to write; beside it the figures before and after (.json)."""
    start: Path | None = None
    """Weight file to start from; random numbers unless given."""
    deadline: float | None = None
    """Minutes from the start of the process until everything is written."""
    steps: int | None = None
    """Steps to train for, in place of as many as the deadline allows."""
    settle_steps: int | None = None
    """Steps on stored statistics after them; 18 for every 100 of `--steps` unless given."""
    resume: bool = False
    """Go on from the checkpoint that lies beside `--out`."""
    batch: int = _by_platform(256, 16)
    """Pictures a step, over all devices (a: 256, c: 16)."""
    size: int = 128
    """Side of the crops in pixels, a multiple of 32."""
    learning_rate: float = _by_platform(3e-3, 3e-4)
    """Highest rate of AdamW (a: 3e-3, c: 3e-4)."""
    settle_learning_rate: float = _by_platform(3e-4, 3e-5)
    """The same on stored statistics (a: 3e-4, c: 3e-5)."""
    tap_weights: tuple[float, float, float, float, float] = (1.0, 2.0, 2.0, 1.0, 0.5)
    """Weight of the error at each tap, from the stem down."""
    averaging: float = 0.998
    """Share of the average of the parameters that each step keeps."""
    statistics: int = 100
    """Batches that batch norm's statistics are measured anew on."""
    precision: Literal["float32", "bfloat16"] = _by_platform("bfloat16", "float32")
    """Of the products while learning (a: bfloat16, c: float32)."""
    sample: int = _by_platform(4096, 512)
    """Crops that the heads are fitted on (a: 4,096, c: 512)."""
    held_out: int = _by_platform(2560, 512)
    """Crops that the explained variance is measured on (a: 2,560, c: 512)."""
    painted: int = 0
    """Tiles painted by program to learn from besides."""
    largest_loss: float = 0.01
    """A tap may lose this much of its explained variance, or else the start is kept."""
    data: str | None = None
    """What the file is to say of its data; the archives' names unless given."""
    seed: int = 0
    """Of everything random."""


def checked(options: Options) -> Options:
    """The options, with the steps of the settling stage where those of the other one are given.

    Raises:
        InputError: they do not go together, or the output could not be written.
    """
    if options.deadline is None and options.steps is None:
        raise InputError("neither --deadline nor --steps is given: say how long to train")
    if options.size % 32 or options.size <= 0:
        raise InputError(f"--size {options.size}: must be a multiple of 32, as 64 or 128")
    count = len(jax.devices())
    if options.batch < 2 or options.batch % count:
        raise InputError(
            f"--batch {options.batch}: must be a multiple of the number of devices, {count}, "
            "and at least 2"
        )
    check_writable(options.out)
    if options.steps is not None and options.settle_steps is None:
        return replace(options, settle_steps=round(SETTLE_STEPS * options.steps))
    return options
