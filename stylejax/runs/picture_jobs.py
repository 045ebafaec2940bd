"""Which picture is made of which photograph, of one, several, or a folder of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from stylejax.errors import InputError
from stylejax.images.files import check_not_inputs, check_writable
from stylejax.images.paths import is_folder, list_folder, path_exists
from stylejax.images.read import READ_SUFFIXES
from stylejax.images.write import WRITE_FORMATS, check_output


def is_one_picture(photos: Sequence[Path], output: Path) -> bool:
    """Whether one photograph becomes one picture file."""
    return len(photos) == 1 and not is_folder(photos[0]) and not is_folder(output)


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder by their names' endings, in order.

    Raises:
        InputError: it holds none.
    """
    found = [path for path in list_folder(folder) if path.suffix.lower() in READ_SUFFIXES]
    if not found:
        raise InputError(f"{folder}: holds no picture; name another folder")
    return found


def _photographs(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        if not path_exists(place):
            raise InputError(f"{place}: no such file; name a photograph or a folder of them")
        if not is_folder(place):
            yield place
            continue
        yield from pictures_in(place)


def list_pictures(
    photos: Sequence[Path], output: Path, bits: int, beside: Sequence[Path] = ()
) -> list[tuple[Path, Path]]:
    """Each photograph with the picture to be made of it.

    Args:
        photos: photographs, and folders of them.
        output: the file to write, or of several the folder.
        bits: of each channel that is written.
        beside: what else is read, and so must not be written to.

    Raises:
        InputError: a folder holds no picture, two photographs would be written to one file, an
            output cannot be written or is an input, or several are to go into one file.
    """
    if is_one_picture(photos, output):
        check_output(output, bits)
        jobs = [(photos[0], output)]
    else:
        _check_folder(output)
        found = list(_photographs(photos))
        jobs = [(path, output / f"{path.stem}.png") for path in found]
        stems: dict[str, Path] = {}
        for path in found:
            other = stems.setdefault(path.stem, path)
            if other is not path:
                raise InputError(f"{path} and {other} would both be {path.stem}.png; rename one")
    check_not_inputs((made for _, made in jobs), [*(path for path, _ in jobs), *beside])
    return jobs


def _check_folder(folder: Path) -> None:
    if is_folder(folder):
        return
    if path_exists(folder) or folder.suffix.lower() in WRITE_FORMATS:
        raise InputError(f"{folder}: is a file's name; several photographs need a folder")
    check_writable(folder)
