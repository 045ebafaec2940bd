"""Fetching published weights into the user's cache: whole and checked, or not at all."""

import contextlib
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from stylejax.errors import InputError
from stylejax.images.files import replace_file
from stylejax.images.paths import path_exists
from stylejax.weights.convert import (
    WeightFile,
    check_name,
    checksums,
    read_weight_file,
    weight_file_bytes,
)
from stylejax.weights.download import (
    Progress,
    check_length,
    check_reachable,
    download_file,
)
from stylejax.weights.formats.keras import check_hdf5
from stylejax.weights.zoo import Published, cached_path, published_weights


class Fetched(NamedTuple):
    """Where the weights are, and whether they were there before."""

    path: Path
    already_here: bool


def _check_hub(name: str) -> None:
    """Refuse what needs huggingface_hub where that is missing.

    Raises:
        InputError: names the extra.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise InputError(
            f"{name} lies on the Hugging Face hub, which needs an extra: pip install "
            '"stylejax[fetch]"'
        )


def _hub_progress(progress: Progress, most: int) -> type[Any]:
    """The class of progress bar that huggingface_hub wants, which calls `progress` instead.

    It ends the download of more than `most` bytes.
    """
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.seen = options.get("initial", 0)
            super().__init__(*arguments, **{**options, "disable": True})
            self.whole = options.get("total")

        def update(self, n: Any = 1) -> None:
            self.seen += int(n or 0)
            check_length(self.seen, most)
            progress(self.seen, self.whole)

    return Bar


def _from_hub(published: Published, folder: Path, progress: Progress) -> tuple[Path, str]:
    """The file at the pinned revision, and its origin in words."""
    from huggingface_hub import HfApi, constants, hf_hub_download, logging

    logging.set_verbosity_error()
    endpoint, file = constants.ENDPOINT, published.file.name
    # The library itself asks again and again for 23 s where nobody answers.
    check_reachable(endpoint)
    api = HfApi(endpoint=endpoint)
    commits = [commit.commit_id for commit in api.list_repo_commits(published.repository)]
    # The hub takes a commit by its full name only.
    revision = next((name for name in commits if name.startswith(published.revision)), None)
    if revision is None:
        raise InputError(f"{published.repository} has no revision {published.revision}")
    (info,) = api.get_paths_info(published.repository, [file], revision=revision)
    check_length(int(getattr(info, "size", None) or 0), published.most_bytes)
    path = hf_hub_download(
        published.repository,
        file,
        revision=revision,
        local_dir=folder,
        endpoint=endpoint,
        tqdm_class=_hub_progress(progress, published.most_bytes),
    )
    promised = getattr(getattr(info, "lfs", None), "sha256", None)
    if promised not in (None, checksums(Path(path)).sha256):
        raise InputError(f"sha256 of {published.repository} is not what the hub says")
    return Path(path), f"{published.repository}@{revision}/{file}"


def _from_addresses(published: Published, folder: Path, progress: Progress) -> tuple[Path, str]:
    file = published.file
    path = folder / file.name
    check = lambda path: check_name(file.name, checksums(path))
    return path, download_file(file.urls, path, check, progress, published.most_bytes)


def _get(published: Published, folder: Path, progress: Progress) -> WeightFile:
    """Download and read published weights."""
    get = _from_hub if published.repository else _from_addresses
    try:
        path, source = get(published, folder, progress)
        return read_weight_file(path, source, published)
    except Exception as error:  # huggingface_hub's exceptions have no root in common.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{published.name} cannot be fetched ({reason}): get {published.page} by other means, "
            f"then run `stylejax weights convert FILE -o {cached_path(published.name)}`"
        ) from error


@contextlib.contextmanager
def _working_folder(target: Path) -> Iterator[Path]:
    """A folder beside the target for this process alone; it goes with all that is in it."""
    locks = target.parent / ".locks"
    folder = target.parent / f".{target.stem}.part"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"{target.stem}.lock"):
            # What a killed process left is of no use.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{target}: {error.strerror or error}; free or open that place") from error


def _is_whole(path: Path) -> bool:
    try:
        read_weight_file(path)
    except InputError:
        return False
    return True


def fetch_weights(name: str, progress: Progress = lambda done, total: None) -> Fetched:
    """Bring published weights to the cache, in stylejax's own form, unless they are there.

    Processes that fetch the same name at once wait for each other; a reader sees either no file or
    a whole one.

    Raises:
        InputError: the name is unknown, or no place has the file whole; the message says how to
            bring it by hand. Nothing is left in the cache then.
    """
    published = published_weights(name)
    target = cached_path(name)
    if published.repository and not path_exists(target):
        _check_hub(name)
    if published.file.name.endswith(".h5"):
        check_hdf5()
    with _working_folder(target) as folder:
        if _is_whole(target):
            return Fetched(target, True)
        replace_file(target, weight_file_bytes(_get(published, folder, progress)))
    return Fetched(target, False)
