"""The sample pictures that ship with the package; their README says where they are from."""

from importlib import resources
from pathlib import Path

from stylejax.errors import InputError


def samples_folder() -> Path:
    """Where the sample pictures are."""
    return Path(str(resources.files("stylejax") / "images" / "sample_pictures"))


def sample_picture(name: str) -> Path:
    """The file of a sample picture, such as `astronaut.jpg` or `starlit-swirls.jpg`.

    Raises:
        InputError: there is no such sample; the message lists those that there are.
    """
    folder = samples_folder()
    if not (folder / name).is_file():
        known = ", ".join(sorted(path.name for path in folder.glob("*.jpg")))
        raise InputError(f"no sample picture {name!r}: there are {known}")
    return folder / name
