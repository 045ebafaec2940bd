"""The options of a training of painting networks."""

from dataclasses import dataclass
from pathlib import Path

from stylejax.errors import InputError
from stylejax.fields import option
from stylejax.options import Precision, check_bounds


@dataclass(frozen=True)
class StyleRequest:
    """Train a network that paints in the styles of paintings."""

    paintings: tuple[Path, ...]
    """Pictures of the styles."""
    photos: tuple[Path, ...]
    """Folders or zip archives of photographs to train with."""
    output: Path
    """The weight file to write; beside it a report (.json) and a preview (.jpg)."""
    names: tuple[str, ...] = ()
    """The styles' names; those of the files unless given."""
    validation: tuple[Path, ...] = ()
    """Photographs that the network is judged by as it learns: files, folders or archives."""
    weights: Path | None = None
    """The encoder's weight file; the bundled one unless given."""
    checkpoint: Path | None = None
    """File to keep the training's state in."""
    resume: Path | None = None
    """Go on from a checkpoint, or from the averaged numbers of a weight file."""
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
    precision: Precision = "float32"
    """Of the products inside both networks."""
    seed: int = option(0, "Of everything random.", at_least=0)

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
        if not names or len(names) != len(self.paintings):
            raise InputError(f"{len(names)} names for {len(self.paintings)} paintings: match them")
        if len(set(names)) < len(names) or not all(names):
            raise InputError(f"style names {', '.join(names)}: give each a name of its own")
        if not self.steps and not self.deadline:
            raise InputError("no --steps and no --deadline: say when to end")
