"""The options of a training of networks that enlarge."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from stylejax.errors import InputError
from stylejax.fields import LARGEST_SEED, option, required
from stylejax.options import DeviceName, Precision, check_bounds
from stylejax.runs.training_outputs import check_training_files
from stylejax.superresolution.form import JOHNSON_BLOCKS, MARGIN, Enlarger
from stylejax.superresolution.options import check_factor

USUAL_STEPS = 20_000
"""Of a training that nothing says the end of."""
_JOHNSON_CHANNELS = 64


@dataclass(frozen=True)
class EnlargerRequest:
    """What a training of a network that enlarges is asked to do."""

    _: KW_ONLY
    output: Path = required(
        "The weight file to write, .safetensors; beside it a report (.json) and a preview (.jpg)."
    )
    factor: int = option(4, "How many times larger the network makes a picture: 4 or 8.")
    photos: tuple[Path, ...] = option(
        (), "Folders or zip archives of photographs to train with; a few hundred serve."
    )
    preset: Literal["johnson"] | None = option(
        None,
        "`johnson`: the network of Johnson et al. (2016), trained by the error of features alone "
        "as in the paper; it knows no sharpness.",
    )
    validation: tuple[Path, ...] = option(
        (),
        "Photographs that the network is judged by as it learns: files, folders or archives; none "
        "of them unless given.",
    )
    weights: Path | None = option(
        None,
        "Weight file of the encoder that pictures are compared by; the bundled one unless given.",
    )
    checkpoint: Path | None = option(None, "File to keep the training's state in as it goes on.")
    resume: Path | None = option(
        None,
        "Go on from a checkpoint, to the same bytes on the same machine, or from the averaged "
        "numbers of a weight file, of the other factor too.",
    )
    deadline: float = option(
        0.0, "Minutes from the start of the program to its end; 0 for none.", at_least=0
    )
    steps: int = option(
        0,
        "Steps in all, by which the rate falls; 0 to let the deadline say, or for "
        f"{USUAL_STEPS:,} where there is none.",
        at_least=0,
    )
    stop_after: int = option(0, "Steps after which to stop early; 0 for none.", at_least=0)
    size: int = option(32, "Side in pixels of the small crops.", at_least=2 * MARGIN + 4)
    batch: int = option(4, "Crops a step.", at_least=1)
    channels: int = option(24, "Channels of the network's maps.", at_least=1)
    blocks: int = option(4, "Residual blocks of the network.", at_least=1)
    rate: float = option(2e-3, "Highest rate of Adam.", above=0)
    exact_share: float = option(
        0.4,
        "Share of the training in which pixels alone count, at sharpness 0.",
        at_least=0,
        at_most=1,
    )
    sharp_every: int = option(4, "After that, one step of so many is at any sharpness.", at_least=1)
    feature_weight: float = option(
        0.02, "Weight of the error of features at sharpness 1.", at_least=0
    )
    kept_pixels: float = option(
        0.2, "Weight that the error of pixels keeps at sharpness 1.", at_least=0
    )
    precision: Precision = option("float32", "Precision of the products inside the encoder.")
    seed: int = option(0, "Seed of everything random.", at_least=0, at_most=LARGEST_SEED)
    device: DeviceName | None = option(
        None, "Run on this kind of device and no other; JAX's choice unless given."
    )

    @property
    def enlarger(self) -> Enlarger:
        """The form of the network to train."""
        if self.preset == "johnson":
            return Enlarger(self.factor, _JOHNSON_CHANNELS, JOHNSON_BLOCKS, "johnson")
        return Enlarger(self.factor, self.channels, self.blocks)

    def check(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            InputError: a number is out of range, or a file cannot be written or is an input.
        """
        check_bounds(self)
        check_factor(self.factor)
        if not self.photos:
            raise InputError("no --photos: name a folder or a zip archive of photographs")
        read = [*self.photos, *self.validation, self.weights]
        check_training_files(self.output, self.checkpoint, read)
