"""The options of a training of painting networks."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from stylejax.errors import InputError
from stylejax.fields import LARGEST_SEED, option, positional, required
from stylejax.options import DeviceName, Precision, check_bounds
from stylejax.runs.training_outputs import check_training_files

SHIPPED = "shipped"
"""What --base may be beside a file: the network that ships with stylejax."""


@dataclass(frozen=True)
class StyleRequest:
    """What a training of painting networks is asked to do."""

    paintings: tuple[Path, ...] = positional((), "The paintings whose styles are learned.")
    _: KW_ONLY
    output: Path = required(
        "The weight file to write, .safetensors; beside it a report (.json) and a preview (.jpg)."
    )
    photos: tuple[Path, ...] = option(
        (), "Folders or zip archives of photographs to train with; a few hundred serve."
    )
    names: tuple[str, ...] = option(
        (), "The styles' names, separated by commas; those of the files unless given."
    )
    base: Path | None = option(
        None,
        "Weight file whose network stays as it is: only the scales and shifts of the new styles "
        "are learned, and added to its styles. `shipped` stands for the bundled one.",
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
        "numbers of a weight file.",
    )
    deadline: float = option(
        0.0, "Minutes from the start of the program to its end; 0 for none.", at_least=0
    )
    steps: int = option(
        0, "Steps in all, by which the rate falls; 0 to let the deadline say.", at_least=0
    )
    stop_after: int = option(0, "Steps after which to stop early; 0 for none.", at_least=0)
    size: int = option(256, "Side of the crops in pixels.", at_least=32)
    style_size: int = option(384, "Longest side of the paintings in pixels.", at_least=32)
    batch: int = option(8, "Photographs a step.", at_least=1)
    width: float = option(0.5, "Channels over those of the paper's network.", above=0)
    rate: float = option(3e-3, "Highest rate of Adam.", above=0)
    content_weight: float = option(1.0, "Weight of the content term.", at_least=0)
    style_weight: float = option(20.0, "Weight of the style term.", at_least=0)
    tv_weight: float = option(100.0, "Weight of total variation.", at_least=0)
    identity_weight: float = option(
        100.0, "Weight of the squared difference of pixels of the identity.", at_least=0
    )
    identity_share: float = option(
        0.5, "How often the identity is trained, over how often a style is.", at_least=0
    )
    precision: Precision = option("float32", "Precision of the products inside both networks.")
    seed: int = option(0, "Seed of everything random.", at_least=0, at_most=LARGEST_SEED)
    device: DeviceName | None = option(
        None, "Run on this kind of device and no other; JAX's choice unless given."
    )

    @property
    def style_names(self) -> tuple[str, ...]:
        """The styles' names."""
        return self.names or tuple(path.stem for path in self.paintings)

    def check(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            InputError: a number is out of range, names do not match, or nothing says when to end.
        """
        check_bounds(self)
        names = self.style_names
        if not self.paintings:
            raise InputError("no painting: name one, or several")
        if not self.photos:
            raise InputError("no --photos: name a folder or a zip archive of photographs")
        if len(names) != len(self.paintings):
            raise InputError(f"{len(names)} names for {len(self.paintings)} paintings: match them")
        if len(set(names)) < len(names) or not all(names):
            raise InputError(f"style names {', '.join(names)}: give each a name of its own")
        odd = [name for name in names if set(name) & set(",:/\\")]
        if odd:
            raise InputError(f"style name {odd[0]!r}: use none of , : / \\ in it")
        if not self.steps and not self.deadline:
            raise InputError("no --steps and no --deadline: say when to end")
        read = [*self.paintings, *self.photos, *self.validation, self.base, self.weights]
        check_training_files(self.output, self.checkpoint, read)
