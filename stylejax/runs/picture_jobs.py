"""Which picture is made of which photograph, of one, several, or a folder of them."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from stylejax.errors import InputError
from stylejax.images.files import check_not_inputs, check_writable
from stylejax.images.paths import is_folder, list_folder, path_exists
from stylejax.images.read import READ_SUFFIXES
from stylejax.images.write import WRITE_FORMATS, check_output


def is_one_picture(photos: Sequence[Path], output: Path) -> bool:
    """Whether one photograph becomes one picture file."""
    return len(photos) == 1 and not is_several(photos[0]) and not is_folder(output)


def is_several(place: Path) -> bool:
    """Whether a name stands for pictures: it is a folder's, or a pattern that is no file's name."""
    return is_folder(place) or (glob.has_magic(str(place)) and not path_exists(place))


def pictures_in(place: Path) -> list[Path]:
    """The pictures of a folder or of a pattern (`*.jpg`) by their names' endings, in order.

    Raises:
        InputError: there are none.
    """
    of_folder = is_folder(place)
    there = list_folder(place) if of_folder else sorted(map(Path, glob.glob(str(place))))
    found = [path for path in there if path.suffix.lower() in READ_SUFFIXES]
    if not found:
        what = "holds no picture; name another folder"
        raise InputError(f"{place}: {what if of_folder else 'matches no picture; name another'}")
    return found


def _photographs(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        if is_several(place):
            yield from pictures_in(place)
        elif path_exists(place):
            yield place
        else:
            raise InputError(f"{place}: no such file; name a photograph or a folder of them")


def list_pictures(
    photos: Sequence[Path], output: Path, bits: int, beside: Sequence[Path] = ()
) -> list[tuple[Path, Path]]:
    """Each photograph with the picture to be made of it.

    Args:
        photos: photographs, folders of them, and patterns.
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
