"""The photographs and paintings that are always judged, and what others made of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stylejax.errors import InputError
from stylejax.images.read import read_picture
from stylejax.types import OtherPixels


class Pair(NamedTuple):
    """A photograph and a painting by file name, and the pictures that others made of them."""

    content: str
    style: str
    reference: str | None = None

    @property
    def name(self) -> str:
        """What `--pairs` chooses by."""
        return f"{Path(self.content).stem} x {Path(self.style).stem}"


# The published pairs first; then a portrait, a pale and flat style, angular ones, busy and quiet
# photographs. Every photograph and every painting is used.
PAIRS = (
    Pair("tubingen_neckarfront.jpg", "vangogh_starry_night.jpg", "tubingen_starry_night"),
    Pair("tubingen_neckarfront.jpg", "munch_the_scream.jpg", "tubingen_scream"),
    Pair("astronaut.png", "picabia_udnie.jpg"),
    Pair("pier_sunset.jpg", "hokusai_great_wave.jpg"),
    Pair("kodim08_old_houses.png", "mondrian_composition_vii_1913.jpg"),
    Pair("kodim23_parrots.png", "kandinsky_composition_vii.jpg"),
    Pair("raccoon.png", "vangogh_wheat_field_with_cypresses.jpg"),
    Pair("toucan.jpg", "vangogh_starry_night.jpg"),
    Pair("canyon.jpg", "munch_the_scream.jpg"),
)
REFERENCES = ("vgg19", "googlenet")
"""Whose pictures are looked for: reference/vgg19_tubingen_scream.png."""


def chosen(words: Sequence[str]) -> list[Pair]:
    """The pairs whose name holds one of the words; all of them where there is no word.

    Raises:
        InputError: a word is in no name.
    """
    for word in words:
        if not any(word in pair.name for pair in PAIRS):
            names = ", ".join(pair.name for pair in PAIRS)
            raise InputError(f"--pairs {word}: is part of no pair's name; there are {names}")
    return [pair for pair in PAIRS if not words or any(word in pair.name for word in words)]


def references(pair: Pair, images: Path) -> dict[str, OtherPixels | None]:
    """The pictures that others made of a pair, None where there is none."""
    paths = {name: images / "reference" / f"{name}_{pair.reference}.png" for name in REFERENCES}
    return {
        name: read_picture(path).pixels if pair.reference and path.is_file() else None
        for name, path in paths.items()
    }


def other_pictures(pairs: Sequence[Pair], folder: Path) -> dict[Pair, OtherPixels | None]:
    """What another program made of the pairs, None where its folder has no picture of one.

    Its pictures are called as those of `evaluate.py` but for the method: photograph-painting.png,
    or with another ending of pictures.

    Raises:
        InputError: the folder is missing, or none of its pictures is of these pairs.
    """
    if not folder.is_dir():
        raise InputError(f"--other {folder}: no such folder")
    found = {}
    for pair in pairs:
        stem = f"{Path(pair.content).stem}-{Path(pair.style).stem}"
        paths = [path for path in sorted(folder.iterdir()) if path.stem == stem]
        found[pair] = read_picture(paths[0]).pixels if paths else None
    if all(picture is None for picture in found.values()):
        raise InputError(
            f"--other {folder}: has no picture of these pairs; call them "
            f"{Path(pairs[0].content).stem}-{Path(pairs[0].style).stem}.png and so on"
        )
    return found
